//! What must hold whatever happens.

use ringfort_model::digest::Digest;
use ringfort_model::item::ItemId;
use ringfort_model::name::NodeName;
use ringfort_model::step::Step;

use super::draft::read_by;
use super::machine::Process;
use super::store::{SECRET, TOKEN_LIFE_MS};
use super::world::World;

impl World {
    /// API servers of the spec that run.
    fn servers(&self) -> impl Iterator<Item = (&NodeName, &Process)> {
        self.store.spec.keys().filter_map(|node| {
            let machine = self.machines.get(node).filter(|machine| machine.is_on)?;
            let process = machine.processes.get("kube-apiserver").filter(|p| p.is_running)?;
            Some((node, process))
        })
    }

    /// No server writes what another cannot read, and every token is accepted by every server.
    pub(super) fn laws_of_servers(&mut self) {
        let now = self.now;
        let sealing: Vec<String> =
            self.servers().filter_map(|(_, p)| p.seals_with.first().cloned()).collect();
        let signing: Vec<String> = self.servers().map(|(_, p)| p.signs_with.clone()).collect();
        self.sealed.extend(sealing);
        self.issued.extend(signing.into_iter().map(|key| (key, now)));
        let unread = self.servers().find_map(|(node, process)| {
            let key = self.sealed.iter().find(|key| !process.seals_with.contains(*key))?;
            Some(format!("data is sealed with {key}, and {node} cannot read it"))
        });
        let unknown = self.servers().find_map(|(node, process)| {
            let is_alive = |since: &u64| now.saturating_sub(*since) < TOKEN_LIFE_MS;
            let alive = self.issued.iter().filter(|(_, since)| is_alive(since));
            let key = alive.map(|(key, _)| key).find(|key| !process.accepts.contains(*key))?;
            Some(format!("{node} refuses tokens signed with {}", &key[..8.min(key.len())]))
        });
        if let Some(law) = unread.or(unknown) {
            self.breaks(|| law);
        }
    }

    /// Changing manifests never takes down so many that nobody serves.
    pub(super) fn law_of_restarts(&mut self, name: &'static str) {
        let processes = || {
            self.store.spec.keys().filter_map(|node| self.machines.get(node)?.processes.get(name))
        };
        let ours = processes().filter(|process| process.is_our_restart).count();
        let serves = match name {
            "etcd" => self.etcd.has_quorum(&self.running_members()),
            _ => processes().any(|process| process.is_running),
        };
        if ours > 1 && !serves {
            self.breaks(|| format!("{ours} of {name} were restarted at once, and nobody serves"));
        }
    }

    /// On no machine does an epoch act after a later one.
    pub(super) fn law_of_epochs(&mut self, node: &NodeName, agent: u64) {
        let Some(machine) = self.machines.get(node) else { return };
        let Some(agent) = machine.agent.as_ref().filter(|a| a.id == agent) else { return };
        let (tenure, run) = (machine.tenure.clone(), agent.run);
        if tenure.operator != format!("run-{run}") {
            self.breaks(|| format!("{node}: run {run} acts in the tenure of {}", tenure.operator));
        }
    }

    /// No run acts with facts from before another one acted.
    pub(super) fn law_of_facts(&mut self, node: &NodeName, agent: u64) {
        let Some(machine) = self.machines.get_mut(node) else { return };
        let Some(run) = machine.agent.as_ref().filter(|a| a.id == agent).map(|a| a.run) else {
            return;
        };
        let Some(session) = self.sessions.get(&run) else { return };
        let (last, epoch) = machine.acted.replace((run, session.epoch)).unwrap_or_default();
        if let Some(known) = session.remembered.filter(|known| last != run && epoch > *known) {
            self.breaks(|| format!("{node}: a run that knows epoch {known} acts after {epoch}"));
        }
    }

    /// A secret is in no step and in no journal.
    pub(super) fn law_of_secrets(&mut self, step: &Step) {
        if let ringfort_model::step::Act::WriteFile {
            source: ringfort_model::step::Source::Text(text),
            ..
        } = &step.act
            && text.contains(SECRET)
        {
            self.breaks(|| format!("the step for {} holds a secret", step.item));
        }
    }

    /// After a reset nothing is left.
    fn law_of_resets(&mut self) {
        let left = self.machines.iter().find_map(|(node, machine)| {
            let thing = machine.things.keys().find(|id| !matches!(id, ItemId::Sysctl(_)));
            let is_bare =
                thing.is_none() && machine.member.is_none() && machine.processes.is_empty();
            (!is_bare).then(|| format!("{node} has {thing:?} after the reset"))
        });
        if let Some(law) = left {
            self.breaks(|| law);
        }
    }

    /// At the end everything is there, and nothing that should have gone.
    pub(super) fn laws_of_the_end(&mut self) {
        if self.store.resets {
            return self.law_of_resets();
        }
        let holds_secret = |journal: &[u8]| {
            journal.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
        };
        if self.machines.values().any(|machine| holds_secret(&machine.journal)) {
            self.breaks(|| "a journal holds a secret".to_owned());
        }
        let planes = self.store.foundings.len();
        let serving = self.servers().count();
        if serving != planes {
            self.breaks(|| format!("{serving} of {planes} API servers run at the end"));
        }
        let voters = self.etcd.members.values().filter(|known| !known.learner).count();
        if voters != planes || self.etcd.members.len() != planes {
            self.breaks(|| format!("{voters} of {planes} members of etcd vote at the end"));
        }
        let lost = self.sealed.iter().find(|key| !self.store.encryption.contains(*key)).cloned();
        if let Some(key) = lost {
            self.breaks(|| format!("the keyring lost {key}"));
        }
        for node in self.store.spec.keys() {
            let Some(machine) = self.machines.get(node) else { continue };
            let is_wrong = |(name, read): (&String, &Option<Digest>)| {
                read_by(name).is_some_and(|path| machine.digest_of(path) != *read)
            };
            if let Some((name, _)) = machine.read.iter().find(|(n, r)| is_wrong((n, r))) {
                let law = format!("{node}: {name} goes on with what is no longer there");
                self.broken.get_or_insert(law);
            }
        }
        for (node, machine) in &self.machines {
            let is_left = machine.things.keys().any(|id| !matches!(id, ItemId::Sysctl(_)));
            if !self.store.spec.contains_key(node)
                && !self.store.leaving.contains_key(node)
                && is_left
            {
                let law = format!("{node} left the cluster with something of it");
                self.broken.get_or_insert(law);
            }
        }
    }
}
