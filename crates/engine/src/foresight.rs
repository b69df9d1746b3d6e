//! Foresees how etcd's membership follows the spec in all rounds of a run, without changing it: what
//! [`crate::membership`] decides is thought to be done, until nothing more is decided.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringfort_model::etcd::{EtcdAct, Founding, Member};
use ringfort_model::name::NodeName;

use crate::membership::{Data, Next, Standing, next, node_of};
use crate::message::Remember;

/// What a run would do about the membership.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Foresight {
    /// The changes, each with the machine whose member is asked. A member that is not announced yet
    /// bears its machine's name for an id.
    pub(crate) changes: Vec<(NodeName, EtcdAct)>,
    /// What would be written down.
    pub(crate) remembers: Vec<Remember>,
    /// What is decided at last. `Settled` with `again` says that no more could be foreseen.
    pub(crate) end: Next,
}

/// No membership takes as many decisions.
const MOST_TURNS: usize = 200;

/// Foresees what a run would do. Learners that are there already get their votes unmentioned: the
/// plan of their machines tells of that.
pub(crate) fn foresee(standing: &Standing<'_>) -> Foresight {
    let mut future = Future {
        control_planes: standing.control_planes,
        data: standing.data.clone(),
        lists: standing.lists.clone(),
        foundings: standing.foundings.clone(),
        started: standing.started.clone(),
    };
    let mut foresight = Foresight {
        changes: Vec::new(),
        remembers: Vec::new(),
        end: Next::Settled { again: true },
    };
    for _ in 0..MOST_TURNS {
        let decided = next(&future.standing());
        match &decided {
            Next::Remember(remember) => {
                future.remember(remember);
                foresight.remembers.push(remember.clone());
            }
            Next::Change { through, act } => {
                future.change(act);
                foresight.changes.push((through.clone(), act.clone()));
            }
            Next::Settled { again } => {
                let promoted = future.converge();
                let goes_on = *again && !promoted.is_empty();
                foresight.changes.extend(promoted.into_iter().filter(
                    |(node, act)| matches!(act, EtcdAct::Promote { id } if id == node.as_str()),
                ));
                if !goes_on {
                    foresight.end = decided;
                    return foresight;
                }
            }
            Next::Disagree | Next::Refuse(_) => {
                foresight.end = decided;
                return foresight;
            }
        }
    }
    foresight
}

/// What would be known of etcd by then.
struct Future<'a> {
    control_planes: &'a BTreeMap<NodeName, IpAddr>,
    data: BTreeMap<NodeName, Data>,
    lists: BTreeMap<NodeName, Option<Vec<Member>>>,
    foundings: BTreeMap<NodeName, Founding>,
    started: BTreeSet<NodeName>,
}

