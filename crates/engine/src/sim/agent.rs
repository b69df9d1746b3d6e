//! What happens on machines while somebody is connected: channels, steps, and how they break off.

use std::collections::BTreeMap;

use ringfort_model::blueprint::Role;
use ringfort_model::etcd::Member;
use ringfort_model::frame::{Answer, FRAME_VERSION, Request};
use ringfort_model::item::ItemId;
use ringfort_model::name::NodeName;
use ringfort_model::seen::{ItemSeen, Look, Seen};
use ringfort_model::step::{Act, Outcome, Step};

use super::Plant;
use super::draft::{API_MANIFEST, ENCRYPTION, ETCD_MANIFEST};
use super::machine::{Agent, Doom, Thing};
use super::world::{Event, World};
use crate::message::{Input, Tick};
use crate::node::{Effect, Input as NodeInput, Node};

impl World {
    /// Opens a channel to a machine; its lock and its tenure decide whether it is heard.
    pub(super) fn connect(&mut self, run: u64, node: &NodeName) -> Result<u64, String> {
        let session = &self.sessions[&run];
        let (epoch, operator) = (session.epoch, session.name.clone());
        let Some(machine) = self.machines.get_mut(node).filter(|machine| machine.is_on) else {
            return Err("no route to host".to_owned());
        };
        if machine.agent.is_some() {
            return Err("another operator is at work".to_owned());
        }
        let (mut half, good) = Node::open(&machine.journal, machine.tenure.clone())
            .map_err(|error| format!("the journal is {error}"))?;
        machine.journal.truncate(good);
        let mut out = Vec::new();
        let hello = Request::Hello { version: FRAME_VERSION, epoch, operator };
        half.on(NodeInput::Heard(hello), &mut out);
        half.on(NodeInput::Locked(Ok(())), &mut out);
        for effect in out {
            match effect {
                Effect::Store(tenure) => machine.tenure = tenure,
                Effect::Say(Answer::Refused { why }) => return Err(why),
                _ => {}
            }
        }
        let id = self.fresh_id();
        if let Some(machine) = self.machines.get_mut(node) {
            machine.agent = Some(Agent { id, run, node: half, performing: BTreeMap::new() });
        }
        Ok(id)
    }

    /// A machine's half hears something, and what it asks for is done, as far as it lives.
    pub(super) fn tell_agent(&mut self, node: &NodeName, id: u64, input: NodeInput) {
        let input = match input {
            NodeInput::Looked(wanted) => NodeInput::Looked(self.look_around(node, wanted)),
            NodeInput::Counted(_) => NodeInput::Counted(self.members_at(node)),
            other => other,
        };
        let mut out = Vec::new();
        match self.agent(node, id) {
            Some(agent) => agent.node.on(input, &mut out),
            None => return,
        }
        for effect in out {
            if self.agent(node, id).is_none() {
                return;
            }
            if let Some(doom) = self.is_doomed(node) {
                self.die_during(node, doom, &effect);
                return;
            }
            self.do_for_agent(node, id, effect);
        }
    }

    fn agent(&mut self, node: &NodeName, id: u64) -> Option<&mut Agent> {
        self.machines.get_mut(node)?.agent.as_mut().filter(|agent| agent.id == id)
    }

    fn is_doomed(&mut self, node: &NodeName) -> Option<Doom> {
        let machine = self.machines.get_mut(node)?;
        let (left, doom) = machine.doom?;
        if left > 0 {
            machine.doom = Some((left - 1, doom));
            return None;
        }
        machine.doom = None;
        Some(doom)
    }

    /// Ends a process, or a machine's power, in the middle of an effect.
    fn die_during(&mut self, node: &NodeName, doom: Doom, effect: &Effect) {
        if let (Effect::Append { bytes }, Some(machine)) = (effect, self.machines.get_mut(node)) {
            let length = bytes.len() as u64 + 1;
            let kept = usize::try_from(self.random.range(0, length)).unwrap_or(0);
            machine.journal.extend(&bytes[..kept]);
        }
        self.faults_done += 1;
        self.is_killed = true;
        match doom {
            Doom::Agent => self.kill_agent(node, "the process was killed"),
            Doom::Power => self.lose_power(node),
        }
    }

    fn do_for_agent(&mut self, node: &NodeName, id: u64, effect: Effect) {
        match effect {
            Effect::Append { bytes } => {
                if let Some(machine) = self.machines.get_mut(node) {
                    machine.journal.extend(bytes);
                }
            }
            Effect::Look { looks } => {
                let seen = Seen {
                    items: looks.into_iter().map(|(id, look)| (id, marker(&look))).collect(),
                    ..Seen::default()
                };
                let input = NodeInput::Looked(seen);
                self.schedule_between(1, 20, Event::Agent { node: node.clone(), agent: id, input });
            }
            Effect::Count => {
                let input = NodeInput::Counted(None);
                self.schedule_between(1, 50, Event::Agent { node: node.clone(), agent: id, input });
            }
            Effect::Perform { seq, step } => self.begin_step(node, id, seq, step),
            Effect::Say(answer) => self.say(node, id, answer),
            Effect::End => self.cut(node, id, "the machine ended the conversation"),
            Effect::Lock { .. } | Effect::Store(_) => {}
        }
    }

