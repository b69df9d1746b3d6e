//! What a server says that it logged, beside what came of it. What is missing is a number, and a number is told only when
//! it is sure: events that are on their way are nobody's loss.

use serde::{Deserialize, Serialize};

/// What a server says of its own audit log, in the text format of Prometheus.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Measured {
    began: Option<String>,
    events: Option<u64>,
    failed: u64,
}

/// Since when a server runs, how many events it gave to its backends since then, and how many of them they failed to
/// write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Counter {
    /// `process_start_time_seconds`, as it stands there.
    pub began: String,
    /// `apiserver_audit_event_total`.
    pub events: u64,
    /// `apiserver_audit_error_total`, of all backends.
    pub failed: u64,
}

impl Measured {
    /// Reads a line of what a server measures.
    pub fn read(&mut self, line: &str) {
        let Some((series, value)) = line.rsplit_once(' ') else { return };
        match series.split('{').next() {
            Some("process_start_time_seconds") => self.began = Some(value.to_owned()),
            Some("apiserver_audit_event_total") => self.events = count(value),
            Some("apiserver_audit_error_total") => self.failed += count(value).unwrap_or(0),
            _ => {}
        }
    }

    /// Gives the counter, if the server says all of it.
    pub fn counter(self) -> Option<Counter> {
        Some(Counter { began: self.began?, events: self.events?, failed: self.failed })
    }
}

/// Reads a number as Prometheus writes it, such as `1.25e+06`.
fn count(value: &str) -> Option<u64> {
    let value: f64 = value.parse().ok()?;
    (0.0..9e15).contains(&value).then_some(value as u64)
}

/// A comparison of what a server counts with what came.
///
/// A server counts an event before it writes it, and it comes after that. So a server is ahead of what had come *before*
/// it was asked by at least what was lost, and of what has come *since* by at most that: the least of the former and the
/// greatest of the latter hold the loss between them. Where counting begins, both are ahead by what nobody followed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Tally {
    /// Since when the server runs.
    began: String,
    /// How far it was ahead, at the least, of what had come before it was asked.
    ahead: i64,
    /// How far it was ahead, last time, of what had come since.
    short: i64,
    /// How often it was asked.
    pub rounds: u64,
    /// How many events it counted since counting began.
    pub events: u64,
    /// How many of them did not come.
    pub lost: u64,
    /// How many of them its backends failed to write, as it says itself.
    pub failed: u64,
    /// Where its own numbers stood at the beginning.
    first: (u64, u64),
}

impl Tally {
    /// Adds what a server says, between what had come before it was asked and what has come since. Gives how many
    /// events more are lost.
    ///
    /// What it counted and had not written yet when it was asked is not missed: a loss counts when two rounds, one after
    /// the other, show it. A server that began anew is another one, and is counted from here on.
    pub fn add(&mut self, counter: &Counter, before: u64, since: u64) -> u64 {
        let ahead = distance(counter.events, before);
        let short = distance(counter.events, since);
        if self.began != counter.began || counter.events < self.first.0 {
            let first = (counter.events, counter.failed);
            let began = counter.began.clone();
            *self = Self { began, ahead, short, rounds: 1, first, ..Self::default() };
            return 0;
        }
        let missing = u64::try_from(short.min(self.short) - self.ahead).unwrap_or(0);
        let more = missing.saturating_sub(self.lost);
        self.lost += more;
        self.short = short;
        self.ahead = self.ahead.min(ahead);
        self.rounds += 1;
        self.events = counter.events - self.first.0;
        self.failed = counter.failed.saturating_sub(self.first.1);
        more
    }
}

impl Tally {
    /// Whether something may be missing that the next round will show.
    pub fn is_in_doubt(&self) -> bool {
        let missing = u64::try_from(self.short - self.ahead).unwrap_or(0);
        self.rounds < FIRST || missing > self.lost
    }
}

/// Nothing is compared before the second round, and little is known of what was on its way before the third.
const FIRST: u64 = 3;