impl Future<'_> {
    fn standing(&self) -> Standing<'_> {
        Standing {
            control_planes: self.control_planes,
            data: &self.data,
            lists: &self.lists,
            foundings: &self.foundings,
            started: &self.started,
        }
    }

    fn remember(&mut self, remember: &Remember) {
        match remember {
            Remember::Started { node } => drop(self.started.insert(node.clone())),
            Remember::Founding { node, founding } => {
                self.started.remove(node);
                match founding {
                    Some(founding) => self.foundings.insert(node.clone(), founding.clone()),
                    None => self.foundings.remove(node),
                };
            }
        }
    }

    fn change(&mut self, act: &EtcdAct) {
        for list in self.lists.values_mut().flatten() {
            match act {
                EtcdAct::Remove { id } => list.retain(|member| member.id != *id),
                EtcdAct::AddLearner { node, peer_url } => list.push(Member {
                    id: node.to_string(),
                    name: String::new(),
                    peer_urls: vec![peer_url.clone()],
                    learner: true,
                    unheard: false,
                }),
                EtcdAct::Promote { id } => {
                    let promoted = list.iter_mut().filter(|member| member.id == *id);
                    promoted.for_each(|member| member.learner = false);
                }
            }
        }
    }

    /// Has every member start whose machine can be spoken with; gives the learners among them, which
    /// get their votes.
    fn converge(&mut self) -> Vec<(NodeName, EtcdAct)> {
        let Some(mut members) = self.lists.values().flatten().next().cloned() else {
            return Vec::new();
        };
        let mut promoted = Vec::new();
        for member in &mut members {
            let places = self.control_planes.iter().map(|(node, address)| (node, *address));
            let Some(node) = node_of(member, places).filter(|node| self.data.contains_key(*node))
            else {
                continue;
            };
            if std::mem::replace(&mut member.learner, false) {
                promoted.push((node.clone(), EtcdAct::Promote { id: member.id.clone() }));
            }
            member.name = node.to_string();
            self.data.insert(node.clone(), Data::Held);
            self.started.insert(node.clone());
            self.lists.insert(node.clone(), None);
        }
        let answering = self
            .lists
            .iter_mut()
            .filter(|(node, list)| list.is_some() || self.started.contains(*node));
        answering.for_each(|(_, list)| *list = Some(members.clone()));
        promoted
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    use ringfort_model::etcd::{Founding, FoundingState, Member};
    use ringfort_model::name::NodeName;

    use super::{Data, Next, Standing, foresee};
    use crate::membership::peer_url;

    fn node(number: u8) -> NodeName {
        NodeName::new(format!("cp{number}")).unwrap()
    }

    fn address(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    fn member(number: u8) -> Member {
        Member {
            id: number.to_string(),
            name: node(number).to_string(),
            peer_urls: vec![peer_url(address(number))],
            learner: false,
            unheard: false,
        }
    }

    /// Foresees for the control planes `planes` of the spec, where `lost` have no data and members
    /// 1 to 3 answer as far as they have.
    fn check(planes: &[u8], lost: &[u8], expected: &[&str], end: &Next) {
        let control_planes = planes.iter().map(|n| (node(*n), address(*n))).collect();
        let data_of = |n: &u8| if lost.contains(n) { Data::Lost } else { Data::Held };
        let answering = |n: &&u8| data_of(n) == Data::Held;
        let members: Vec<Member> = [1, 2, 3].map(member).into();
        let founding = Founding {
            state: FoundingState::New,
            members: [1, 2, 3].map(|n| (node(n), peer_url(address(n)))).into(),
        };
        let foresight = foresee(&Standing {
            control_planes: &control_planes,
            data: &planes.iter().map(|n| (node(*n), data_of(n))).collect(),
            lists: &planes
                .iter()
                .filter(answering)
                .map(|n| (node(*n), Some(members.clone())))
                .collect::<BTreeMap<_, _>>(),
            foundings: &[1, 2, 3].map(|n| (node(n), founding.clone())).into(),
            started: &[1, 2, 3].map(node).into(),
        });
        let said: Vec<String> =
            foresight.changes.iter().map(|(at, act)| format!("{at}: {act}")).collect();
        assert_eq!(
            (said, &foresight.end),
            (expected.iter().map(ToString::to_string).collect(), end)
        );
    }

    #[test]
    fn what_is_settled_stays() {
        check(&[1, 2, 3], &[], &[], &Next::Settled { again: false });
    }

    #[test]
    fn an_exchange_is_foreseen_to_its_end() {
        let expected = [
            "cp1: cp4 joins as a learner",
            "cp4: member cp4 gets its vote",
            "cp1: member 3 leaves",
        ];
        check(&[1, 2, 4], &[4], &expected, &Next::Settled { again: false });
        let both = [
            "cp1: cp4 joins as a learner",
            "cp4: member cp4 gets its vote",
            "cp1: cp5 joins as a learner",
            "cp5: member cp5 gets its vote",
        ];
        check(&[1, 2, 3, 4, 5], &[4, 5], &both, &Next::Settled { again: false });
    }

    #[test]
    fn a_member_that_lost_its_data_leaves_and_joins_anew() {
        let expected = [
            "cp1: member 3 leaves",
            "cp1: cp3 joins as a learner",
            "cp3: member cp3 gets its vote",
        ];
        check(&[1, 2, 3], &[3], &expected, &Next::Settled { again: false });
    }
}
