//! Lets control planes into etcd before their machines are converged: asks all members, does what
//! [`crate::membership`] decides, one change at a time, and asks again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringfort_model::blueprint::Role;
use ringfort_model::etcd::{EtcdAct, Member};
use ringfort_model::item::ItemId;
use ringfort_model::name::NodeName;
use ringfort_model::seen::Seen;
use ringfort_model::step::{Act, Difference, Outcome, Step};

use super::act::pause;
use super::{ETCD, Operator};
use crate::foresight::{Foresight, foresee};
use crate::membership::{self, Data, Next, Standing};
use crate::message::{Effect, Planned, Remark, Remember, Tick};
use crate::mission::Goal;
use crate::refusal::Refusal;

/// How often members that disagree, or a change that fails, are tried again in a row.
const MOST_TRIES: u32 = 5;
/// The control that wants the members of the spec.
const BY: &str = "ha/control-plane";

/// Where the enrolment of control planes stands.
#[derive(Default)]
pub(super) struct Enrolment {
    asked: BTreeSet<NodeName>,
    lists: BTreeMap<NodeName, Option<Vec<Member>>>,
    waits: Waits,
    tries: u32,
}

#[derive(Default)]
enum Waits {
    #[default]
    Nothing,
    Lists,
    Memory(Remember),
    Change(u64, NodeName, Step),
    Pause(Tick),
    /// For nothing more: it was given up.
    Over,
}

impl Enrolment {
    /// Takes a machine's list of members.
    pub(super) fn counted(&mut self, node: NodeName, members: Option<Vec<Member>>) {
        if self.asked.remove(&node) {
            self.lists.insert(node, members);
        }
    }

    /// Takes that a machine cannot be spoken with.
    pub(super) fn lost(&mut self, now: Tick, node: &NodeName) {
        if self.asked.remove(node) {
            self.lists.insert(node.clone(), None);
        }
        if matches!(&self.waits, Waits::Change(_, through, _) if through == node) {
            self.tries += 1;
            self.waits = Waits::Pause(now + pause(self.tries));
        }
    }

    pub(super) fn pause(&self) -> Option<Tick> {
        match self.waits {
            Waits::Pause(until) => Some(until),
            _ => None,
        }
    }
}

impl Operator {
    /// Goes on with the enrolment as far as it can without hearing more.
    pub(super) fn enrol(&mut self, now: Tick, out: &mut Vec<Effect>) {
        match &self.enrolment.waits {
            Waits::Change(..) | Waits::Memory(_) => return,
            Waits::Over => return self.finish(out),
            _ if !self.holds_majority() => return self.finish(out),
            _ if self.report.interrupted => return self.finish(out),
            Waits::Pause(until) if *until > now => return,
            Waits::Lists if !self.enrolment.asked.is_empty() => return,
            Waits::Lists => {}
            Waits::Nothing | Waits::Pause(_) => {
                self.ask_members(out);
                if !self.enrolment.asked.is_empty() {
                    return;
                }
            }
        }
        self.decide_membership(now, out);
    }

    /// Asks every control plane that holds data and can be spoken with.
    fn ask_members(&mut self, out: &mut Vec<Effect>) {
        self.enrolment.lists.clear();
        self.enrolment.waits = Waits::Lists;
        for (node, board) in &self.boards {
            if board.is_up() && board.seen.etcd_data {
                self.enrolment.asked.insert(node.clone());
                out.push(Effect::Members { node: node.clone() });
            }
        }
    }

    fn decide_membership(&mut self, now: Tick, out: &mut Vec<Effect>) {
        let control_planes: BTreeMap<NodeName, IpAddr> = self
            .mission
            .blueprint
            .machines
            .iter()
            .filter(|(_, machine)| machine.role == Role::ControlPlane)
            .map(|(node, machine)| (node.clone(), machine.address))
            .collect();
        let started = &self.mission.circumstances.started;
        let data = self
            .boards
            .iter()
            .filter(|(node, board)| board.is_up() && control_planes.contains_key(*node))
            .map(|(node, board)| (node.clone(), data_of(&board.seen, started.contains(node))))
            .collect();
        let standing = Standing {
            control_planes: &control_planes,
            data: &data,
            lists: &self.enrolment.lists,
            foundings: &self.mission.circumstances.foundings,
            started,
        };
        let next = match self.mission.goal {
            Goal::Foresee => {
                let foresight = foresee(&standing);
                self.plan_membership(foresight, out)
            }
            _ => membership::next(&standing),
        };
        self.follow(now, next, out);
    }

