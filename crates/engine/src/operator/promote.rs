//! Gives learners of etcd their vote as soon as they have caught up.
//!
//! etcd answers "can only promote a learner member which is in sync with leader" for a second or
//! two after the learner started, so a refused promotion is tried again.

use std::collections::BTreeMap;

use ringfort_model::blueprint::Blueprint;
use ringfort_model::etcd::{EtcdAct, Member};
use ringfort_model::item::ItemId;
use ringfort_model::name::NodeName;
use ringfort_model::step::{Act, Difference, Step};

use super::board::{Board, Flight, Kind, Standing, Subject};
use super::{ETCD, Operator};
use crate::membership::node_of;
use crate::message::{Effect, Tick};

/// Pause between two tries, in milliseconds.
const PAUSE: Tick = 500;
/// How long a promotion is tried for, in milliseconds.
const PATIENCE: Tick = 180_000;

/// Learners that wait for their vote.
#[derive(Default)]
pub(super) struct Promotions {
    learners: BTreeMap<String, Learner>,
}

struct Learner {
    node: NodeName,
    since: Option<Tick>,
    tries: usize,
    state: State,
}

enum State {
    Open,
    /// Members are being asked for, since nobody knows what came of the last try.
    Asking,
    Moving,
    Pausing(Tick),
    /// To be tried again, if it still needs to be.
    Retry,
    Failed,
}

impl Promotions {
    /// Takes note of the learners among the members.
    pub(super) fn begin(&mut self, members: &[Member], blueprint: &Blueprint) {
        let places = || blueprint.machines.iter().map(|(node, m)| (node, m.address));
        for member in members.iter().filter(|member| member.learner) {
            if let Some(node) = node_of(member, places()) {
                let learner =
                    Learner { node: node.clone(), since: None, tries: 0, state: State::Open };
                self.learners.insert(member.id.clone(), learner);
            }
        }
    }

    /// Lists the learners that are waiting, by member id.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&String, &NodeName)> {
        self.learners.iter().map(|(id, learner)| (id, &learner.node))
    }

    /// Takes note that a learner has its vote; gives its machine.
    pub(super) fn done(&mut self, id: &str) -> Option<NodeName> {
        self.learners.remove(id).map(|learner| learner.node)
    }

    /// Takes note that a promotion was refused; gives the reason back once patience is over.
    pub(super) fn failed(&mut self, now: Tick, id: &str, why: &str) -> Option<String> {
        let learner = self.learners.get_mut(id)?;
        if now.saturating_sub(*learner.since.get_or_insert(now)) > PATIENCE {
            learner.state = State::Failed;
            return Some(why.to_owned());
        }
        learner.state = State::Pausing(now + PAUSE);
        None
    }

    /// Takes the members as they are after a try: who votes by now needs no promotion.
    pub(super) fn recounted(&mut self, now: Tick, members: Option<&[Member]>) {
        let Some(members) = members else { return self.unasked(now) };
        let still = |id: &str| members.iter().any(|member| member.learner && member.id == id);
        self.learners.retain(|id, learner| !matches!(learner.state, State::Asking) || still(id));
        for learner in self.learners.values_mut() {
            if matches!(learner.state, State::Asking) {
                learner.state = State::Open;
            }
        }
    }

    /// Takes that the machine that was asked for members does not know them.
    pub(super) fn unasked(&mut self, now: Tick) {
        for learner in self.learners.values_mut() {
            if matches!(learner.state, State::Asking) {
                let began = *learner.since.get_or_insert(now);
                learner.state = match now.saturating_sub(began) > PATIENCE {
                    true => State::Failed,
                    false => State::Pausing(now + PAUSE),
                };
            }
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        let moves = |learner: &Learner| {
            matches!(learner.state, State::Moving | State::Asking | State::Pausing(_))
        };
        !self.learners.values().any(moves)
    }

    pub(super) fn pause(&self) -> Option<Tick> {
        let until = |learner: &Learner| match learner.state {
            State::Pausing(until) => Some(until),
            _ => None,
        };
        self.learners.values().filter_map(until).min()
    }

    /// Ends the pauses that are over.
    pub(super) fn rouse(&mut self, now: Tick) {
        for learner in self.learners.values_mut() {
            if matches!(learner.state, State::Pausing(until) if until <= now) {
                learner.state = State::Retry;
            }
        }
    }
}

/// Makes the step that promotes a learner.
pub(super) fn promotion(id: &str) -> Step {
    Step {
        item: ItemId::Serving(ETCD.to_owned()),
        by: "ha/control-plane".to_owned(),
        because: Difference::Missing,
        act: Act::Etcd(EtcdAct::Promote { id: id.to_owned() }),
    }
}

impl Operator {
    /// Promotes every learner whose etcd was started, through a member that answers.
    pub(super) fn promote(&mut self, out: &mut Vec<Effect>) {
        for (id, learner) in &mut self.promotions.learners {
            let is_retry = match learner.state {
                State::Open => false,
                State::Retry => true,
                _ => continue,
            };
            if !is_started(&self.boards, &learner.node) {
                continue;
            }
            let votes = |(node, board): &(&NodeName, &mut Board)| {
                **node != learner.node && board.is_up() && board.answers(ETCD)
            };
            let voters = self.boards.iter_mut().filter(votes).count();
            // Each time another one, since what was seen of them may be over.
            let turn = learner.tries % voters.max(1);
            learner.tries += 1;
            let Some((node, board)) = self.boards.iter_mut().filter(votes).nth(turn) else {
                continue;
            };
            if is_retry {
                learner.state = State::Asking;
                out.push(Effect::Members { node: node.clone() });
                continue;
            }
            let (seq, step) = (self.next_seq, promotion(id));
            self.next_seq += 1;
            learner.state = State::Moving;
            let (subject, kind) = (Subject::Learner(id.clone()), Kind::Change(step.clone()));
            board.flights.insert(seq, Flight { subject, kind });
            out.push(Effect::Apply { node: node.clone(), seq, step });
        }
    }
}

fn is_started(boards: &BTreeMap<NodeName, Board>, node: &NodeName) -> bool {
    let Some(board) = boards.get(node).filter(|board| board.is_up()) else { return false };
    let Some(place) = board.place(&ItemId::Serving(ETCD.to_owned())) else { return false };
    board.items[place].standing == Standing::Right || board.has_its_needs(place)
}
