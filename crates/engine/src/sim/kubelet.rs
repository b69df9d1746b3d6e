//! What kubelets, etcd and API servers do by themselves.

use std::collections::BTreeSet;

use ringfort_model::digest::Digest;
use ringfort_model::item::ItemId;
use ringfort_model::name::NodeName;
use ringfort_model::seen::ItemSeen;

use super::draft::{API_MANIFEST, ENCRYPTION, ETCD_MANIFEST, Manifest, SIGNING_KEY};
use super::etcd::NoStart;
use super::machine::{Process, Thing, encryption_keys, public_half};
use super::world::{Event, World};
use crate::membership::peer_url;

/// How long a component must have run to count as serving, in milliseconds.
const SETTLED_MS: u64 = 10_000;

const COMPONENTS: [(&str, &str); 2] = [("etcd", ETCD_MANIFEST), ("kube-apiserver", API_MANIFEST)];

impl World {
    /// A kubelet notices a change of its manifests within seconds.
    pub(super) fn wake_kubelet(&mut self, node: &NodeName) {
        let Some(machine) = self.machines.get(node) else { return };
        let boot = machine.boot;
        self.schedule_between(100, 2_000, Event::Kubelet { node: node.clone(), boot });
    }

    /// An API server reads its encryption configuration again within a minute (lab-2, 5).
    pub(super) fn wake_reload(&mut self, node: &NodeName) {
        let Some(machine) = self.machines.get(node) else { return };
        let Some(process) = machine.processes.get("kube-apiserver") else { return };
        let (boot, id) = (machine.boot, process.id);
        self.schedule_between(0, 60_000, Event::Reload { node: node.clone(), boot, id });
    }

    pub(super) fn kubelet(&mut self, node: &NodeName, boot: u64) {
        for (name, path) in COMPONENTS {
            let Some(machine) = self.machines.get(node) else { return };
            if machine.boot != boot || !machine.runs("kubelet") {
                return;
            }
            let wanted = match machine.things.get(&ItemId::file(path)) {
                Some(Thing::File { digest, .. }) => Some(digest.clone()),
                _ => None,
            };
            let there = machine.processes.get(name).map(|process| process.manifest.clone());
            if wanted != there {
                self.replace(node, boot, name, wanted);
            }
        }
    }

    /// Stops a process and starts another with a new manifest, if there is one.
    fn replace(&mut self, node: &NodeName, boot: u64, name: &'static str, to: Option<Digest>) {
        let had_quorum = self.etcd.has_quorum(&self.running_members());
        // What came up by itself a moment ago, a server or the majority it asks, was down when the engine looked.
        let settled = self.now.saturating_sub(SETTLED_MS);
        let had_settled = self.etcd.has_quorum(&self.members_since(settled));
        let id = self.fresh_id();
        let Some(machine) = self.machines.get_mut(node) else { return };
        let before = machine.processes.remove(name);
        let is_our_change = COMPONENTS
            .iter()
            .any(|(n, path)| *n == name && machine.promised.contains_key(&ItemId::file(*path)));
        let served = |p: &Process| p.is_running && had_settled && p.since < settled;
        let is_our_restart =
            is_our_change && before.is_some_and(|p| served(&p) || p.is_our_restart);
        if let Some(manifest) = to {
            let process = Process {
                id,
                manifest,
                is_running: false,
                since: 0,
                is_our_restart,
                inputs: None,
                accepts: BTreeSet::new(),
                signs_with: String::new(),
                seals_with: Vec::new(),
                loaded: None,
            };
            machine.processes.insert(name, process);
            let node = node.clone();
            self.schedule_between(300, 3_000, Event::Process { node, boot, name, id });
        }
        self.note(|| format!("{node}: {name} is started anew"));
        if name == "etcd" && had_quorum {
            self.law_of_restarts("etcd");
        }
        self.law_of_restarts("kube-apiserver");
    }

    pub(super) fn start_process(
        &mut self,
        node: &NodeName,
        boot: u64,
        name: &'static str,
        id: u64,
    ) {
        let is_current = self.machines.get(node).is_some_and(|machine| {
            machine.boot == boot && machine.processes.get(name).is_some_and(|p| p.id == id)
        });
        if !is_current {
            return;
        }
        let started = self.is_as_written(node, name)
            && match name {
                "etcd" => self.start_etcd(node),
                _ => self.start_server(node),
            };
        if !started {
            let node = node.clone();
            self.schedule_between(800, 2_500, Event::Process { node, boot, name, id });
            return;
        }
        self.note(|| format!("{node}: {name} runs"));
        if !self.etcd.has_begun && self.etcd.has_quorum(&self.running_members()) {
            self.etcd.has_begun = true;
        }
        self.laws_of_servers();
    }

    /// A pod whose manifest has changed is not started again, but replaced.
    fn is_as_written(&self, node: &NodeName, name: &str) -> bool {
        let path = COMPONENTS.iter().find(|(n, _)| *n == name).map(|(_, path)| *path);
        let Some((machine, path)) = self.machines.get(node).zip(path) else { return false };
        let thing = machine.things.get(&ItemId::file(path));
        let process = machine.processes.get(name);
        matches!((thing, process), (Some(Thing::File { digest, .. }), Some(p)) if *digest == p.manifest)
    }

