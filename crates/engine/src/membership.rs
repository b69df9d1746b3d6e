//! Decides how etcd's membership follows the spec: one change at a time, never at the cost of the
//! quorum, and never a member that begins with a cluster which is there already.
//!
//! A member that lost its data cannot come back under its old id: it is taken out, announced anew
//! as a learner, started with state `existing`, and promoted once it has caught up.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringfort_model::etcd::{EtcdAct, Founding, FoundingState, Member};
use ringfort_model::name::NodeName;
use ringfort_model::reach::{ETCD_PEER_PORT, member_url};

use crate::message::Remember;
use crate::refusal::Refusal;

/// What is known of etcd and of the machines it should run on.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The control planes of the spec.
    pub control_planes: &'a BTreeMap<NodeName, IpAddr>,
    /// What of etcd's data a machine holds; machines that cannot be spoken with are absent.
    pub data: &'a BTreeMap<NodeName, Data>,
    /// What each machine that was asked says of the members; `None` where etcd does not answer.
    pub lists: &'a BTreeMap<NodeName, Option<Vec<Member>>>,
    /// How the data of each member began, as far as it is remembered.
    pub foundings: &'a BTreeMap<NodeName, Founding>,
    /// Machines whose etcd was seen to answer since their founding was written down.
    pub started: &'a BTreeSet<NodeName>,
}

/// What of etcd's data a machine holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Data {
    /// A member's data.
    Held,
    /// None, and its member has not started yet.
    NotYet,
    /// None, though its member may have started: the machine was wiped, or is a new one.
    Lost,
}

/// What is to be done about the membership.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// Nothing: each machine that has a founding may run etcd.
    Settled {
        /// Whether control planes are left that have to join later.
        again: bool,
    },
    /// To write down how a member begins, before it does.
    Remember(Remember),
    /// To change the membership, and to look again.
    Change {
        /// The machine whose member is asked.
        through: NodeName,
        /// The change.
        act: EtcdAct,
    },
    /// Members tell different things; to look again, and to refuse if it lasts.
    Disagree,
    /// To go no further.
    Refuse(Vec<Refusal>),
}

/// Says where a machine's member is reached by the others.
pub fn peer_url(address: IpAddr) -> String {
    member_url(address, ETCD_PEER_PORT)
}

/// Finds the machine that a member belongs to, by its address.
pub fn node_of<'a>(
    member: &Member,
    mut places: impl Iterator<Item = (&'a NodeName, IpAddr)>,
) -> Option<&'a NodeName> {
    places.find(|(_, address)| member.peer_urls.contains(&peer_url(*address))).map(|(node, _)| node)
}

/// Says what to do next.
pub fn next(standing: &Standing<'_>) -> Next {
    match agreed(standing.lists) {
        None => without_etcd(standing),
        Some(Err(Disagreement)) => Next::Disagree,
        Some(Ok(members)) => with_etcd(standing, &members),
    }
}

/// What all members that answer say; none where they disagree, or none answers.
pub fn agreed_members(lists: &BTreeMap<NodeName, Option<Vec<Member>>>) -> Vec<Member> {
    agreed(lists).and_then(Result::ok).unwrap_or_default()
}

/// Members do not list the same members.
struct Disagreement;

/// What all members that answer say; unheard is who is heard by none of them.
fn agreed(
    lists: &BTreeMap<NodeName, Option<Vec<Member>>>,
) -> Option<Result<Vec<Member>, Disagreement>> {
    let mut lists = lists.values().flatten().map(|list| {
        let mut list = list.clone();
        list.sort();
        list
    });
    let mut agreed = lists.next()?;
    for list in lists {
        if list.len() != agreed.len() {
            return Some(Err(Disagreement));
        }
        for (member, other) in agreed.iter_mut().zip(list) {
            let unheard = member.unheard && other.unheard;
            if (Member { unheard, ..member.clone() }) != (Member { unheard, ..other }) {
                return Some(Err(Disagreement));
            }
            member.unheard = unheard;
        }
    }
    Some(Ok(agreed))
}

