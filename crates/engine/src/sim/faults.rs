//! What a seed lets go wrong, and what people do meanwhile.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ringfort_model::blueprint::Role;
use ringfort_model::item::ItemId;
use ringfort_model::name::NodeName;

use super::Plant;
use super::draft::{ENCRYPTION, SIGNING_KEY};
use super::machine::{Doom, Machine, Thing};
use super::random::Random;
use super::store::Store;
use super::story::Story;
use super::world::{Event, World};
use crate::message::Input;

/// Something that goes wrong, or that somebody does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    KillAgent,
    LosePower,
    LosePowerNow,
    CutLink,
    KillOperator,
    Interrupt,
    SecondOperator,
    Wipe,
    EditFile,
    DeleteFile,
    DeleteSigningKey,
    StopUnit,
    DeleteObject,
    EditObject,
    Rotate,
    Upgrade,
    MonthsPass,
    ReplacePlane,
    ReplaceWorker,
    OtherOperator,
    EtcdAils,
    TimeOut,
}

impl Fault {
    /// What a command reads or writes once, at its start.
    fn is_of_the_operator(self) -> bool {
        matches!(
            self,
            Self::ReplacePlane
                | Self::ReplaceWorker
                | Self::Upgrade
                | Self::Rotate
                | Self::OtherOperator
        )
    }
}

const COMMON: [Fault; 21] = [
    Fault::KillAgent,
    Fault::KillAgent,
    Fault::LosePower,
    Fault::LosePower,
    Fault::LosePowerNow,
    Fault::CutLink,
    Fault::KillOperator,
    Fault::KillOperator,
    Fault::Interrupt,
    Fault::SecondOperator,
    Fault::Wipe,
    Fault::EditFile,
    Fault::DeleteFile,
    Fault::StopUnit,
    Fault::EditObject,
    Fault::Rotate,
    Fault::Upgrade,
    Fault::ReplacePlane,
    Fault::OtherOperator,
    Fault::EtcdAils,
    Fault::TimeOut,
];

const QUIET: [Fault; 8] = [
    Fault::DeleteSigningKey,
    Fault::EditFile,
    Fault::DeleteObject,
    Fault::StopUnit,
    Fault::Upgrade,
    Fault::MonthsPass,
    Fault::ReplaceWorker,
    Fault::OtherOperator,
];

