//! Worlds in which one certain thing happens to a cluster that stands, so that a test can say what
//! must come of it, and kill whoever works on it at every step.

use std::collections::BTreeMap;

use ringfort_model::blueprint::Role;
use ringfort_model::name::NodeName;

use super::Plant;
use super::faults::place;
use super::machine::{Doom, Machine, Thing};
use super::random::Random;
use super::store::Store;
use super::world::{Event, World};

/// What happens to a cluster that stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Story {
    /// Nothing more than that it is made.
    Founding,
    /// Two control planes join the only one.
    Joining,
    /// One of four control planes leaves.
    Leaving,
    /// One of three control planes leaves while another one's etcd is down for some time.
    Shrinking,
    /// One of three control planes makes room for another.
    Replacing,
    /// One of three control planes is dead for good, and another takes its place.
    Burying,
    /// One control plane is set up anew.
    Rejoining,
    /// Two control planes of five are set up anew at once.
    LosingTwo,
    /// All control planes lose everything.
    LosingAll,
    /// The keyring is lost, or another one is in its place, and comes back later.
    LosingKeyring,
    /// The key that seals is replaced.
    Rotating,
    /// Everything is taken from all machines, and then they become a cluster again.
    Resetting,
}

impl Story {
    /// Every story.
    pub const ALL: [Self; 12] = [
        Self::Founding,
        Self::Joining,
        Self::Leaving,
        Self::Shrinking,
        Self::Replacing,
        Self::Burying,
        Self::Rejoining,
        Self::LosingTwo,
        Self::LosingAll,
        Self::LosingKeyring,
        Self::Rotating,
        Self::Resetting,
    ];

    fn planes(self) -> u8 {
        match self {
            Self::Joining => 1,
            Self::Leaving => 4,
            Self::LosingTwo => 5,
            _ => 3,
        }
    }

    /// How many machines there are at most; as many can be killed.
    pub fn machines(self) -> usize {
        let joiners = match self {
            Self::Joining => 2,
            Self::Replacing | Self::Burying => 1,
            _ => 0,
        };
        usize::from(self.planes()) + joiners + 1
    }
}

/// Who is killed, and after how many of its effects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Kill {
    /// Who.
    pub victim: Victim,
    /// After how many effects.
    pub after: u32,
}

/// Who is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Victim {
    /// The operator's process.
    Operator,
    /// The process on a machine.
    Agent(usize),
    /// A machine, by a power loss.
    Power(usize),
}

impl Victim {
    /// Lists everybody who can be killed in a story.
    pub fn of(story: Story) -> impl Iterator<Item = Self> {
        let machines = || 0..story.machines();
        let agents = machines().map(Self::Agent);
        std::iter::once(Self::Operator).chain(agents).chain(machines().map(Self::Power))
    }
}

/// What must come of every run for a while: a refusal, and nothing else.
pub(super) struct Standstill {
    runs_left: u32,
    before: BTreeMap<NodeName, Holding>,
    /// The operator's state that is put back afterwards; `None` if nothing can help.
    puts_back: Option<Box<Store>>,
}

type Holding = (BTreeMap<ringfort_model::item::ItemId, Thing>, Option<u64>);

impl World {
    /// Makes the world of a story.
    pub(super) fn telling(
        story: Story,
        seed: u64,
        kill: Option<Kill>,
        plant: Option<Plant>,
        is_traced: bool,
    ) -> Self {
        let planes = (1..=story.planes()).map(|number| place(Role::ControlPlane, number));
        let spec = planes.chain([place(Role::Worker, 1)]).collect();
        let mut world = Self::bare(Random::new(seed), Store::new(spec), plant, is_traced);
        world.seed = seed;
        // Nobody else stands between the engine and the loss of the quorum.
        world.etcd.is_strict = false;
        world.kill = kill;
        if story == Story::Founding {
            world.arm();
        } else {
            world.story = Some(story);
            world.faults_left = 1;
        }
        world.schedule(0, Event::Up);
        world
    }