/// No member answers: either nothing was started yet, or what is there has to be started first.
fn without_etcd(standing: &Standing<'_>) -> Next {
    let holds = |node: &NodeName| standing.data.get(node) == Some(&Data::Held);
    let has_lost = |node: &&NodeName| standing.data.get(*node) == Some(&Data::Lost);
    let holders = standing.data.keys().filter(|node| holds(node)).count();
    if holders == 0 && standing.started.is_empty() {
        return begin(standing);
    }
    if holders == 0 && standing.data.len() == standing.control_planes.len() {
        return Next::Refuse(vec![lost_everything(standing.started)]);
    }
    let lost: Vec<&NodeName> = standing.control_planes.keys().filter(has_lost).collect();
    let remembered = standing.foundings.len();
    let out_of_sight =
        standing.control_planes.keys().filter(|node| !standing.data.contains_key(*node)).count();
    let can_answer = holders + out_of_sight > remembered / 2;
    if !can_answer && !standing.started.is_empty() {
        return Next::Refuse(vec![lost_quorum(holders, remembered)]);
    }
    if !can_answer {
        let all: Vec<&NodeName> = standing.control_planes.keys().collect();
        return recall(standing, &all).unwrap_or(Next::Settled { again: false });
    }
    // Those that hold data answer without the others, which join once they do.
    let left = standing.control_planes.keys().any(|node| !standing.foundings.contains_key(node));
    forget(standing, &lost).unwrap_or(Next::Settled { again: left })
}

/// Nothing is anywhere: all control planes begin together.
fn begin(standing: &Standing<'_>) -> Next {
    if standing.data.len() < standing.control_planes.len() {
        // A machine that cannot be asked may hold data.
        return match standing.foundings.is_empty() {
            true => Next::Refuse(vec![Refusal {
                node: None,
                what: "not every control plane can be spoken with, so none can begin".to_owned(),
                help: "make all of them reachable for the first start".to_owned(),
            }]),
            false => Next::Settled { again: false },
        };
    }
    let members: Vec<(NodeName, String)> = standing
        .control_planes
        .iter()
        .map(|(node, address)| (node.clone(), peer_url(*address)))
        .collect();
    let founding = Founding { state: FoundingState::New, members };
    remember_each(standing, |_| true, |_| Some(founding.clone()))
        .unwrap_or(Next::Settled { again: false })
}

/// A first start was interrupted before etcd could answer: the others begin as was remembered.
fn recall(standing: &Standing<'_>, nodes: &[&NodeName]) -> Option<Next> {
    let known = standing.foundings.values().next()?;
    let missing = nodes
        .iter()
        .filter(|node| known.members.iter().any(|(member, _)| member == **node))
        .find(|node| !standing.foundings.contains_key(**node))?;
    let founding = Some(known.clone());
    Some(Next::Remember(Remember::Founding { node: (*missing).clone(), founding }))
}

fn forget(standing: &Standing<'_>, nodes: &[&NodeName]) -> Option<Next> {
    let node = nodes.iter().find(|node| standing.foundings.contains_key(**node))?;
    Some(Next::Remember(Remember::Founding { node: (*node).clone(), founding: None }))
}

/// Writes down what is not remembered yet, one member after the other. Those that begin now have
/// not started, whatever ran on their machines before.
fn remember_each(
    standing: &Standing<'_>,
    begins: impl Fn(&NodeName) -> bool,
    wanted: impl Fn(&NodeName) -> Option<Founding>,
) -> Option<Next> {
    let nodes: BTreeSet<&NodeName> =
        standing.control_planes.keys().chain(standing.foundings.keys()).collect();
    nodes.into_iter().find_map(|node| {
        let founding = wanted(node).filter(|_| standing.control_planes.contains_key(node));
        let is_known = standing.foundings.get(node) == founding.as_ref();
        let is_over = standing.started.contains(node);
        let begins_anew = founding.is_some() && is_over && begins(node);
        (begins_anew || !is_known)
            .then(|| Next::Remember(Remember::Founding { node: node.clone(), founding }))
    })
}

