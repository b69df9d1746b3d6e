//! How much the policies of a namespace may say together. Whoever may write policies must not keep the
//! machines of all others busy: what goes beyond closes and opens nothing, in that namespace alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ringfort_facts::network::{Direction, Peer, Place, Policy, Rule};

use super::world::World;

/// How many entries the policies of one namespace may take of one node's rules. A node that gets them ten times
/// over takes them within the time in which a pod waits for its rules.
pub const ENTRIES: usize = 100_000;

/// How much the policies of one namespace may say. A rule says its peers times its ports; a block is one
/// peer, and one more for each range that is taken out of it.
pub const BUDGET: usize = 10_000;

impl World {
    /// Gives the policies of a namespace in the order of their names, each with whether it is within the
    /// budget. One that is too long leaves room for those behind it.
    pub(crate) fn within_budget<'a>(
        &'a self,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Place, &'a Policy, bool)> {
        let mut left = BUDGET;
        let is_outgrown = self.outgrown.contains(namespace);
        self.policies_in(namespace).map(move |(place, policy)| {
            let rest = left.checked_sub(weight(policy)).filter(|_| !is_outgrown);
            left = rest.unwrap_or(left);
            (place, policy, rest.is_some())
        })
    }

    /// Gives the policies of a namespace that go beyond what its policies may say: they open nothing. None, where all
    /// of them take too much together: that is told of as a whole.
    pub fn beyond_budget<'a>(&'a self, namespace: &'a str) -> Vec<&'a Place> {
        if self.outgrown.contains(namespace) {
            return Vec::new();
        }
        let all = self.within_budget(namespace);
        all.filter(|(_, _, is_within)| !is_within).map(|(place, ..)| place).collect()
    }
}

/// Says that the policies of a namespace take more than they may: nothing more is made of them.
pub(crate) struct Beyond;

/// So many ends on the other side that a rule names cost as much as an entry: what finds them remembers them.
pub(crate) const ENDS_OF_AN_ENTRY: usize = 100;

/// Counts what the policies of each namespace take of a node's rules while these are made.
#[derive(Default)]
pub(crate) struct Meter {
    taken: BTreeMap<String, usize>,
}

impl Meter {
    /// Counts entries; an error where they are more than a namespace may take. What no namespace's policies say
    /// has no bound.
    pub(crate) fn take(&mut self, namespace: Option<&str>, entries: usize) -> Result<(), Beyond> {
        let Some(namespace) = namespace else { return Ok(()) };
        let taken = match self.taken.get_mut(namespace) {
            Some(taken) => taken,
            None => self.taken.entry(namespace.to_owned()).or_default(),
        };
        *taken = taken.saturating_add(entries);
        if *taken <= ENTRIES { Ok(()) } else { Err(Beyond) }
    }

    /// Gives the namespaces that took more than they may.
    pub(crate) fn outgrown(self) -> BTreeSet<String> {
        let beyond = self.taken.into_iter().filter(|(_, taken)| *taken > ENTRIES);
        beyond.map(|(namespace, _)| namespace).collect()
    }
}

/// Says of a namespace's policies that they take more of a node's rules than they may.
pub struct Outgrown<'a>(pub &'a str);

impl fmt::Display for Outgrown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(namespace) = self;
        write!(
            f,
            "the NetworkPolicies of namespace {namespace} close and open nothing: for the pods that there are \
             they come to more than {ENTRIES} entries of this node's rules; write fewer ports, or fewer rules \
             that part pods from each other"
        )
    }
}

/// Says of a policy that it is beyond the budget.
pub struct TooLong<'a>(pub &'a Place);

impl fmt::Display for TooLong<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(place) = self;
        write!(
            f,
            "NetworkPolicy {place} closes and opens nothing: the policies of a namespace say {BUDGET} \
             peers times ports at most"
        )
    }
}

fn weight(policy: &Policy) -> usize {
    let rules = Direction::BOTH.into_iter().filter_map(|way| policy.rules(way)).flatten();
    rules.map(of_rule).fold(0, usize::saturating_add)
}

fn of_rule(rule: &Rule) -> usize {
    let of_peer = |peer: &Peer| match peer {
        Peer::Pods { .. } => 1,
        Peer::Block { except, .. } => 1 + except.len(),
    };
    let peers = rule.peers.iter().map(of_peer).sum::<usize>().max(1);
    peers.saturating_mul(rule.ports.len().max(1))
}