impl World {
    /// Makes the world of a seed, with all that will happen in it.
    pub(super) fn new(seed: u64, plant: Option<Plant>, is_traced: bool) -> Self {
        let mut random = Random::new(seed);
        if seed % 8 == 7
            && let Some(story) = random.pick(&Story::ALL)
        {
            return Self::telling(*story, seed, None, plant, is_traced);
        }
        let planes = if random.chance(80) { 3 } else { 1 };
        let workers = u8::try_from(random.range(1, 3)).unwrap_or(1);
        let spec: BTreeMap<NodeName, (Role, IpAddr)> = (1..=planes)
            .map(|number| place(Role::ControlPlane, number))
            .chain((1..=workers).map(|number| place(Role::Worker, number)))
            .collect();
        // A key that is deleted while its server may restart at any time has no safe order.
        let of: &[Fault] = if random.chance(75) { &COMMON } else { &QUIET };
        let count = random.range(0, 6);
        let mut faults = Vec::new();
        for _ in 0..count {
            let at = random.range(0, 90_000);
            faults.extend(random.pick(of).map(|fault| (at, *fault)));
        }
        let mut world = Self::bare(random, Store::new(spec), plant, is_traced);
        world.seed = seed;
        world.learner_is_ready = world.random.chance(50);
        world.etcd.is_strict = world.random.chance(50);
        world.links_come_back = world.random.chance(50);
        world.faults_left = faults.len();
        for (at, fault) in faults {
            world.schedule(at, Event::Fault(fault));
        }
        world.schedule(0, Event::Up);
        world
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        if fault.is_of_the_operator() && !self.sessions.is_empty() {
            return self.schedule(500, Event::Fault(fault));
        }
        self.faults_left -= 1;
        self.faults_done += 1;
        for session in self.sessions.values_mut() {
            session.disturbed = true;
        }
        self.note(|| format!("-- {fault:?}"));
        match fault {
            Fault::KillAgent => self.doom(Doom::Agent),
            Fault::LosePower => self.doom(Doom::Power),
            Fault::LosePowerNow => {
                if let Some(node) = self.any_machine() {
                    self.lose_power(&node);
                }
            }
            Fault::CutLink => {
                if let Some(node) = self.any_machine()
                    && let Some(id) = self.machines[&node].agent.as_ref().map(|agent| agent.id)
                {
                    self.cut(&node, id, "the link is cut");
                }
            }
            Fault::KillOperator => {
                let left = u32::try_from(self.random.range(0, 40)).unwrap_or(0);
                if let Some(session) = self.sessions.values_mut().next() {
                    session.doom = Some(left);
                }
            }
            Fault::Interrupt => {
                if let Some((run, phase)) =
                    self.sessions.values().next().map(|s| (s.run, s.phase_id))
                {
                    let input = Input::Interrupted;
                    self.schedule(1, Event::Operator { run, phase, link: None, input });
                }
            }
            Fault::SecondOperator => self.up(),
            Fault::Wipe => self.wipe(),
            Fault::EditFile => self.meddle_with_file(true),
            Fault::DeleteFile => self.meddle_with_file(false),
            Fault::DeleteSigningKey => self.delete_signing_key(),
            Fault::StopUnit => self.stop_unit(),
            Fault::DeleteObject => {
                self.objects.remove(&1);
                if let Some(maker) = self.maker() {
                    maker.node = None;
                }
            }
            Fault::EditObject => {
                if let Some(object) = self.objects.get_mut(&0) {
                    *object = false;
                }
            }
            Fault::Rotate => self.rotate(),
            Fault::Upgrade => self.store.version += 1,
            Fault::MonthsPass => self.start_s += 150 * 86_400,
            Fault::ReplacePlane => self.replace_plane(),
            Fault::ReplaceWorker => self.replace_worker(),
            Fault::OtherOperator => self.hand_over(),
            Fault::EtcdAils => {
                if self.can_lose_one()
                    && let Some(node) = self.any_machine()
                {
                    self.ail(&node);
                }
            }
            Fault::TimeOut => self.time_out(),
        }
    }

    fn any_machine(&mut self) -> Option<NodeName> {
        let nodes: Vec<NodeName> = self.store.spec.keys().cloned().collect();
        self.random.pick(&nodes).cloned()
    }

    fn doom(&mut self, doom: Doom) {
        let left = u32::try_from(self.random.range(0, 50)).unwrap_or(0);
        if let Some(node) = self.any_machine()
            && let Some(machine) = self.machines.get_mut(&node)
        {
            machine.doom = Some((left, doom));
        }
    }

    /// Whether every member of etcd runs, has its vote and is remembered, so that one can be lost.
    fn can_lose_one(&self) -> bool {
        let voters = self.etcd.members.values().filter(|known| !known.learner).count();
        self.etcd.has_begun
            && voters > 2
            && voters == self.etcd.members.len()
            && self.running_members().len() == voters
            && self.store.started.len() == voters
            && self.machines.values().all(|machine| machine.is_on && machine.doom.is_none())
    }

    fn all_serve(&self) -> bool {
        let runs = |node: &NodeName| {
            let process = self.machines.get(node)?.processes.get("kube-apiserver")?;
            Some(process.is_running)
        };
        self.store.foundings.keys().all(|node| runs(node) == Some(true))
    }

    /// A machine is set up anew, under its old name and address.
    fn wipe(&mut self) {
        if !self.can_lose_one() {
            return;
        }
        let Some(node) = self.any_machine() else { return };
        self.wipe_machine(&node);
    }

    pub(super) fn wipe_machine(&mut self, node: &NodeName) {
        self.kill_agent(node, "is wiped");
        let Some(machine) = self.machines.get_mut(node) else { return };
        let (boot, made) = (machine.boot + 1, machine.keys_made);
        *machine = Machine::new(machine.role, machine.address);
        machine.boot = boot;
        machine.keys_made = made;
        self.note(|| format!("{node}: is wiped"));
    }

