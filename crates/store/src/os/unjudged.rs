//! What could not be judged, by its reason: it is counted, found, and its number outlives the run. An event that nobody
//! could judge may be what somebody wanted nobody to judge.

use std::io;
use std::path::Path;

use ringfort_audit::engine::Engine;
use ringfort_audit::event::Event;
use ringfort_audit::fault::Why;
use ringfort_audit::finding::Finding;
use serde::Serialize;

use super::collect::Counts;
use super::look::{LookError, of, read};
use super::neighbours::Together;
use super::store::UNJUDGED;
use crate::format::reported::of_log;

/// What of events that can be read could not be judged, by its reason.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unjudged {
    /// Bodies that cannot be read.
    pub bodies: u64,
    /// Patches that do not fit what was there before.
    pub patches: u64,
    /// What a detection of somebody's own cannot be evaluated for.
    pub expressions: u64,
    /// Events without the bodies that detections ask for.
    pub starved: u64,
    /// How often something was forgotten for want of room, so that what takes many events may have been missed.
    pub forgotten: u64,
}

impl Unjudged {
    /// Counts one.
    pub(super) fn add(&mut self, why: &Why) {
        let of = match why {
            Why::Patch => &mut self.patches,
            Why::Expression { .. } => &mut self.expressions,
            _ => &mut self.bodies,
        };
        *of += 1;
    }
}

/// What of it is known and told.
pub(super) struct Blind {
    /// The first that nobody was told of yet.
    first: Option<String>,
    /// What could not be judged when somebody was told,
    told: Last<Counts>,
    /// and how many events lacked their bodies.
    starved: Last<u64>,
    /// What was counted before this run,
    before: u64,
    /// and of the engine while what was kept before was recalled.
    recalled: (u64, u64),
    /// The number that was written down last, and when, in seconds.
    put: (u64, i64),
    /// What an earlier run learned was not understood.
    is_forgotten: bool,
}

/// What there was of something when somebody was told of it, and when that was, in microseconds.
#[derive(Default)]
struct Last<T> {
    much: T,
    at: i64,
}

impl<T> Last<T> {
    /// Whether it is told again, if there is more by now. A clock that was set back keeps nobody silent.
    fn is_long_ago(&self, now: i64) -> bool {
        now.abs_diff(self.at) >= AGAIN
    }
}

/// Until it is told again, in microseconds.
const AGAIN: u64 = 3_600_000_000;
/// The number is written down so often at most, in seconds.
const PUT_SECONDS: i64 = 15;

impl Blind {
    /// Begins behind what was recalled.
    pub(super) fn new(engine: &Engine, before: Option<&[u8]>, is_forgotten: bool) -> Self {
        let before = before.and_then(number).unwrap_or(0);
        let recalled = (engine.starved(), engine.forgotten());
        let (told, starved) = (Last::default(), Last::default());
        Self { first: None, told, starved, before, recalled, put: (before, 0), is_forgotten }
    }

    /// Takes note of one, if it is the first that nobody was told of.
    pub(super) fn first(&mut self, said: impl FnOnce() -> String) {
        self.first.get_or_insert_with(said);
    }

    /// How often bodies were missing and how much was forgotten since this run began.
    pub(super) fn of(&self, engine: &Engine) -> (u64, u64) {
        (engine.starved() - self.recalled.0, engine.forgotten() - self.recalled.1)
    }

