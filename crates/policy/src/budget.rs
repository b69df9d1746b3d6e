//! How much the policies of a namespace may say together. Whoever may write policies must not keep the
//! machines of all others busy: what goes beyond closes and opens nothing, in that namespace alone.

use std::fmt;

use ringfort_facts::network::{Direction, Peer, Place, Policy, Rule};

use super::world::World;

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
        self.policies_in(namespace).map(move |(place, policy)| {
            let rest = left.checked_sub(weight(policy));
            left = rest.unwrap_or(left);
            (place, policy, rest.is_some())
        })
    }

    /// Gives the policies of a namespace that go beyond what its policies may say: they open nothing.
    pub fn beyond_budget<'a>(&'a self, namespace: &'a str) -> Vec<&'a Place> {
        let all = self.within_budget(namespace);
        all.filter(|(_, _, is_within)| !is_within).map(|(place, ..)| place).collect()
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