    fn meddle_with_file(&mut self, edits: bool) {
        let Some(node) = self.any_machine() else { return };
        let mut random = self.random.clone();
        let Some(machine) = self.machines.get_mut(&node) else { return };
        let is_fair = |id: &&ItemId| {
            let is_file = matches!(id, ItemId::File(_));
            is_file && **id != ItemId::file(SIGNING_KEY) && **id != ItemId::file(ENCRYPTION)
        };
        let files: Vec<ItemId> = machine.things.keys().filter(is_fair).cloned().collect();
        let Some(id) = random.pick(&files).cloned() else { return };
        self.random = random;
        let edited = match machine.things.get(&id) {
            Some(Thing::File { mode, owner, text, .. }) if edits => {
                Some(Thing::file(*mode, *owner, format!("{text}# edited")))
            }
            _ => None,
        };
        machine.meddle(&id, edited);
        self.note(|| format!("{node}: somebody was at {id}"));
        self.wake_kubelet(&node);
    }

    /// Once, and only while the key's server runs: one that may start at any time with the next
    /// key would sign before the others know it.
    fn delete_signing_key(&mut self) {
        let is_calm = self.store.signing.values().all(|key| key.announced && key.retired.is_none());
        if !is_calm || !self.sessions.is_empty() || !self.can_lose_one() || !self.all_serve() {
            return;
        }
        let Some(node) = self.store.started.iter().next().cloned() else { return };
        if let Some(machine) = self.machines.get_mut(&node) {
            machine.meddle(&ItemId::file(SIGNING_KEY), None);
        }
    }

    fn stop_unit(&mut self) {
        let Some(node) = self.any_machine() else { return };
        let name = if self.random.chance(50) { "kubelet" } else { "containerd" };
        let Some(machine) = self.machines.get_mut(&node) else { return };
        let id = ItemId::unit(name);
        if let Some(Thing::Unit { inputs, .. }) = machine.things.get(&id).cloned() {
            machine.meddle(&id, Some(Thing::Unit { enabled: true, active: false, inputs }));
        }
    }

    pub(super) fn rotate(&mut self) {
        self.store.wants_key |= self.store.known;
    }

    /// Somebody else goes on, with a copy of the operator's state from when it was handed over.
    fn hand_over(&mut self) {
        let copy = self.copy.take().unwrap_or_else(|| self.store.clone());
        self.copy = Some(std::mem::replace(&mut self.store, copy));
    }

    /// A machine does not answer in time: the operator closes the link, and what is under way there
    /// goes on for a while.
    fn time_out(&mut self) {
        let Some(node) = self.any_machine() else { return };
        let Some((id, run)) = self.machines[&node].agent.as_ref().map(|a| (a.id, a.run)) else {
            return;
        };
        self.lost(run, &node, id, "no answer in time");
        self.schedule_between(0, 3_000, Event::Dead { node, agent: id });
    }

    fn replace_plane(&mut self) {
        let old = place(Role::ControlPlane, 3).0;
        let (new, here) = place(Role::ControlPlane, 4);
        if self.can_lose_one() && self.store.spec.contains_key(&old) {
            self.swap(&old, new, here);
        }
    }

    fn replace_worker(&mut self) {
        let old = place(Role::Worker, 1).0;
        let (new, here) = place(Role::Worker, 4);
        if self.store.spec.contains_key(&old) {
            self.swap(&old, new, here);
        }
    }

    pub(super) fn swap(&mut self, old: &NodeName, new: NodeName, here: (Role, IpAddr)) {
        if let Some(left) = self.store.spec.remove(old) {
            self.store.leaving.insert(old.clone(), left);
        }
        self.store.spec.insert(new.clone(), here);
        self.machines.insert(new, Machine::new(here.0, here.1));
    }
}

pub(super) fn place(role: Role, number: u8) -> (NodeName, (Role, IpAddr)) {
    let (name, last) = match role {
        Role::ControlPlane => ("cp", 10 + number),
        Role::Worker => ("w", 20 + number),
    };
    let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
    (NodeName::new(format!("{name}{number}")).expect("it is a label"), (role, address))
}