    /// Takes note of what would be done about the membership; gives what is decided at last.
    fn plan_membership(&mut self, foresight: Foresight, out: &mut Vec<Effect>) -> Next {
        let Foresight { changes, remembers, end } = foresight;
        if let Next::Settled { again } = end {
            let planned =
                changes.into_iter().map(|(node, act)| Planned::Machine { node, step: change(act) });
            self.report.changes.extend(planned);
            out.extend(remembers.into_iter().map(Effect::Remember));
            if again {
                self.report.unseen.push(Remark {
                    node: None,
                    what: ItemId::Serving(ETCD.to_owned()).to_string(),
                    by: BY.to_owned(),
                    why: "its membership has to settle before the rest can be foreseen".to_owned(),
                });
            }
        }
        end
    }

    fn follow(&mut self, now: Tick, next: Next, out: &mut Vec<Effect>) {
        match next {
            Next::Settled { again } => {
                self.report.again = again;
                self.finish(out);
            }
            Next::Refuse(refusals) => {
                self.stage = super::Stage::Ended;
                out.push(Effect::Refuse { refusals });
            }
            Next::Disagree if self.enrolment.tries < MOST_TRIES => {
                self.enrolment.tries += 1;
                self.enrolment.waits = Waits::Pause(now + pause(self.enrolment.tries));
            }
            Next::Disagree => {
                self.stage = super::Stage::Ended;
                out.push(Effect::Refuse { refusals: vec![disagreement()] });
            }
            Next::Remember(remember) => {
                self.enrolment.waits = Waits::Memory(remember.clone());
                out.push(Effect::Remember(remember));
            }
            Next::Change { through, act } => {
                let seq = self.take_seq();
                let step = change(act);
                self.enrolment.waits = Waits::Change(seq, through.clone(), step.clone());
                out.push(Effect::Apply { node: through, seq, step });
            }
        }
    }

    /// Takes that something was written down.
    pub(super) fn remembered(&mut self, remember: Remember) {
        if !matches!(&self.enrolment.waits, Waits::Memory(waited) if *waited == remember) {
            return;
        }
        if let Remember::Founding { node, founding } = remember {
            let circumstances = &mut self.mission.circumstances;
            circumstances.started.remove(&node);
            match founding {
                Some(founding) => circumstances.foundings.insert(node, founding),
                None => circumstances.foundings.remove(&node),
            };
        }
        // Nothing changed in etcd meanwhile, so its lists still hold.
        self.enrolment.waits = Waits::Lists;
    }

    /// Takes what came of a change of the membership.
    pub(super) fn enrolled(&mut self, now: Tick, seq: u64, outcome: Outcome) {
        let Waits::Change(awaited, node, step) = &self.enrolment.waits else { return };
        if *awaited != seq {
            return;
        }
        let (node, step) = (node.clone(), step.clone());
        match outcome {
            Outcome::Done(_) => {
                self.report.changes.push(Planned::Machine { node, step });
                self.enrolment.tries = 0;
                self.enrolment.waits = Waits::Nothing;
            }
            Outcome::Failed { why } if self.enrolment.tries >= MOST_TRIES => {
                let why = self.with_the_silent(why);
                self.fail(&node, &step.item, &step.by, &why);
                self.enrolment.waits = Waits::Over;
            }
            _ => {
                self.enrolment.tries += 1;
                self.enrolment.waits = Waits::Pause(now + pause(self.enrolment.tries));
            }
        }
    }
}

impl Operator {
    /// Adds whom no member hears, since etcd changes nothing until they speak, and does not name them.
    fn with_the_silent(&self, why: String) -> String {
        let machines = &self.mission.blueprint.machines;
        let places = || machines.iter().map(|(node, machine)| (node, machine.address));
        let members = membership::agreed_members(&self.enrolment.lists);
        let silent = members.iter().filter(|member| member.unheard);
        let silent: Vec<&str> = silent
            .filter_map(|it| membership::node_of(it, places()))
            .map(NodeName::as_str)
            .collect();
        match silent.as_slice() {
            [] => why,
            silent => format!(
                "{why}: no member of etcd hears {}; start it again, or exchange it for another machine in \
                 cluster.yaml",
                silent.join(", ")
            ),
        }
    }
}

/// Makes the step of a change of the membership.
fn change(act: EtcdAct) -> Step {
    Step {
        item: ItemId::Serving(ETCD.to_owned()),
        by: BY.to_owned(),
        because: Difference::Content,
        act: Act::Etcd(act),
    }
}

/// A machine that ringfort has worked on and whose etcd never answered has not begun yet.
fn data_of(seen: &Seen, was_started: bool) -> Data {
    match seen.etcd_data {
        true => Data::Held,
        false if was_started || seen.cluster.is_none() => Data::Lost,
        false => Data::NotYet,
    }
}

fn disagreement() -> Refusal {
    Refusal {
        node: None,
        what: "members of etcd name different members".to_owned(),
        help: "find out with `etcdctl member list` on each control plane which of them was cut off, and reset that one".to_owned(),
    }
}
