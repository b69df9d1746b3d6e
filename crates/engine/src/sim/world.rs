//! The world: its clock, its queue of events, and what each event does.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::name::NodeName;

use super::Plant;
use super::etcd::Etcd;
use super::faults::Fault;
use super::machine::Machine;
use super::random::Random;
use super::session::Session;
use super::store::Store;
use super::story::{Kill, Standstill, Story};
use crate::message::Input;
use crate::node::Input as NodeInput;

/// Everything there is.
pub(super) struct World {
    pub(super) random: Random,
    pub(super) now: u64,
    /// The time at the beginning, in seconds since 1970; people may turn it on.
    pub(super) start_s: i64,
    queue: BTreeMap<(u64, u64), Event>,
    serial: u64,
    pub(super) machines: BTreeMap<NodeName, Machine>,
    pub(super) etcd: Etcd,
    /// Objects of the API: whether each is as it should be.
    pub(super) objects: BTreeMap<usize, bool>,
    pub(super) store: Store,
    /// What was rendered last, and from what.
    pub(super) drafted: Option<(super::store::Rendered, ringfort_model::blueprint::Blueprint)>,
    pub(super) sessions: BTreeMap<u64, Session>,
    pub(super) plant: Option<Plant>,
    /// Names of keys with which something was sealed.
    pub(super) sealed: BTreeSet<String>,
    /// When a token was last signed with a key.
    pub(super) issued: BTreeMap<String, u64>,
    /// Whether a learner says that it is ready.
    pub(super) learner_is_ready: bool,
    pub(super) seed: u64,
    /// What happens once the cluster stands.
    pub(super) story: Option<Story>,
    /// Who is killed when it has happened.
    pub(super) kill: Option<Kill>,
    pub(super) is_killed: bool,
    pub(super) standstill: Option<Standstill>,
    /// Kills the next run after so many effects.
    pub(super) next_doom: Option<u32>,
    /// Another operator's copy of the operator's state.
    pub(super) copy: Option<Store>,
    /// Whether a link that was lost comes back within the run.
    pub(super) links_come_back: bool,
    pub(super) refused: u64,
    pub(super) faults_left: usize,
    pub(super) faults_done: u64,
    pub(super) quiet_sessions: u32,
    pub(super) broken: Option<String>,
    pub(super) events: u64,
    pub(super) trace: Option<Vec<String>>,
}

/// What may happen.
pub(super) enum Event {
    /// The operator hears something, over a link or from itself.
    Operator { run: u64, phase: u64, link: Option<(NodeName, u64)>, input: Input },
    /// A machine's half hears something.
    Agent { node: NodeName, agent: u64, input: NodeInput },
    /// A step ends.
    Performed { node: NodeName, agent: u64, seq: u64 },
    /// A component is asked whether it serves.
    Asked { node: NodeName, agent: u64, seq: u64, until: u64 },
    /// The kubelet looks at its manifests.
    Kubelet { node: NodeName, boot: u64 },
    /// A process tries to start.
    Process { node: NodeName, boot: u64, name: &'static str, id: u64 },
    /// An API server reads its encryption configuration again.
    Reload { node: NodeName, boot: u64, id: u64 },
    /// A machine boots.
    Boot { node: NodeName },
    /// A channel is noticed to be dead.
    Dead { node: NodeName, agent: u64 },
    /// Somebody runs `ringfort up`.
    Up,
    /// Something breaks.
    Fault(Fault),
}

impl World {
    /// The machine whose kubelet makes a node.
    pub(super) fn maker(&mut self) -> Option<&mut Machine> {
        let node = self.store.spec.keys().next()?;
        self.machines.get_mut(node)
    }

    pub(super) fn schedule(&mut self, after: u64, event: Event) {
        self.serial += 1;
        self.queue.insert((self.now + after, self.serial), event);
    }

    pub(super) fn schedule_between(&mut self, from: u64, to: u64, event: Event) {
        let after = self.random.range(from, to);
        self.schedule(after, event);
    }

    pub(super) fn fresh_id(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            let text = text();
            trace.push(format!("{now:>8} ms  {text}"));
        }
    }

    pub(super) fn breaks(&mut self, law: impl FnOnce() -> String) {
        if self.broken.is_none() {
            self.broken = Some(law());
        }
    }

    pub(super) fn bare(random: Random, store: Store, plant: Option<Plant>, traced: bool) -> Self {
        let machines = store
            .spec
            .iter()
            .map(|(node, (role, address))| (node.clone(), Machine::new(*role, *address)))
            .collect();
        Self {
            random,
            now: 0,
            start_s: 1_700_000_000,
            queue: BTreeMap::new(),
            serial: 0,
            machines,
            etcd: Etcd::default(),
            objects: BTreeMap::new(),
            store,
            drafted: None,
            sessions: BTreeMap::new(),
            plant,
            sealed: BTreeSet::new(),
            issued: BTreeMap::new(),
            learner_is_ready: false,
            seed: 0,
            story: None,
            kill: None,
            is_killed: false,
            standstill: None,
            next_doom: None,
            copy: None,
            links_come_back: true,
            refused: 0,
            faults_left: 0,
            faults_done: 0,
            quiet_sessions: 0,
            broken: None,
            events: 0,
            trace: traced.then(Vec::new),
        }
    }

    /// Lives until nothing is left to happen, or a law is broken.
    pub(super) fn run_queue(&mut self) {
        const MOST_EVENTS: u64 = 200_000;
        while let Some(((at, _), event)) = self.queue.pop_first() {
            self.now = at;
            self.events += 1;
            self.happen(event);
            if self.broken.is_some() {
                return;
            }
            if self.events > MOST_EVENTS {
                self.breaks(|| "it never comes to rest".to_owned());
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Operator { run, phase, link, input } => {
                self.tell_operator(run, phase, link, input);
            }
            Event::Agent { node, agent, input } => self.tell_agent(&node, agent, input),
            Event::Performed { node, agent, seq } => self.performed(&node, agent, seq),
            Event::Asked { node, agent, seq, until } => self.asked(&node, agent, seq, until),
            Event::Kubelet { node, boot } => self.kubelet(&node, boot),
            Event::Process { node, boot, name, id } => self.start_process(&node, boot, name, id),
            Event::Reload { node, boot, id } => self.reload(&node, boot, id),
            Event::Boot { node } => self.boot(&node),
            Event::Dead { node, agent } => self.cut(&node, agent, "the channel closed"),
            Event::Up => self.up(),
            Event::Fault(fault) => self.fault(fault),
        }
    }
}
