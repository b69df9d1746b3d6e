//! Which ways of pods are closed with nothing that opens them, whoever is at the other end.

use ringfort_facts::network::{Action, Direction, Place, Pod, Policy};

use super::world::{PolicyName, World};

/// A pod of which a way is closed that was not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cut {
    /// The pod.
    pub pod: Place,
    /// The ways, each with what closes it.
    pub ways: Vec<(Direction, Vec<PolicyName>)>,
}

impl World {
    /// Says what closes a way of a pod that nothing opens, but for DNS where that is open by itself: nothing where the
    /// way is open, or something opens it to some. What cluster-wide policies deny is not counted: they name whom they
    /// deny.
    pub fn shut_by(&self, own: (&Place, &Pod), direction: Direction) -> Option<Vec<PolicyName>> {
        let (place, pod) = own;
        let closing = self.closing(place, pod, direction);
        if closing.is_empty() {
            return None;
        }
        let opens = |(name, policy): &(PolicyName, &Policy)| {
            *name != PolicyName::Default && policy.rules(direction).is_some_and(|it| !it.is_empty())
        };
        let accepts = || {
            let turns = self.turns(own, direction);
            turns.iter().any(|it| matches!(it.rule.in_force(), Some((Action::Accept, _))))
        };
        match closing.iter().any(opens) || accepts() {
            true => None,
            false => Some(closing.into_iter().map(|(name, _)| name).collect()),
        }
    }
}

/// Finds pods that run of which a way is shut that was not before, in order. Without a world before, nothing was
/// enforced.
pub fn cut(before: Option<&World>, after: &World) -> Vec<Cut> {
    let runs = |(_, pod): &(&Place, &Pod)| pod.is_subject() && !pod.ending;
    let of_pod = |(place, pod): (&Place, &Pod)| {
        let was_shut =
            |direction| before.is_some_and(|it| it.shut_by((place, pod), direction).is_some());
        let shut = |direction| {
            let by = after.shut_by((place, pod), direction).filter(|_| !was_shut(direction))?;
            Some((direction, by))
        };
        let ways: Vec<_> = Direction::BOTH.into_iter().filter_map(shut).collect();
        (!ways.is_empty()).then(|| Cut { pod: place.clone(), ways })
    };
    after.pods.iter().filter(runs).filter_map(of_pod).collect()
}