fn distance(counted: u64, came: u64) -> i64 {
    i64::try_from(i128::from(counted) - i128::from(came)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Counter, Measured, Tally};

    const SAID: &str = "\
# HELP apiserver_audit_error_total [ALPHA] Counter of audit events that failed to be audited properly.
# TYPE apiserver_audit_error_total counter
apiserver_audit_error_total{plugin=\"log\"} 2
apiserver_audit_error_total{plugin=\"webhook\"} 3
apiserver_audit_event_total 1.25e+06
apiserver_audit_event_total_of_another 7
apiserver_audit_level_total{level=\"Metadata\"} 12
process_start_time_seconds 1.79603521234e+09
";

    fn measured(said: &str) -> Option<Counter> {
        let mut measured = Measured::default();
        said.lines().for_each(|line| measured.read(line));
        measured.counter()
    }

    #[test]
    fn a_server_says_how_much_it_logged() {
        let counter = measured(SAID).unwrap();
        let Counter { began, events, failed } = counter;
        assert_eq!((began.as_str(), events, failed), ("1.79603521234e+09", 1_250_000, 5));
        for gone in ["process_start_time_seconds", "apiserver_audit_event_total "] {
            let less: Vec<&str> = SAID.lines().filter(|line| !line.starts_with(gone)).collect();
            assert_eq!(measured(&less.join("\n")), None, "{gone}");
        }
        assert_eq!(measured(&SAID.replace("1.25e+06", "NaN")), None);
        assert_eq!(measured(&SAID.replace("1.25e+06", "-1")), None);
    }

    fn counter(began: &str, events: u64) -> Counter {
        Counter { began: began.to_owned(), events, failed: 0 }
    }

    #[test]
    fn what_does_not_come_is_counted_once_it_is_sure() {
        let mut tally = Tally::default();
        // Nobody followed the first hundred.
        assert_eq!(tally.add(&counter("a", 100), 0, 1), 0);
        assert_eq!(tally.add(&counter("a", 110), 10, 11), 0);
        // Three are missing, or on their way;
        assert_eq!(tally.add(&counter("a", 130), 20, 27), 0);
        assert!(tally.is_in_doubt());
        assert_eq!((tally.lost, tally.rounds), (0, 3));
        // and have come.
        assert_eq!(tally.add(&counter("a", 140), 40, 41), 0);
        // Three are missing, and stay so.
        assert_eq!(tally.add(&counter("a", 150), 47, 47), 0);
        assert_eq!(tally.add(&counter("a", 160), 57, 58), 2);
        assert_eq!(tally.add(&counter("a", 170), 67, 67), 0);
        assert_eq!(tally.add(&counter("a", 180), 77, 77), 1);
        assert_eq!(tally.add(&counter("a", 190), 87, 87), 0);
        assert_eq!((tally.lost, tally.events, tally.is_in_doubt()), (3, 90, false));
        // Another process counts from nothing.
        assert_eq!(tally.add(&counter("b", 5), 95, 95), 0);
        assert_eq!((tally.lost, tally.rounds), (0, 1));
        assert_eq!(tally.add(&counter("b", 9), 99, 99), 0);
        // A number that falls is no number of the same process.
        assert_eq!(tally.add(&counter("b", 2), 100, 101), 0);
        assert_eq!(tally.rounds, 1);
    }

    /// Never more than was lost, though everything of every second round is on its way; and all of it where nothing is.
    #[test]
    fn no_more_is_missed_than_was_lost() {
        for seed in 0..2_000_u64 {
            let mut state = seed;
            let mut next = |most: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) % most
            };
            let is_idle = seed % 2 == 0;
            let (mut tally, mut counted) = (Tally::default(), next(1_000));
            let (mut written, mut came, mut lost, mut sure) = (0_u64, 0, 0, 0);
            for round in 0..next(40) {
                let more = 1 + next(50);
                let gone = if round > 0 && next(4) == 0 { next(more) } else { 0 };
                sure = lost;
                (counted, written, lost) = (counted + more, written + more - gone, lost + gone);
                let lag = |lag: u64| if is_idle { 0 } else { lag };
                let before = written.saturating_sub(lag(next(60))).max(came);
                let late = if round % 2 == 0 { lag(next(60)) } else { 0 };
                came = written.saturating_sub(late).max(before);
                tally.add(&counter("a", counted), before, came);
                assert!(tally.lost <= lost, "seed {seed}: {} of {lost}", tally.lost);
            }
            if is_idle {
                assert_eq!(tally.lost, sure, "seed {seed}");
            }
        }
    }
}