    /// Finds that something could not be judged, or lacked what it would be judged by: once, and again in an hour if it
    /// goes on.
    pub(super) fn findings(&mut self, source: &str, counts: &Counts, now: i64) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.starved(source, counts.unjudged.starved, now));
        if std::mem::take(&mut self.is_forgotten) {
            let said = "what callers usually do is not known any more: for a day nothing that they do counts as new";
            findings.push(of_log(source, "usual-forgotten", now, said.to_owned()));
        }
        let more = |of: fn(&Counts) -> u64| of(counts) - of(&self.told.much);
        let reasons = REASONS.map(|(name, of)| (name, more(of)));
        let reasons: Vec<_> = reasons.into_iter().filter(|(_, count)| *count > 0).collect();
        if reasons.is_empty() || !self.told.is_long_ago(now) {
            return findings;
        }
        let reasons: Vec<_> =
            reasons.into_iter().map(|(name, count)| format!("{name}: {count}")).collect();
        let mut said = format!("not everything could be judged: {}", reasons.join(", "));
        if let Some(first) = self.first.take() {
            said.push_str(&format!("; the first was {first}"));
        }
        self.told = Last { much: *counts, at: now };
        findings.push(of_log(source, "not-judged", now, said));
        findings
    }

    /// Finds that events come without the bodies that detections ask for.
    fn starved(&mut self, source: &str, starved: u64, now: i64) -> Option<Finding> {
        let more = starved - self.starved.much;
        if more == 0 || !self.starved.is_long_ago(now) {
            return None;
        }
        self.starved = Last { much: starved, at: now };
        let said = format!(
            "{more} events were logged without the bodies that detections ask for: the server does not log by the policy \
             that feeds them"
        );
        Some(of_log(source, "bodies-missing", now, said))
    }

    /// Takes note that what an earlier run learned was not understood.
    pub(super) fn forgot(&mut self) {
        self.is_forgotten = true;
    }

    /// How much it was, in this run and before it.
    pub(super) fn total(&self, counts: &Counts) -> u64 {
        let of_reasons: u64 = REASONS.iter().map(|(_, of)| of(counts)).sum();
        let own = [self.before, of_reasons, counts.unjudged.starved, counts.unjudged.forgotten];
        let Together { late, caught_up, early, alone, behind, unread, anew, forgotten, .. } =
            counts.together;
        let together = [late, caught_up, early, alone, behind, unread, anew, forgotten];
        // What others say of themselves makes nothing less.
        own.into_iter().chain(together).fold(0, u64::saturating_add)
    }

    /// Whether the number is to be written down.
    pub(super) fn is_due(&self, counts: &Counts, seconds: i64) -> bool {
        self.total(counts) != self.put.0 && (seconds - self.put.1).abs() >= PUT_SECONDS
    }

    /// It was written down.
    pub(super) fn was_put(&mut self, counts: &Counts, seconds: i64) {
        self.put = (self.total(counts), seconds);
    }
}

/// How much there is of something.
type Count = fn(&Counts) -> u64;

const REASONS: [(&str, Count); 5] = [
    ("lines that cannot be read", |counts| counts.unreadable),
    ("lines that are too long", |counts| counts.too_long),
    ("bodies that cannot be read", |counts| counts.unjudged.bodies),
    ("patches that do not fit", |counts| counts.unjudged.patches),
    ("own detections that cannot be evaluated", |counts| counts.unjudged.expressions),
];

/// Names an event and what of it could not be judged, without what a terminal would obey, and without what was sent.
pub(super) fn of_event(event: &Event<'_>, why: &Why) -> String {
    let parts = [&*event.user.username, &*event.verb, event.resource(), event.namespace()];
    let parts = parts.into_iter().chain([event.name()]).filter(|part| !part.is_empty());
    let words: Vec<String> = parts.map(plain).collect();
    format!("{}: {why}", words.join(" "))
}

const MOST: usize = 120;

fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(MOST).collect()
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// Gives how much the collector of a store could not judge, in whole or in part, ever.
///
/// # Errors
/// It cannot be read.
pub(super) fn unjudged(store: &Path) -> Result<u64, LookError> {
    let path = store.join(UNJUDGED);
    let Some(text) = read(&path)? else { return Ok(0) };
    number(&text).ok_or_else(|| of(&path)(io::Error::other("it is no number")))
}

#[cfg(test)]
mod tests {
    use ringfort_audit::engine::Engine;

    use super::{Blind, Counts, Unjudged};

    /// Also where the clock was wrong when somebody was told, and was set back by a day since.
    #[test]
    fn what_goes_on_is_told_once_an_hour_whichever_way_the_clock_goes() {
        let mut blind = Blind::new(&Engine::new(&[]), None, false);
        let mut much = 0;
        let mut told = |minutes: i64| {
            much += 1;
            let unjudged = Unjudged { starved: much, ..Unjudged::default() };
            let counts = Counts { too_long: much, unjudged, ..Counts::default() };
            let findings = blind.findings("cp1", &counts, minutes * 60_000_000);
            let names = findings.iter().map(|it| it.detection.to_string());
            names.collect::<Vec<_>>()
        };
        let both = ["audit/bodies-missing", "audit/not-judged"];
        let day = 1_440;
        assert_eq!(told(2 * day), both);
        assert_eq!(told(2 * day + 59), [""; 0]);
        assert_eq!(told(2 * day + 60), both);
        assert_eq!(told(day), both);
        assert_eq!(told(day - 1), [""; 0]);
    }
}
