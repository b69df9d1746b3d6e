//! What policies let pods reach.

use ringfort_policy::{Peer, Rule};

use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::Scene;
use crate::world::read_policy;

/// Visits every rule of egress of a policy with its place; without any, the policy opens nothing.
pub(super) fn each_rule(
    scene: &Scene<'_>,
    sheet: &mut Sheet,
    visit: impl Fn(&Rule, &Place<'_>, &mut Sheet),
) {
    let spec = scene.root.at("spec");
    let rules = spec.at("egress");
    let Some(policy) = read_policy(scene.object.value, scene.object.texts) else {
        return sheet.unread(&spec);
    };
    if matches!(rules.list(), Field::Absent | Field::Is([])) {
        return sheet.pass(&rules);
    }
    let read = policy.egress.unwrap_or_default();
    if read.is_empty() {
        return sheet
            .spare("its policyTypes do not name Egress, so its rules of egress say nothing");
    }
    for (rule, place) in read.iter().zip(rules.items()) {
        visit(rule, &place, sheet);
    }
}

/// What a rule reaches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reach {
    /// Every address.
    Everything,
    /// Some addresses.
    Addresses,
    /// Pods and nothing else.
    Pods,
}

impl Reach {
    pub(super) fn of(rule: &Rule) -> Self {
        let is_all = |peer: &Peer| matches!(peer, Peer::Block { range, .. } if range.prefix() == 0);
        let is_pods = |peer: &Peer| matches!(peer, Peer::Pods { .. });
        if rule.peers.is_empty() || rule.peers.iter().any(is_all) {
            Self::Everything
        } else if rule.peers.iter().all(is_pods) {
            Self::Pods
        } else {
            Self::Addresses
        }
    }
}
