//! The operator's half: looks at all machines, refuses or plans or acts, and ends with a report.
//!
//! Whatever may go at once goes at once: independent machines, independent items. Order comes from
//! declared needs, from rolling groups and from nothing else.

mod act;
mod board;
mod enrol;
mod objects;
mod plan;
mod promote;
mod report;
mod rolling;
mod wanting;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ringfort_model::api_object::{ApiObject, Presence};
use ringfort_model::blueprint::{Machine, Role};
use ringfort_model::etcd::Member;
use ringfort_model::item::ItemId;
use ringfort_model::name::NodeName;
use ringfort_model::seen::Seen;

use crate::message::{Effect, Input, Remember, Report, Tick};
use crate::mission::{Goal, Mission};
use crate::refusal::{doubts, refusals};

use board::{Board, Link};
use enrol::Enrolment;
use objects::Objects;
use promote::Promotions;
use rolling::Groups;
use wanting::leftovers;

/// The component whose data is the cluster.
const ETCD: &str = "etcd";
/// The component that objects are applied through.
const API_SERVER: &str = "kube-apiserver";

/// The operator's half of one run.
pub struct Operator {
    mission: Mission,
    stage: Stage,
    boards: BTreeMap<NodeName, Board>,
    groups: Groups,
    promotions: Promotions,
    objects: Objects,
    enrolment: Enrolment,
    report: Report,
    /// The machine that was asked for etcd's members.
    counting: Option<NodeName>,
    next_seq: u64,
    wakes_at: Option<Tick>,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// It was not started.
    New,
    /// Machines are being looked at.
    Looking,
    /// Etcd's members are being asked for.
    Counting,
    /// Control planes are let into etcd.
    Enrolling,
    /// Objects are being looked at for a plan.
    Planning,
    /// Steps are taken.
    Acting,
    /// It is over; nothing is heard any more.
    Ended,
}

impl Operator {
    /// Prepares a run.
    pub fn new(mission: Mission) -> Self {
        let keeps_items = matches!(mission.goal, Goal::Converge | Goal::Prepare | Goal::Plan);
        let board = |machine: &Machine| match keeps_items {
            true => Board::new(&machine.items),
            false => Board::new(&BTreeMap::new()),
        };
        let boards =
            mission.blueprint.machines.iter().map(|(node, m)| (node.clone(), board(m))).collect();
        let awaited = |object: &ApiObject| object.presence != Presence::Made;
        let all = mission.blueprint.objects.iter().filter(|_| keeps_items);
        let objects = Objects::new(all.map(awaited).collect(), mission.goal != Goal::Plan);
        Self {
            mission,
            stage: Stage::New,
            boards,
            groups: Groups::default(),
            promotions: Promotions::default(),
            objects,
            enrolment: Enrolment::default(),
            report: Report::default(),
            counting: None,
            next_seq: 1,
            wakes_at: None,
        }
    }

    /// Takes an input and says what is to be done about it.
    pub fn on(&mut self, now: Tick, input: Input, out: &mut Vec<Effect>) {
        if self.stage == Stage::Ended {
            return;
        }
        match input {
            Input::Start => self.start(out),
            Input::Observed { node, seen } => self.observed(now, &node, seen, out),
            Input::Unreachable { node, why } => self.unreachable(now, &node, why),
            Input::Applied { seq, outcome, .. } if self.stage == Stage::Enrolling => {
                self.enrolled(now, seq, outcome);
            }
            Input::Applied { node, seq, outcome } => self.applied(now, &node, seq, outcome, out),
            Input::Signed { node, seq, result } => self.signed(now, &node, seq, result, out),
            Input::Members { node, members } => self.members(now, node, members),
            Input::ObjectLooked { index, seen } => self.objects.looked(now, index, seen),
            Input::ObjectApplied { index, result } => {
                if let Some(because) = self.objects.applied(now, index, result) {
                    self.note_object(index, because);
                }
            }
            Input::Remembered(remember) => self.remembered(remember),
            Input::Woke => self.wakes_at = None,
            Input::Interrupted => self.report.interrupted = true,
        }
        self.go_on(now, out);
    }

    /// Gives what is there now on a machine, as far as this run has found.
    pub fn seen(&self, node: &NodeName) -> Option<&Seen> {
        self.boards.get(node).filter(|board| board.is_up()).map(|board| &board.seen)
    }

    fn start(&mut self, out: &mut Vec<Effect>) {
        self.stage = Stage::Looking;
        for (node, board) in &self.boards {
            out.push(Effect::Observe { node: node.clone(), looks: board.looks() });
        }
    }

    fn observed(&mut self, now: Tick, node: &NodeName, seen: Seen, out: &mut Vec<Effect>) {
        let leftovers = self.leftovers_of(node, &seen);
        let Some(board) = self.boards.get_mut(node) else { return };
        if board.link != Link::Asked {
            self.looked_again(now, node, seen);
            return;
        }
        board.begin(seen, leftovers);
        if self.stage == Stage::Acting {
            let board = &self.boards[node];
            self.groups.note(board);
            let one = BTreeMap::from([(node.clone(), board.seen.clone())]);
            let found = refusals(&self.mission.blueprint, &one, &self.mission.circumstances);
            if !found.is_empty() {
                self.stage = Stage::Ended;
                out.push(Effect::Refuse { refusals: found });
            }
        }
    }