    fn start_etcd(&mut self, node: &NodeName) -> bool {
        let now = self.now;
        let running = self.running_members();
        let others = self.machines.iter().any(|(n, machine)| n != node && machine.member.is_some());
        let Some(machine) = self.machines.get_mut(node) else { return false };
        if now < machine.ails_until {
            return false;
        }
        let Some(manifest) = manifest_of(machine.text(ETCD_MANIFEST)) else { return false };
        let Some(founding) = manifest.founding else { return false };
        let url = peer_url(machine.address);
        match self.etcd.start(node, &url, machine.member, &founding, others, &running) {
            Ok(member) => {
                machine.member = Some(member);
                run(machine, "etcd", manifest.inputs, now);
                true
            }
            Err(NoStart::NotYet) => false,
            Err(NoStart::Broken(law)) => {
                self.breaks(|| law);
                false
            }
        }
    }

    fn start_server(&mut self, node: &NodeName) -> bool {
        let now = self.now;
        let has_etcd = self.etcd.has_quorum(&self.running_members());
        let Some(machine) = self.machines.get_mut(node) else { return false };
        let Some(manifest) = manifest_of(machine.text(API_MANIFEST)) else { return false };
        let Some(key) = machine.text(SIGNING_KEY).and_then(public_half) else { return false };
        let Some(keys) = machine.text(ENCRYPTION).and_then(encryption_keys) else { return false };
        let loaded = machine.digest_of(ENCRYPTION);
        if !has_etcd {
            return false;
        }
        if let Some(process) = machine.processes.get_mut("kube-apiserver") {
            // Both are read once, at the start (lab-2, 4.3).
            process.accepts = manifest.accepts;
            process.signs_with = key.as_str().to_owned();
            (process.seals_with, process.loaded) = (keys, loaded);
        }
        machine.note_read("kube-apiserver");
        run(machine, "kube-apiserver", manifest.inputs, now);
        true
    }

    pub(super) fn reload(&mut self, node: &NodeName, boot: u64, id: u64) {
        let Some(machine) = self.machines.get_mut(node).filter(|machine| machine.boot == boot)
        else {
            return;
        };
        let Some(keys) = machine.text(ENCRYPTION).and_then(encryption_keys) else { return };
        let loaded = machine.digest_of(ENCRYPTION);
        if let Some(process) = machine.processes.get_mut("kube-apiserver").filter(|p| p.id == id) {
            (process.seals_with, process.loaded) = (keys, loaded);
        }
        self.laws_of_servers();
    }

    /// Lists the members of etcd that run.
    pub(super) fn running_members(&self) -> Vec<u64> {
        self.members_since(u64::MAX)
    }

    /// Lists the members of etcd that run since before a time.
    fn members_since(&self, time: u64) -> Vec<u64> {
        let is_one = |process: &Process| process.is_running && process.since < time;
        let runs = |machine: &&super::machine::Machine| {
            machine.is_on && machine.processes.get("etcd").is_some_and(is_one)
        };
        self.machines.values().filter(runs).filter_map(|machine| machine.member).collect()
    }

    /// Ends a process that may have read what was wrong; the kubelet starts it again.
    pub(super) fn restart_misread(&mut self, node: &NodeName, name: &str) {
        let Some((known, _)) = COMPONENTS.iter().find(|(known, _)| *known == name) else { return };
        let (fresh, settled) = (self.fresh_id(), self.now.saturating_sub(SETTLED_MS));
        let had_quorum = self.etcd.has_quorum(&self.members_since(settled));
        let Some(machine) = self.machines.get_mut(node) else { return };
        let misread = machine.misread.get(name).copied();
        let boot = machine.boot;
        let Some(process) = machine.processes.get_mut(name).filter(|p| Some(p.id) == misread)
        else {
            return;
        };
        process.is_our_restart = process.is_running && had_quorum && process.since < settled;
        (process.id, process.is_running) = (fresh, false);
        let node = node.clone();
        self.note(|| format!("{node}: {name} is ended, since it read something else"));
        self.schedule_between(300, 3_000, Event::Process { node, boot, name: known, id: fresh });
        self.law_of_restarts("kube-apiserver");
    }

    /// Asks a component of a machine whether it serves.
    pub(super) fn serving(&self, node: &NodeName, name: &str) -> ItemSeen {
        let process = self.machines.get(node).and_then(|machine| machine.processes.get(name));
        let Some(process) = process.filter(|process| process.is_running) else {
            return ItemSeen::Serving { healthy: false, inputs: None };
        };
        let learns = self.machines[node]
            .member
            .and_then(|id| self.etcd.members.get(&id))
            .is_none_or(|known| known.learner);
        let is_ready = match name {
            "etcd" => !learns || self.learner_is_ready,
            // An API server reads through its own member, and a learner refuses (lab-2, 6).
            _ => !learns,
        };
        let is_misread = self.machines[node].misread.get(name) == Some(&process.id);
        let inputs = process.inputs.clone().filter(|_| !is_misread);
        let healthy = is_ready && self.etcd.has_quorum(&self.running_members());
        ItemSeen::Serving { healthy, inputs }
    }
}

fn run(machine: &mut super::machine::Machine, name: &str, inputs: Digest, now: u64) {
    if let Some(process) = machine.processes.get_mut(name) {
        process.is_running = true;
        process.since = now;
        process.is_our_restart = false;
        process.inputs = Some(inputs);
    }
}

/// A manifest that somebody has broken starts nothing.
fn manifest_of(text: Option<&str>) -> Option<Manifest> {
    serde_json::from_str(text?).ok()
}
