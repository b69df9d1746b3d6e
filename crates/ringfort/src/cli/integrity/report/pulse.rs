//! Whether an agent goes on: it writes the time into its status each second. Whoever stops it stops that, and somebody
//! else has to say so. No clock of the day is asked: somebody may set it.

use std::time::Duration;

/// What is told of an agent, once each. Times are the agent's own, in seconds since 1970.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Beat {
    /// It says nothing any more.
    Silent {
        /// When it said something last; nothing where it never did.
        since: Option<u64>,
    },
    /// It does again.
    Returned {
        /// When it had said something before,
        since: Option<u64>,
        /// and when it did again.
        at: u64,
    },
}

/// What is heard of an agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pulse {
    at: Option<u64>,
    /// When that was first seen, since it is listened.
    heard: Duration,
    /// What it had said last when it was told that it says nothing; 0 where it never did.
    silent: Option<u64>,
}

/// An agent that says nothing for so long does not run. One that begins, or has much to look at, may need a while.
const PATIENCE: Duration = Duration::from_secs(120);

impl Pulse {
    /// Begins to listen, with what was told before.
    pub(super) fn new(silent: Option<u64>) -> Self {
        Self { at: None, heard: Duration::ZERO, silent }
    }

    /// What it had said last when it was told that it says nothing, to go on from.
    pub(super) fn silent(&self) -> Option<u64> {
        self.silent
    }

    /// Hears what the agent said last, so long after it was begun to listen.
    pub(super) fn look(&mut self, at: Option<u64>, elapsed: Duration) -> Option<Beat> {
        if at != self.at {
            (self.at, self.heard) = (at, elapsed);
        }
        let known = |since: u64| (since > 0).then_some(since);
        match (self.silent, at) {
            (None, _) if elapsed.saturating_sub(self.heard) >= PATIENCE => {
                self.silent = Some(at.unwrap_or(0));
                Some(Beat::Silent { since: at })
            }
            (Some(since), Some(at)) if at != since => {
                self.silent = None;
                Some(Beat::Returned { since: known(since), at })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn an_agent_that_stops_is_told_once_and_so_is_its_return() {
        let mut pulse = Pulse::new(None);
        for second in 0..300 {
            assert_eq!(pulse.look(Some(1_000 + second), seconds(second)), None);
        }
        let told: Vec<(u64, Beat)> = (300..900)
            .filter_map(|second| Some((second, pulse.look(Some(1_299), seconds(second))?)))
            .collect();
        assert_eq!(told, [(419, Beat::Silent { since: Some(1_299) })]);
        let returned = Beat::Returned { since: Some(1_299), at: 2_000 };
        assert_eq!(pulse.look(Some(2_000), seconds(900)), Some(returned));
        assert_eq!(pulse.look(Some(2_001), seconds(901)), None);
    }

    #[test]
    fn what_was_told_is_not_told_again_after_a_restart() {
        let mut pulse = Pulse::new(Some(1_299));
        assert!((0..900).all(|second| pulse.look(Some(1_299), seconds(second)).is_none()));
        assert!(pulse.look(None, seconds(900)).is_none(), "a file that is gone is no return");
        assert!(pulse.look(Some(1_300), seconds(901)).is_some());
        // The machine was off: the agent has its time to begin.
        let mut pulse = Pulse::new(None);
        assert!((0..100).all(|second| pulse.look(Some(7), seconds(second)).is_none()));
        assert_eq!(pulse.look(Some(5_000), seconds(100)), None);
    }

    #[test]
    fn an_agent_that_never_ran_is_told_and_a_clock_that_goes_back_is_no_silence() {
        let mut pulse = Pulse::new(None);
        assert_eq!(pulse.look(None, seconds(0)), None);
        assert_eq!(pulse.look(None, seconds(120)), Some(Beat::Silent { since: None }));
        assert_eq!(pulse.silent(), Some(0));
        let returned = Beat::Returned { since: None, at: 9 };
        assert_eq!(pulse.look(Some(9), seconds(121)), Some(returned));
        assert!((0..500).all(|it| pulse.look(Some(9_000 - it), seconds(121 + it)).is_none()));
    }
}