    /// Goes on with the story once the cluster stands.
    pub(super) fn turn_story(&mut self) {
        let Some(story) = self.story.take() else { return };
        let plane = |number: u8| place(Role::ControlPlane, number);
        match story {
            Story::Founding => {}
            Story::Joining => [2, 3].map(plane).into_iter().for_each(|(node, here)| {
                self.store.spec.insert(node.clone(), here);
                self.machines.insert(node, Machine::new(here.0, here.1));
            }),
            Story::Leaving => self.leave(&plane(4).0),
            Story::Shrinking => {
                self.ail(&plane(2).0);
                self.leave(&plane(3).0);
            }
            Story::Replacing => {
                let (new, here) = plane(4);
                self.swap(&plane(3).0, new, here);
            }
            Story::Burying => {
                let (new, here) = plane(4);
                self.swap(&plane(3).0, new, here);
                self.store.leaving.clear();
                self.machines.remove(&plane(3).0);
            }
            Story::Rejoining => {
                let number = 1 + u8::try_from(self.seed % 3).unwrap_or(0);
                self.wipe_machine(&plane(number).0);
            }
            Story::LosingTwo => [2, 4].map(plane).iter().for_each(|(node, _)| {
                self.wipe_machine(node);
            }),
            Story::LosingAll => {
                [1, 2, 3].map(plane).iter().for_each(|(node, _)| self.wipe_machine(node));
                self.stand_still(None);
            }
            Story::LosingKeyring => self.lose_keyring(),
            Story::Rotating => self.rotate(),
            Story::Resetting => self.store.resets = true,
        }
        self.arm();
    }

    fn arm(&mut self) {
        let Some(Kill { victim, after }) = self.kill.take() else { return };
        let nth = |world: &Self, number| world.machines.keys().nth(number).cloned();
        let (number, doom) = match victim {
            Victim::Operator => {
                self.next_doom = Some(after);
                return;
            }
            Victim::Agent(number) => (number, Doom::Agent),
            Victim::Power(number) => (number, Doom::Power),
        };
        if let Some(machine) = nth(self, number).and_then(|node| self.machines.get_mut(&node)) {
            machine.doom = Some((after, doom));
        }
    }

    fn leave(&mut self, node: &NodeName) {
        if let Some(left) = self.store.spec.remove(node) {
            self.store.leaving.insert(node.clone(), left);
        }
    }

    /// The keyring, the trust facts, or both are not those of the cluster.
    fn lose_keyring(&mut self) {
        let right = self.store.clone();
        let [other_keys, other_authority, no_facts] =
            [(1, [true, false, false]), (2, [false, true, false]), (3, [true, true, false])]
                .into_iter()
                .chain([(4, [true, false, true]), (5, [false, true, true])])
                .find(|(number, _)| *number == self.seed % 5 + 1)
                .map_or([true; 3], |(_, parts)| parts);
        self.store.named = Some(right.encryption.iter().cloned().collect());
        if other_keys {
            self.store.encryption = vec!["other".to_owned()];
        }
        if other_authority {
            self.store.authorities = "other";
        }
        if no_facts {
            self.store.lose_facts();
        }
        self.stand_still(Some(right));
    }

    fn stand_still(&mut self, puts_back: Option<Store>) {
        let before = self.holdings();
        let puts_back = puts_back.map(Box::new);
        self.standstill = Some(Standstill { runs_left: 3, before, puts_back });
    }

    fn holdings(&self) -> BTreeMap<NodeName, Holding> {
        let holding = |(node, machine): (&NodeName, &Machine)| {
            (node.clone(), (machine.things.clone(), machine.member))
        };
        self.machines.iter().map(holding).collect()
    }

    /// Says whether the world goes on after a run that had to be refused.
    pub(super) fn must_stand_still(&mut self, result: Result<(), &str>) -> bool {
        let Some(mut standstill) = self.standstill.take() else { return true };
        if result.is_ok() {
            self.breaks(|| "a run went on where it had to be refused".to_owned());
        } else if self.holdings() != standstill.before {
            self.breaks(|| "a run changed something and was refused".to_owned());
        }
        standstill.runs_left = standstill.runs_left.saturating_sub(1);
        if standstill.runs_left > 0 {
            self.standstill = Some(standstill);
            return true;
        }
        let Some(right) = standstill.puts_back else { return false };
        let epoch = self.store.epoch;
        self.store = Store { epoch, ..*right };
        self.note(|| "-- the operator's state is put back".to_owned());
        true
    }

    /// A machine's etcd ends and does not come up again for some time.
    pub(super) fn ail(&mut self, node: &NodeName) {
        let (id, now) = (self.fresh_id(), self.now);
        let Some(machine) = self.machines.get_mut(node) else { return };
        machine.ails_until = now + 150_000;
        let boot = machine.boot;
        if let Some(process) = machine.processes.get_mut("etcd") {
            (process.id, process.is_running) = (id, false);
        }
        let node = node.clone();
        self.schedule(1_000, Event::Process { node, boot, name: "etcd", id });
    }
}