    fn say(&mut self, node: &NodeName, id: u64, answer: Answer) {
        let Some(run) = self.agent(node, id).map(|agent| agent.run) else { return };
        let Some(phase) = self.sessions.get(&run).map(|session| session.phase_id) else { return };
        let node = node.clone();
        let link = Some((node.clone(), id));
        let input = match answer {
            Answer::Observed(seen) => Input::Observed { node, seen },
            Answer::Applied { seq, outcome } => Input::Applied { node, seq, outcome },
            Answer::Members(members) => Input::Members { node, members },
            _ => return,
        };
        if self.random.chance(2) && matches!(input, Input::Applied { .. }) {
            let (link, input) = (link.clone(), input.clone());
            self.schedule_between(1, 80, Event::Operator { run, phase, link, input });
        }
        self.schedule_between(1, 40, Event::Operator { run, phase, link, input });
    }

    fn begin_step(&mut self, node: &NodeName, id: u64, seq: u64, step: Step) {
        self.note(|| format!("{node}: begins {} ({})", step.item, step.because));
        self.law_of_epochs(node, id);
        self.law_of_facts(node, id);
        self.law_of_secrets(&step);
        let now = self.now;
        if let (ItemId::Serving(name), Act::Await { .. }) = (&step.item, &step.act) {
            self.restart_misread(node, name);
        }
        let Some(machine) = self.machines.get_mut(node) else { return };
        machine.promised.remove(&step.item);
        let patience = match &step.act {
            Act::Await { seconds, .. } => Some(Tick::from(*seconds) * 1_000),
            _ => None,
        };
        if let Some(agent) = self.agent(node, id) {
            agent.performing.insert(seq, step);
        }
        let node = node.clone();
        match patience {
            Some(patience) => {
                self.schedule(100, Event::Asked { node, agent: id, seq, until: now + patience });
            }
            None => self.schedule_between(1, 40, Event::Performed { node, agent: id, seq }),
        }
    }

    pub(super) fn performed(&mut self, node: &NodeName, id: u64, seq: u64) {
        let Some(step) = self.agent(node, id).and_then(|agent| agent.performing.remove(&seq))
        else {
            return;
        };
        let secret = self.store.encryption_file();
        let is_sloppy = self.plant == Some(Plant::SkippedSync);
        let outcome = match &step.act {
            Act::Etcd(act) => self.change_etcd(node, act),
            _ => match self.machines.get_mut(node) {
                Some(machine) => machine.perform(&step, &secret),
                None => return,
            },
        };
        if let (true, Some(machine)) = (is_sloppy, self.machines.get_mut(node))
            && let Some(Thing::File { mode, owner, .. }) = machine.things.get(&step.item)
        {
            // The name is on the disk, the bytes are not.
            let empty = Thing::file(*mode, *owner, String::new());
            machine.unsynced.insert(step.item.clone(), vec![Some(empty)]);
        }
        self.after_step(node, &step);
        let input = NodeInput::Performed { seq, outcome };
        self.tell_agent(node, id, input);
    }

    /// What a change on the disk sets in motion.
    pub(super) fn after_step(&mut self, node: &NodeName, step: &Step) {
        let touches = |path: &str| step.item == ItemId::file(path);
        if touches(ETCD_MANIFEST) || touches(API_MANIFEST) || step.item == ItemId::unit("kubelet") {
            self.wake_kubelet(node);
        }
        if touches(ENCRYPTION) {
            self.wake_reload(node);
        }
    }

    pub(super) fn asked(&mut self, node: &NodeName, id: u64, seq: u64, until: u64) {
        let Some(step) = self.agent(node, id).and_then(|agent| agent.performing.get(&seq).cloned())
        else {
            return;
        };
        let ItemId::Serving(name) = &step.item else { return };
        let seen = self.serving(node, name);
        let Act::Await { inputs: wanted, .. } = &step.act else { return };
        let is_right = matches!(
            &seen,
            ItemSeen::Serving { healthy: true, inputs: Some(inputs) } if inputs == wanted
        );
        if !is_right && self.now < until {
            self.schedule(400, Event::Asked { node: node.clone(), agent: id, seq, until });
            return;
        }
        if let Some(agent) = self.agent(node, id) {
            agent.performing.remove(&seq);
        }
        let outcome = match is_right {
            true => Outcome::Done(seen),
            false => Outcome::Failed { why: "does not answer".to_owned() },
        };
        self.tell_agent(node, id, NodeInput::Performed { seq, outcome });
    }