fn with_etcd(standing: &Standing<'_>, members: &[Member]) -> Next {
    if let Some(lost) = members.iter().find(|member| is_lost(standing, member)) {
        return remove(standing, members, lost);
    }
    let joiners: Vec<&NodeName> = standing
        .control_planes
        .iter()
        .filter(|(_, address)| !is_member(members, **address))
        .map(|(node, _)| node)
        .collect();
    let strangers: Vec<Refusal> = joiners
        .iter()
        .filter(|node| standing.data.get(**node) == Some(&Data::Held))
        .map(|node| removed_member(node))
        .collect();
    if !strangers.is_empty() {
        return Next::Refuse(strangers);
    }
    let reachable = joiners.iter().find(|node| standing.data.contains_key(**node));
    let learns = members.iter().any(|member| member.learner);
    let leaver = members.iter().find(|member| home(standing, member).is_none());
    match (reachable, leaver) {
        // etcd takes in nobody while a voter is silent, and this one will not speak again.
        (Some(_), Some(leaver)) if leaver.unheard && !learns => remove(standing, members, leaver),
        (Some(joiner), _) if !learns => {
            join(standing, members, joiner, joiners.len() > 1 || leaver.is_some())
        }
        // Who leaves does so last, when those that come have their votes.
        (None, Some(leaver)) if !learns || leaver.learner => remove(standing, members, leaver),
        _ => keep(standing, members, !joiners.is_empty() || leaver.is_some()),
    }
}

/// Names the control plane of the spec that a member runs on.
fn home<'a>(standing: &Standing<'a>, member: &Member) -> Option<&'a NodeName> {
    node_of(member, standing.control_planes.iter().map(|(node, address)| (node, *address)))
}

/// A member is lost if its machine has no data any more. One that was only announced has none yet.
fn is_lost(standing: &Standing<'_>, member: &Member) -> bool {
    let Some(node) = home(standing, member) else { return false };
    let was_started = !member.name.is_empty();
    // Only a member that began with the cluster has a name before it starts.
    let founding = standing.foundings.get(node);
    let joined = founding.is_none_or(|founding| founding.state == FoundingState::Existing);
    match standing.data.get(node) {
        Some(Data::Lost) => was_started,
        Some(Data::NotYet) => was_started && joined,
        _ => false,
    }
}

fn is_member(members: &[Member], address: IpAddr) -> bool {
    members.iter().any(|member| member.peer_urls.contains(&peer_url(address)))
}

fn remove(standing: &Standing<'_>, members: &[Member], leaver: &Member) -> Next {
    let answers = |member: &&Member| {
        home(standing, member)
            .is_some_and(|node| standing.lists.get(node).is_some_and(Option::is_some))
    };
    let voters = || members.iter().filter(|member| !member.learner);
    let left = || voters().filter(|member| member.id != leaver.id);
    // That somebody answers means that a majority of all voters lives.
    let is_mute = leaver.learner || leaver.unheard;
    let may_live = usize::from(!is_mute && home(standing, leaver).is_none());
    let majority = voters().count() / 2 + 1;
    let living = left().filter(answers).count().max(majority.saturating_sub(may_live));
    let through = standing.lists.iter().find(|(node, list)| {
        list.is_some() && home(standing, leaver).is_none_or(|home| home != *node)
    });
    match through {
        Some((node, _)) if living > left().count() / 2 => {
            Next::Change { through: node.clone(), act: EtcdAct::Remove { id: leaver.id.clone() } }
        }
        // What is silent for now may serve once its machine is as it should be.
        _ if is_silent_for_now(standing, members) && home(standing, leaver).is_none() => {
            keep(standing, members, true)
        }
        _ => Next::Refuse(vec![lost_quorum(living, left().count())]),
    }
}

