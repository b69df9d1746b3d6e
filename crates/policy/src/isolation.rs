//! Which ways of pods are closed with nothing that opens them, whoever is at the other end.

use ringfort_facts::network::{Action, Direction, Place, Pod, Policy};

use super::world::{PolicyName, World};

/// How a way of a pod stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Nothing closes it.
    Open,
    /// It is closed, and something opens it to some.
    Opened,
    /// It is closed by these, and nothing opens it, but for DNS where that is open by itself.
    Shut(Vec<PolicyName>),
}

/// A pod of which a way is closed that was not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cut {
    /// The pod.
    pub pod: Place,
    /// The ways, each with what closes it.
    pub ways: Vec<(Direction, Vec<PolicyName>)>,
}

impl World {
    /// Says how a way of a pod stands. What cluster-wide policies deny is not counted: they name whom they deny.
    pub fn standing(&self, own: (&Place, &Pod), direction: Direction) -> Standing {
        let (place, pod) = own;
        let closing = self.closing(place, pod, direction);
        if closing.is_empty() {
            return Standing::Open;
        }
        let opens = |(name, policy): &(PolicyName, &Policy)| {
            *name != PolicyName::Default && policy.rules(direction).is_some_and(|it| !it.is_empty())
        };
        let accepts = || {
            let turns = self.turns(own, direction);
            turns.iter().any(|it| matches!(it.rule.in_force(), Some((Action::Accept, _))))
        };
        match closing.iter().any(opens) || accepts() {
            true => Standing::Opened,
            false => Standing::Shut(closing.into_iter().map(|(name, _)| name).collect()),
        }
    }
}

/// Finds pods that run of which a way is shut that was not before, in order. Without a world before, nothing was
/// enforced.
pub fn cut(before: Option<&World>, after: &World) -> Vec<Cut> {
    let runs = |(_, pod): &(&Place, &Pod)| pod.is_subject() && !pod.ending;
    let of_pod = |(place, pod): (&Place, &Pod)| {
        let was_shut = |direction| {
            before
                .is_some_and(|it| matches!(it.standing((place, pod), direction), Standing::Shut(_)))
        };
        let shut = |direction| match after.standing((place, pod), direction) {
            Standing::Shut(by) if !was_shut(direction) => Some((direction, by)),
            _ => None,
        };
        let ways: Vec<_> = Direction::BOTH.into_iter().filter_map(shut).collect();
        (!ways.is_empty()).then(|| Cut { pod: place.clone(), ways })
    };
    after.pods.iter().filter(runs).filter_map(of_pod).collect()
}
