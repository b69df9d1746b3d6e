//! What rules of cluster-wide policies say of a pod's ways, and where nobody can say it. Pure.

use ringfort_policy::{
    Action, Direction, Labels, NAME_LABEL, Peer, Place, Pod, Ruled, Ruling, Selector, Turn, World,
};
use serde::Serialize;

use super::seen::Seen;

/// A rule of a cluster-wide policy.
#[derive(Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RulingReport {
    pub policy: String,
    /// `Admin` is judged before NetworkPolicy, `Baseline` behind it.
    pub tier: String,
    /// Lower ones are judged first.
    pub priority: u16,
    /// Where it stands in the policy, such as `ingress[0]`, and what it is called.
    pub rule: String,
    /// `accept`, `deny` or `pass`.
    pub action: String,
    /// What it does with what, in words.
    pub says: String,
}

/// Gives the rules that are judged for a pod one way, in order.
pub fn all(world: &World, own: (&Place, &Pod), direction: Direction) -> Vec<RulingReport> {
    world.turns(own, direction).iter().map(|turn| report(turn, direction)).collect()
}

/// Gives the rules that decided, or passed on.
pub fn decided(
    world: &World,
    own: (&Place, &Pod),
    direction: Direction,
    rulings: &[Ruling],
) -> Vec<RulingReport> {
    let turns = world.turns(own, direction);
    let find = |ruling: &Ruling| {
        let turn = turns.iter().find(|it| *it.name == ruling.policy && it.at == ruling.at)?;
        Some(report(turn, direction))
    };
    rulings.iter().filter_map(find).collect()
}

fn report(turn: &Turn<'_>, direction: Direction) -> RulingReport {
    let called = turn.rule.name.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default();
    RulingReport {
        policy: turn.name.to_string(),
        tier: turn.policy.tier.to_string(),
        priority: turn.policy.priority,
        rule: format!("{direction}[{}]{called}", turn.at),
        action: turn.rule.in_force().map_or(Action::Accept, |(action, _)| action).to_string(),
        says: Ruled(turn, direction).to_string(),
    }
}

impl RulingReport {
    /// Writes it for people.
    pub fn words(&self) -> String {
        let Self { policy, tier, priority, rule, says, .. } = self;
        format!("{policy} ({tier} tier, priority {priority}), {rule}: {says}")
    }
}

/// Says which rule for a pod is not understood, if one is.
pub fn doubt(world: &World, own: (&Place, &Pod)) -> Option<String> {
    let of_way = |direction| {
        world.turns(own, direction).iter().find_map(|turn| {
            let why = turn.rule.means.as_ref().err()?;
            Some(format!("{turn}, {direction}[{}]: {why}", turn.at))
        })
    };
    Direction::BOTH.into_iter().find_map(of_way)
}

/// Says which cluster-wide policy depends on labels of a namespace of which only the name was seen.
pub fn bare(
    seen: &Seen,
    (place, pod): (&Place, &Pod),
    peer: Option<&Place>,
    direction: Direction,
) -> Option<String> {
    let is_bare = |place: &Place| seen.bare.contains(&place.namespace);
    let depends = |selector: &Selector| selector.keys().any(|key| key != NAME_LABEL);
    let none = Labels::new();
    let labels = seen.world.namespaces.get(&place.namespace).unwrap_or(&none);
    for (name, policy) in &seen.world.wider {
        let rules = policy.rules(direction);
        if rules.is_empty() || pod.host_network || !policy.subject.pods.selects(&pod.labels) {
            continue;
        }
        let namespaces = &policy.subject.namespaces;
        let mut peers =
            rules.iter().filter_map(|it| it.means.as_ref().ok()).flat_map(|it| &it.peers);
        let by_labels = |peer: &Peer| matches!(peer, Peer::Pods { namespaces: Some(selector), .. } if depends(selector));
        let which = if is_bare(place) && depends(namespaces) {
            place
        } else if let Some(peer) = peer.filter(|peer| is_bare(peer))
            && namespaces.selects(labels)
            && peers.any(by_labels)
        {
            peer
        } else {
            continue;
        };
        return Some(format!(
            "{name} selects namespaces by labels, and those of {} were not seen: add the Namespace to \
             the files",
            which.namespace
        ));
    }
    None
}