/// Says whether a member that stays is silent though its machine has its data and can be mended.
fn is_silent_for_now(standing: &Standing<'_>, members: &[Member]) -> bool {
    members.iter().filter_map(|member| home(standing, member)).any(|node| {
        let answers = standing.lists.get(node).is_some_and(Option::is_some);
        !answers && standing.data.get(node) == Some(&Data::Held)
    })
}

fn join(standing: &Standing<'_>, members: &[Member], joiner: &NodeName, others: bool) -> Next {
    let Some(address) = standing.control_planes.get(joiner) else {
        return Next::Settled { again: others };
    };
    let founding = joining(standing, members, joiner, *address);
    let wanted = |node: &NodeName| match node == joiner {
        true => Some(founding.clone()),
        false => keeps(standing, members, node),
    };
    if let Some(remember) = remember_each(standing, |node| node == joiner, wanted) {
        return remember;
    }
    let Some(through) = standing.lists.iter().find(|(_, list)| list.is_some()) else {
        return Next::Settled { again: others };
    };
    let act = EtcdAct::AddLearner { node: joiner.clone(), peer_url: peer_url(*address) };
    Next::Change { through: through.0.clone(), act }
}

fn keep(standing: &Standing<'_>, members: &[Member], again: bool) -> Next {
    remember_each(standing, |_| false, |node| keeps(standing, members, node))
        .unwrap_or(Next::Settled { again })
}

/// What stays remembered of a member; one whose beginning was forgotten has joined what is there.
fn keeps(standing: &Standing<'_>, members: &[Member], node: &NodeName) -> Option<Founding> {
    let address = standing.control_planes.get(node)?;
    if !is_member(members, *address) {
        return None;
    }
    let is_announced =
        members.iter().any(|m| m.peer_urls.contains(&peer_url(*address)) && m.name.is_empty());
    match standing.foundings.get(node) {
        Some(known) if !is_announced || known.state == FoundingState::Existing => {
            Some(known.clone())
        }
        _ => Some(joining(standing, members, node, *address)),
    }
}

fn joining(
    standing: &Standing<'_>,
    members: &[Member],
    joiner: &NodeName,
    address: IpAddr,
) -> Founding {
    let mut all: Vec<(NodeName, String)> = members
        .iter()
        .filter_map(|member| Some((name_of(standing, member)?, member.peer_urls.first()?.clone())))
        .filter(|(node, _)| node != joiner)
        .collect();
    all.push((joiner.clone(), peer_url(address)));
    all.sort();
    Founding { state: FoundingState::Existing, members: all }
}

/// Names a member's machine, also if the spec no longer has it.
fn name_of(standing: &Standing<'_>, member: &Member) -> Option<NodeName> {
    home(standing, member).cloned().or_else(|| NodeName::new(member.name.clone()).ok())
}

fn lost_quorum(answering: usize, voters: usize) -> Refusal {
    Refusal {
        node: None,
        what: format!(
            "{answering} of {voters} members of etcd would be left, which is no majority"
        ),
        help: "bring control planes that still have their data back first, or restore a backup"
            .to_owned(),
    }
}

/// An empty etcd in the place of one that ran would be a new cluster under the old one's name.
fn lost_everything(started: &BTreeSet<NodeName>) -> Refusal {
    let names: Vec<&str> = started.iter().map(NodeName::as_str).collect();
    Refusal {
        node: None,
        what: format!(
            "no control plane of the spec holds data of etcd, though it ran on {}",
            names.join(", ")
        ),
        help:
            "look whether /var/lib/etcd is only not mounted, or restore a backup; exchange control \
               planes one by one; to lose the data and begin anew, run `ringfort reset` first"
                .to_owned(),
    }
}

fn removed_member(node: &NodeName) -> Refusal {
    Refusal {
        node: Some(node.clone()),
        what: "it holds data of an etcd member that the cluster does not know".to_owned(),
        help: "if nothing of it is needed, stop kubelet there, end its etcd, empty /var/lib/etcd \
               and run again"
            .to_owned(),
    }
}