    fn change_etcd(&mut self, node: &NodeName, act: &ringfort_model::etcd::EtcdAct) -> Outcome {
        let running = self.running_members();
        let answers = matches!(self.serving(node, "etcd"), ItemSeen::Serving { healthy: true, .. });
        let result = match answers {
            true => self.etcd.change(act, &running),
            false => Err("etcd does not answer here".to_owned()),
        };
        if result.is_ok() && !self.etcd.has_quorum(&running) {
            self.breaks(|| format!("etcd lost its quorum by {act:?}"));
        }
        self.note(|| format!("{node}: etcd {act:?}: {result:?}"));
        match result {
            Ok(()) => Outcome::Done(ItemSeen::Absent),
            Err(why) => Outcome::Failed { why },
        }
    }

    fn members_at(&self, node: &NodeName) -> Option<Vec<Member>> {
        let answers = matches!(self.serving(node, "etcd"), ItemSeen::Serving { healthy: true, .. });
        (answers || self.plant == Some(Plant::BlindCount))
            .then(|| self.etcd.list(&self.running_members()))
    }

    fn look_around(&self, node: &NodeName, wanted: Seen) -> Seen {
        let Some(machine) = self.machines.get(node) else { return Seen::default() };
        let look = |(id, kind): (ItemId, ItemSeen)| {
            let seen = match &id {
                ItemId::Serving(name) => self.serving(node, name),
                _ => machine.look(&id, &self.look_of(&kind)),
            };
            (id, seen)
        };
        Seen {
            items: wanted.items.into_iter().map(look).collect(),
            etcd_data: machine.role == Role::ControlPlane && machine.member.is_some(),
            cluster: (!machine.journal.is_empty()).then(|| "sim".to_owned()),
            ..Seen::default()
        }
    }

    fn look_of(&self, marker: &ItemSeen) -> Look {
        match look_of(marker) {
            Look::EncryptionKeys if self.plant == Some(Plant::UnnamedKeys) => Look::Plain,
            look => look,
        }
    }

    /// The agent's process ends: what it was doing is done or not, and nobody is told.
    pub(super) fn kill_agent(&mut self, node: &NodeName, why: &str) {
        self.note(|| format!("{node}: {why}"));
        let secret = self.store.encryption_file();
        let mut random = self.random.clone();
        let Some(machine) = self.machines.get_mut(node) else { return };
        let Some(agent) = machine.agent.take() else { return };
        let mut broken_off = Vec::new();
        for step in agent.performing.into_values() {
            if !matches!(
                step.act,
                Act::Await { .. } | Act::Etcd(_) | Act::RequestCertificate { .. }
            ) {
                machine.break_off(&step, &secret, &mut random);
                broken_off.push(step);
            }
        }
        self.random = random;
        for step in broken_off {
            self.after_step(node, &step);
        }
        self.lost(agent.run, node, agent.id, why);
    }

    /// A channel ends.
    pub(super) fn cut(&mut self, node: &NodeName, id: u64, why: &str) {
        if self.agent(node, id).is_some() {
            self.kill_agent(node, why);
        }
    }

    /// Tells an operator that a link is lost.
    pub(super) fn lost(&mut self, run: u64, node: &NodeName, id: u64, why: &str) {
        let Some(session) = self.sessions.get_mut(&run) else { return };
        session.disturbed = true;
        if session.links.get(node) == Some(&id) {
            session.links.remove(node);
            session.gone.insert(node.clone());
            let phase = session.phase_id;
            let input = Input::Unreachable { node: node.clone(), why: why.to_owned() };
            self.schedule_between(1, 500, Event::Operator { run, phase, link: None, input });
        }
    }

    pub(super) fn lose_power(&mut self, node: &NodeName) {
        self.kill_agent(node, "loses power");
        let mut random = self.random.clone();
        let Some(machine) = self.machines.get_mut(node) else { return };
        if !machine.is_on {
            return;
        }
        let result = machine.lose_power(&mut random);
        self.random = random;
        if let Err(law) = result {
            self.breaks(|| format!("{node}: {law}"));
        }
        self.note(|| format!("{node}: is off"));
        self.schedule_between(500, 8_000, Event::Boot { node: node.clone() });
        self.laws_of_servers();
    }

    pub(super) fn boot(&mut self, node: &NodeName) {
        self.note(|| format!("{node}: boots"));
        if let Some(machine) = self.machines.get_mut(node).filter(|machine| !machine.is_on) {
            machine.start();
        }
        self.wake_kubelet(node);
    }
}

/// How closely to look travels with the question as an invented answer.
fn marker(look: &Look) -> ItemSeen {
    let name = match look {
        Look::Key => "key",
        Look::Certificate => "certificate",
        Look::EncryptionKeys => "encryption",
        _ => "plain",
    };
    ItemSeen::Unreadable(name.to_owned())
}

fn look_of(marker: &ItemSeen) -> Look {
    match marker {
        ItemSeen::Unreadable(name) => match name.as_str() {
            "key" => Look::Key,
            "certificate" => Look::Certificate,
            "encryption" => Look::EncryptionKeys,
            _ => Look::Plain,
        },
        _ => Look::Plain,
    }
}
