//! Findings that come again and again: the first is told at once, the others as a number.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::Finding;

/// How long what comes again is counted instead of told.
pub const WINDOW: Duration = Duration::from_secs(600);
/// How many findings are remembered; more are told each time.
const ROOM: usize = 10_000;

/// What was found more than once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Again {
    /// The last of them.
    pub finding: Finding,
    /// How often it came after it was told.
    pub times: u64,
}

/// What makes two findings the same.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Key {
    detection: Cow<'static, str>,
    user: String,
    impersonated: Option<String>,
    source: String,
    object: String,
    said: String,
}

struct Told {
    until: Duration,
    last: Option<Finding>,
    times: u64,
}

/// Remembers what was told.
#[derive(Default)]
pub struct Repeats(BTreeMap<Key, Told>);

impl Repeats {
    /// Says whether a finding is to be told now. The time may be counted from any moment.
    pub fn is_new(&mut self, finding: &Finding, now: Duration) -> bool {
        let key = Key {
            detection: finding.detection.clone(),
            user: finding.user.clone(),
            impersonated: finding.impersonated.clone(),
            source: finding.source.clone(),
            object: finding.object.clone(),
            said: finding.said.clone(),
        };
        if let Some(told) = self.0.get_mut(&key) {
            told.times += 1;
            told.last = Some(finding.clone());
            return false;
        }
        if self.0.len() < ROOM {
            self.0.insert(key, Told { until: now + WINDOW, last: None, times: 0 });
        }
        true
    }

    /// Gives what came again, of everything whose time is over.
    pub fn over(&mut self, now: Duration) -> Vec<Again> {
        self.take(|told| told.until <= now)
    }

    /// Gives what came again, of everything.
    pub fn rest(&mut self) -> Vec<Again> {
        self.take(|_| true)
    }

    fn take(&mut self, is_over: impl Fn(&Told) -> bool) -> Vec<Again> {
        let again = self
            .0
            .extract_if(.., |_, told| is_over(told))
            .filter_map(|(_, told)| told.last.map(|finding| Again { finding, times: told.times }));
        let mut again: Vec<Again> = again.collect();
        again.sort_by(|a, b| {
            let order = |it: &Again| (it.finding.time.clone(), it.finding.detection.clone());
            order(a).cmp(&order(b))
        });
        again
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ringfort_model::severity::Severity;

    use super::{ROOM, Repeats, WINDOW};
    use crate::finding::Finding;

    fn finding(user: &str, time: &str) -> Finding {
        let (time, user) = (time.to_owned(), user.to_owned());
        let detection = "secrets/all-read".to_owned();
        Finding { time, user, ..Finding::on_machine("", detection, Severity::High, None) }
    }

    #[test]
    fn what_comes_again_is_told_once_and_counted() {
        let mut repeats = Repeats::default();
        assert!(repeats.is_new(&finding("eve", "1"), Duration::ZERO));
        assert!(!repeats.is_new(&finding("eve", "2"), Duration::ZERO));
        assert!(repeats.is_new(&finding("bob", "3"), Duration::ZERO));
        assert!(!repeats.is_new(&finding("eve", "4"), WINDOW / 2));
        assert!(repeats.over(WINDOW - Duration::from_secs(1)).is_empty());
        let over = repeats.over(WINDOW);
        assert_eq!((over.len(), over[0].times, over[0].finding.time.as_str()), (1, 2, "4"));
        assert!(repeats.is_new(&finding("eve", "5"), WINDOW));
        assert!(repeats.rest().is_empty());
    }

    #[test]
    fn without_room_everything_is_told() {
        let mut repeats = Repeats::default();
        for number in 0..=ROOM {
            assert!(repeats.is_new(&finding(&number.to_string(), ""), Duration::ZERO));
        }
        let last = finding(&ROOM.to_string(), "");
        assert!(repeats.is_new(&last, Duration::ZERO));
        assert!(!repeats.is_new(&finding("0", ""), Duration::ZERO));
    }
}
