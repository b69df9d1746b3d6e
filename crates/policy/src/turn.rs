//! The rules of a tier that are for a pod, in their order.

use std::fmt;

use ringfort_facts::network::{
    Action, Direction, Place, Pod, Subject, Tier, WiderName, WiderPolicy, WiderRule,
};

use super::world::{PolicyName, World};

/// A rule at its turn: for a pod, one way.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// The policy's name.
    pub name: &'a WiderName,
    /// The policy.
    pub policy: &'a WiderPolicy,
    /// The rule's place in the policy, from 0.
    pub at: usize,
    /// The rule.
    pub rule: &'a WiderRule,
}

impl fmt::Display for Turn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WiderPolicy { tier, priority, .. } = self.policy;
        write!(f, "{} ({tier} tier, priority {priority})", self.name)
    }
}

impl World {
    /// Gives the rules of tiers that are for a pod, one way and in their order. Where a NetworkPolicy
    /// selects the pod, the Baseline tier has none.
    ///
    /// Of a namespace whose labels are not known yet nobody can say whom it is selected by: there
    /// nothing but what denies counts.
    pub fn turns(&self, (place, pod): (&Place, &Pod), direction: Direction) -> Vec<Turn<'_>> {
        if pod.host_network || self.wider.is_empty() {
            return Vec::new();
        }
        let labels = self.namespaces.get(&place.namespace);
        let selects = |subject: &Subject| {
            labels.is_none_or(|labels| subject.namespaces.selects(labels))
                && subject.pods.selects(&pod.labels)
        };
        let closing = self.closing(place, pod, direction);
        let is_selected = closing.iter().any(|(name, _)| *name != PolicyName::Default);
        let is_asked = |policy: &WiderPolicy| {
            (policy.tier == Tier::Admin || !is_selected) && selects(&policy.subject)
        };
        let asked = self.wider.iter().filter(|(_, policy)| is_asked(policy));
        let mut policies: Vec<(&WiderName, &WiderPolicy)> = asked.collect();
        policies.sort_by_key(|(name, policy)| (policy.tier, policy.priority, *name));
        let turns = policies.into_iter().flat_map(|(name, policy)| {
            let rules = policy.rules(direction).iter().enumerate();
            rules.map(move |(at, rule)| Turn { name, policy, at, rule })
        });
        let counts = |turn: &Turn<'_>| {
            labels.is_some() || turn.rule.in_force().is_some_and(|(it, _)| it == Action::Deny)
        };
        turns.filter(counts).collect()
    }
}
