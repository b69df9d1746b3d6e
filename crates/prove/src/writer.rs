//! Writes steadily through one balancer, takes note of it, and says afterwards what was met.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use ringfort_api::Cluster;
use ringfort_model::act::{WRITE_LIMIT_MS, Writes};

/// Time between two writes.
const PACE: Duration = Duration::from_millis(100);

/// Somebody who writes.
pub(crate) struct Writer<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
    /// What the names of its objects begin with.
    prefix: String,
    notes: Mutex<Notes>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(cluster: &'a Cluster, namespace: &'a str, prefix: String) -> Self {
        Self { cluster, namespace, prefix, notes: Mutex::new(Notes::begun(Instant::now())) }
    }

    /// Writes until it is over.
    pub(crate) async fn write(&self, over: &AtomicBool) {
        while !over.load(Ordering::Relaxed) {
            let number = self.noted(Notes::tries);
            let sent = Instant::now();
            let object = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": self.name(number), "namespace": self.namespace},
            });
            let limit = Duration::from_millis(WRITE_LIMIT_MS);
            let write = tokio::time::timeout(limit, self.cluster.create(&object)).await;
            if let Ok(Ok(_)) = write {
                let heard = Instant::now();
                self.noted(|notes| notes.acknowledged.push(Acknowledged { number, sent, heard }));
            }
            tokio::time::sleep(PACE).await;
        }
        self.noted(|notes| notes.ended = Instant::now());
    }

    /// Says whether writes that were sent after a time have been acknowledged for so long.
    pub(crate) fn goes_on(&self, since: Instant, time: Duration) -> bool {
        self.noted(|notes| notes.go_on(since, time))
    }

    /// Says what it met, where these objects are there.
    pub(crate) fn met(&self, times: &Times, there: &BTreeSet<String>) -> Writes {
        self.noted(|notes| notes.met(times, |number| there.contains(&self.name(number))))
    }

    fn name(&self, number: u64) -> String {
        format!("{}-{number}", self.prefix)
    }

    /// A note is whole at any time.
    fn noted<T>(&self, look: impl FnOnce(&mut Notes) -> T) -> T {
        look(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// When a part was stopped, was told to start, and was back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) stopped: Instant,
    pub(crate) started: Instant,
    pub(crate) back: Instant,
}

/// What a writer takes note of.
#[derive(Debug)]
struct Notes {
    begun: Instant,
    tried: u64,
    acknowledged: Vec<Acknowledged>,
    ended: Instant,
}

/// A write that was acknowledged.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    number: u64,
    sent: Instant,
    heard: Instant,
}

impl Notes {
    fn begun(at: Instant) -> Self {
        Self { begun: at, tried: 0, acknowledged: Vec::new(), ended: at }
    }

    /// Gives the number of the next write.
    fn tries(&mut self) -> u64 {
        self.tried += 1;
        self.tried
    }

    fn go_on(&self, since: Instant, time: Duration) -> bool {
        let mut heard =
            self.acknowledged.iter().filter(|write| write.sent >= since).map(|write| write.heard);
        let (first, last) = (heard.next(), heard.next_back());
        first.zip(last).is_some_and(|(first, last)| last.duration_since(first) >= time)
    }

    fn met(&self, times: &Times, is_there: impl Fn(u64) -> bool) -> Writes {
        let count = |is_it: &dyn Fn(&Acknowledged) -> bool| {
            self.acknowledged.iter().filter(|write| is_it(write)).count() as u64
        };
        Writes {
            tried: self.tried,
            acknowledged: self.acknowledged.len() as u64,
            while_down: count(&|w| w.sent >= times.stopped && w.heard <= times.started),
            after: count(&|write| write.sent >= times.back),
            lost: count(&|write| !is_there(write.number)),
            longest_pause_ms: millis(self.longest_pause()),
        }
    }

    /// The longest time without an acknowledgement, before the first and since the last included.
    fn longest_pause(&self) -> Duration {
        let mut last = self.begun;
        let heard = self.acknowledged.iter().map(|write| write.heard).chain([self.ended]);
        let pauses = heard.map(|now| now.duration_since(std::mem::replace(&mut last, now)));
        pauses.max().unwrap_or_default()
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Acknowledged, Notes, Times, Writes};

    /// Notes of writes that were sent and acknowledged at these milliseconds, made until another.
    fn notes(begun: Instant, writes: &[(u64, u64)], ended_ms: u64) -> Notes {
        let at = |ms| begun + Duration::from_millis(ms);
        let mut notes = Notes::begun(begun);
        for (sent, heard) in writes {
            let number = notes.tries();
            let (sent, heard) = (at(*sent), at(*heard));
            notes.acknowledged.push(Acknowledged { number, sent, heard });
        }
        notes.ended = at(ended_ms);
        notes
    }

    #[test]
    fn what_a_writer_met_is_told_by_when_it_was() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let times = Times { stopped: at(1_000), started: at(5_000), back: at(8_000) };
        let check = |writes: &[(u64, u64)], (while_down, after): (u64, u64), pause_ms: u64| {
            let met = notes(begun, writes, 10_000).met(&times, |number| number != 2);
            let tried = writes.len() as u64;
            let lost = u64::from(tried > 1);
            let longest_pause_ms = pause_ms;
            let acknowledged = tried;
            let expected =
                Writes { tried, acknowledged, while_down, after, lost, longest_pause_ms };
            assert_eq!(met, expected, "{writes:?}");
        };
        check(&[(0, 400), (2_000, 2_100), (8_100, 8_200), (9_000, 9_900)], (1, 2), 6_100);
        // One that was on its way when the part was stopped, or when it was told to start, shows nothing.
        check(&[(900, 1_100), (4_900, 5_100), (7_900, 8_100)], (0, 0), 4_000);
        // Who stops for good, or begins late, has paused.
        check(&[(0, 400), (2_000, 2_100)], (1, 0), 7_900);
        check(&[(9_000, 9_100)], (0, 1), 9_100);
        check(&[], (0, 0), 10_000);
    }

    #[test]
    fn writes_go_on_that_were_sent_after_a_time_and_acknowledged_for_so_long() {
        let begun = Instant::now();
        let since = begun + Duration::from_millis(1_000);
        let check = |writes: &[(u64, u64)], goes_on: bool| {
            let seen = notes(begun, writes, 0).go_on(since, Duration::from_secs(2));
            assert_eq!(seen, goes_on, "{writes:?}");
        };
        check(&[(1_000, 1_200), (1_300, 3_200)], true);
        check(&[(1_000, 1_200), (1_300, 3_199)], false);
        // What was sent before says nothing, and neither does one alone.
        check(&[(900, 1_100), (1_200, 2_000), (2_100, 3_900)], false);
        check(&[(1_000, 9_000)], false);
        check(&[], false);
    }
}
