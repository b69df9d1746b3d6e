//! Counts how often all passes are gone through in one run.

use crate::message::Report;

/// How often all passes may be gone through again. Control planes join etcd one after the other,
/// each in a round of its own, and those that leave do so in the last.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    left: usize,
}

impl Rounds {
    /// Begins the first round for so many control planes.
    pub fn new(control_planes: usize) -> Self {
        Self { left: control_planes }
    }

    /// Says whether another round begins after these passes; it counts as begun then.
    pub fn go_on(&mut self, passes: &[&Report]) -> bool {
        let is_needed = passes.iter().any(|report| report.again && !report.interrupted);
        if !is_needed || self.left == 0 {
            return false;
        }
        self.left -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Report, Rounds};

    #[test]
    fn another_round_begins_only_where_one_is_needed_and_not_for_ever() {
        let check = |control_planes: usize, report: Report, expected: usize| {
            let mut rounds = Rounds::new(control_planes);
            let begun = (0..100).take_while(|_| rounds.go_on(&[&Report::default(), &report]));
            assert_eq!(begun.count(), expected, "{report:?}");
        };
        check(3, Report::default(), 0);
        check(3, Report { again: true, ..Report::default() }, 3);
        check(5, Report { again: true, ..Report::default() }, 5);
        check(5, Report { again: true, interrupted: true, ..Report::default() }, 0);
    }
}