    fn leftovers_of(&self, node: &NodeName, seen: &Seen) -> Vec<ItemId> {
        let Some(machine) = self.mission.blueprint.machines.get(node) else { return Vec::new() };
        match self.mission.goal {
            Goal::Prepare | Goal::Membership | Goal::Foresee => Vec::new(),
            Goal::Converge | Goal::Plan => leftovers(&seen.owned, machine, wanting::Keep::Wanted),
            Goal::Reset => leftovers(&seen.owned, machine, wanting::Keep::Nothing),
        }
    }

    /// Goes as far as it can without hearing more.
    fn go_on(&mut self, now: Tick, out: &mut Vec<Effect>) {
        self.rouse(now, out);
        if self.report.interrupted && matches!(self.stage, Stage::Looking | Stage::Planning) {
            self.finish(out);
        }
        if self.stage == Stage::Looking && self.has_looked() {
            self.decide(out);
        }
        match self.stage {
            Stage::Acting => {
                self.act(now, out);
                self.note_started(out);
                self.end_if_idle(out);
            }
            Stage::Planning => self.plan_objects(out),
            Stage::Enrolling => self.enrol(now, out),
            _ => {}
        }
        self.arm(out);
    }

    fn has_looked(&self) -> bool {
        self.boards.values().all(|board| matches!(board.link, Link::Up | Link::Lost(_)))
    }

    /// Everything was looked at: refuses, or goes on towards the goal.
    fn decide(&mut self, out: &mut Vec<Effect>) {
        let up = self.boards.iter_mut().filter(|(_, board)| board.is_up());
        let seen: BTreeMap<NodeName, Seen> =
            up.map(|(node, board)| (node.clone(), std::mem::take(&mut board.seen))).collect();
        let found = match self.mission.goal {
            goal @ Goal::Reset => {
                doubts(goal, &self.mission.blueprint, &seen, &self.mission.circumstances)
            }
            _ => refusals(&self.mission.blueprint, &seen, &self.mission.circumstances),
        };
        for (node, seen) in seen {
            if let Some(board) = self.boards.get_mut(&node) {
                board.seen = seen;
            }
        }
        if !found.is_empty() {
            self.stage = Stage::Ended;
            out.push(Effect::Refuse { refusals: found });
            return;
        }
        self.groups.begin(&self.boards, &self.mission.circumstances.unannounced);
        match self.mission.goal {
            Goal::Membership | Goal::Foresee => self.stage = Stage::Enrolling,
            Goal::Prepare | Goal::Reset => self.stage = Stage::Acting,
            Goal::Converge | Goal::Plan => self.count(out),
        }
    }

    /// Asks a member that serves for the others, since a learner among them has to be promoted.
    fn count(&mut self, out: &mut Vec<Effect>) {
        let serving = self.boards.iter().find(|(_, board)| board.is_up() && board.answers(ETCD));
        match serving {
            Some((node, _)) if !self.report.interrupted => {
                self.stage = Stage::Counting;
                self.counting = Some(node.clone());
                out.push(Effect::Members { node: node.clone() });
            }
            _ => self.counted(&[]),
        }
    }

    fn members(&mut self, now: Tick, node: NodeName, members: Option<Vec<Member>>) {
        match self.stage {
            Stage::Counting => self.counted(&members.unwrap_or_default()),
            Stage::Enrolling => self.enrolment.counted(node, members),
            Stage::Acting => self.promotions.recounted(now, members.as_deref()),
            _ => {}
        }
    }

    fn counted(&mut self, members: &[Member]) {
        self.promotions.begin(members, &self.mission.blueprint);
        self.stage = match self.mission.goal {
            Goal::Plan => Stage::Planning,
            _ => Stage::Acting,
        };
    }

    /// Once its etcd has answered, a machine without data is one that lost it.
    fn note_started(&mut self, out: &mut Vec<Effect>) {
        for (node, board) in &self.boards {
            if board.serves(ETCD) && !self.mission.circumstances.started.contains(node) {
                self.mission.circumstances.started.insert(node.clone());
                out.push(Effect::Remember(Remember::Started { node: node.clone() }));
            }
        }
    }

    /// Asks to be woken when the next pause is over.
    fn arm(&mut self, out: &mut Vec<Effect>) {
        if self.stage == Stage::Ended {
            return;
        }
        let pauses = self.boards.values().flat_map(Board::pauses);
        let next = pauses
            .chain(self.objects.pauses())
            .chain(self.promotions.pause())
            .chain(self.enrolment.pause())
            .min();
        if let Some(at) = next
            && self.wakes_at.is_none_or(|armed| armed > at)
        {
            self.wakes_at = Some(at);
            out.push(Effect::Wake { at });
        }
    }

    /// Says whether this run holds most control planes: no two runs can, so no two act.
    fn holds_majority(&self) -> bool {
        let machines = &self.mission.blueprint.machines;
        let planes = machines.iter().filter(|(_, machine)| machine.role == Role::ControlPlane);
        let (mut all, mut held) = (0, 0);
        for (node, _) in planes {
            all += 1;
            held += usize::from(self.boards.get(node).is_some_and(Board::is_up));
        }
        all == 0 || held > all / 2 || self.mission.goal == Goal::Reset
    }

    fn take_seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq - 1
    }
}
