//! What a machine holds of requests that name something: for a proof that they were kept and judged.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ringfort_audit::envelope::{Found, each};
use ringfort_audit::event::Event;
use ringfort_audit::lines::{Lines, MOST_BYTES};
use ringfort_model::act::{EventSeen, KeptSeen, TallySeen};
use ringfort_model::name::NodeName;
use serde::Deserialize;

use super::claim::public_key;
use super::look::{LookError, newest_checkpoint, of, read, search, verify_newest};
use super::share::heard;
use super::store::{FINDINGS, FINDINGS_BEFORE};
use super::tail::candidates;
use super::tally::Count;
use crate::format::checkpoint::hex;
use crate::format::query::{Hit, Query};
use crate::format::reported::{AGENTS, Reported};
use crate::format::witness::Note;

/// So far back is looked, in seconds.
const BACK_SECONDS: i64 = 900;
/// So much of what was sealed is read whole to be verified: a second or two.
const READ_BYTES: u64 = 32 << 20;

/// Where a machine keeps things, for a look at all of them.
#[derive(Clone, Debug)]
pub struct Places {
    /// What its API server logs.
    pub log: PathBuf,
    /// What is kept of that.
    pub store: PathBuf,
    /// What a witness signed of that.
    pub witnessed: PathBuf,
    /// How that compares with what the server counts.
    pub count: PathBuf,
    /// Where what other control planes keep is brought.
    pub together: PathBuf,
}

/// Looks at what of requests that hold a text stands in a log and in a store, what was found in them, and whether
/// the store is as it was written, also by its witness. A store that is not there holds nothing.
///
/// # Errors
/// A file cannot be read.
pub fn held(places: &Places, text: &str, now: jiff::Timestamp) -> Result<KeptSeen, LookError> {
    let Places { log, store, witnessed, count, together } = places;
    let since = now.as_microsecond() - BACK_SECONDS * 1_000_000;
    let tally = read(count)?.and_then(|bytes| Count::read(&bytes)).map(|it| compared(&it, now));
    // First, while it is `now`: how old they are is told.
    let mut seen = found(store, text, now)?;
    (seen.logged, seen.tally) = (logged(log, text, since)?, tally);
    seen.heard_ms = heard(together).map_err(of(together))?;
    let key = match public_key(store) {
        Ok(key) => key,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(seen),
        Err(error) => return Err(of(store)(error)),
    };
    seen.key = hex(&key.0);
    let query = Query::read(&format!("since={BACK_SECONDS}s"), now).expect("it is a query");
    search(store, &query, &mut |entry, hit| {
        if let Hit::Event(event) = hit
            && holds(entry.text, text)
        {
            seen.kept.insert(told(event));
        }
        true
    })?;
    let report = verify_newest(store, key, &[], READ_BYTES)?;
    (seen.segments, seen.entries) = (report.segments, report.entries + report.open);
    seen.unread = report.unread;
    let wrong = report.wrong.iter().map(|it| format!("segment {}: {}", it.segment, it.wrong));
    seen.wrong = wrong.chain(refused(store, witnessed)?).collect();
    Ok(seen)
}

/// Tells which detections found something in requests that hold a text, and how long ago that was asked.
fn found(store: &Path, text: &str, now: jiff::Timestamp) -> Result<KeptSeen, LookError> {
    let mut seen = KeptSeen::default();
    for file in [FINDINGS_BEFORE, FINDINGS] {
        let lines = read(&store.join(file))?.unwrap_or_default();
        let about = lines.split(|byte| *byte == b'\n').filter(|line| holds(line, text));
        for line in about.filter_map(|line| serde_json::from_slice::<Line>(line).ok()) {
            if let Some(ago_ms) = line.ago_ms(now) {
                let known = seen.found_ms.entry(line.detection.clone()).or_default();
                *known = ago_ms.max(*known);
            }
            seen.findings.insert(line.detection);
        }
    }
    Ok(seen)
}

fn compared(count: &Count, now: jiff::Timestamp) -> TallySeen {
    TallySeen {
        ago_s: now.as_second().abs_diff(count.at),
        rounds: count.tally.rounds,
        events: count.tally.events,
        missed: count.missed,
        unheard: count.unheard,
        trouble: count.trouble.clone(),
    }
}

/// Tells which changes, by the machines whose agents told them, a store keeps as those very agents delivered them. A
/// store that is not there keeps none.
///
/// # Errors
/// A file cannot be read.
pub fn reported(
    store: &Path,
    changes: &BTreeMap<NodeName, String>,
    now: jiff::Timestamp,
) -> Result<BTreeMap<NodeName, String>, LookError> {
    let mut kept = BTreeMap::new();
    let query = Query::read(&format!("since={BACK_SECONDS}s resource=files"), now);
    let query = query.expect("it is a query");
    search(store, &query, &mut |entry, hit| {
        let node = entry.source.strip_prefix(AGENTS).and_then(|node| NodeName::new(node).ok());
        if let (Hit::Finding(_), Some(node)) = (hit, node)
            && let Some(change) = changes.get(&node)
            && Reported::read(entry.text).is_some_and(|it| is_of(&it, change))
        {
            kept.insert(node, change.clone());
        }
        true
    })?;
    Ok(kept)
}

fn is_of(reported: &Reported<'_>, change: &str) -> bool {
    #[derive(Deserialize)]
    struct Line<'l> {
        told: &'l str,
        id: Option<&'l str>,
    }
    let line = serde_json::from_str::<Line<'_>>(reported.line.get());
    line.is_ok_and(|line| line.told == "change" && line.id == Some(change))
}

/// Says why the witness did not sign what it was shown last. Where the store ends again with what it signed before
/// that, it was shown another one meanwhile, and has nothing to sign.
fn refused(store: &Path, witnessed: &Path) -> Result<Option<String>, LookError> {
    let lines = read(witnessed)?.unwrap_or_default();
    let whole = lines.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let notes: Vec<Option<Note>> = whole.map(Note::read).collect();
    let Some(last) = notes.last() else { return Ok(None) };
    let Some(last) = last else {
        return Ok(Some("what its witness signed cannot be read".to_owned()));
    };
    let Some(why) = &last.refused else { return Ok(None) };
    let signed = notes.iter().rev().flatten().find(|note| note.refused.is_none());
    let newest = newest_checkpoint(store)?;
    let is_back = signed.is_some_and(|note| newest == Some(note.signed.statement.clone()));
    Ok((!is_back).then(|| format!("{} does not countersign: {why}", last.machine)))
}

#[derive(Deserialize)]
struct Line {
    detection: String,
    #[serde(default)]
    time: String,
}

impl Line {
    /// Says how long ago the request was that it is about; nothing where no time is told, or one to come.
    fn ago_ms(&self, now: jiff::Timestamp) -> Option<u64> {
        let asked: jiff::Timestamp = self.time.parse().ok()?;
        u64::try_from(now.as_millisecond() - asked.as_millisecond()).ok()
    }
}

/// Reads what a log holds, also of its files that were written to lately and rotated.
fn logged(log: &Path, text: &str, since: i64) -> Result<BTreeSet<EventSeen>, LookError> {
    let mut logged = BTreeSet::new();
    let mut buffer = vec![0; 1 << 18];
    for candidate in candidates(log).map_err(of(log))? {
        if candidate.written / 1_000 < since {
            continue;
        }
        let (mut source, _) = candidate.open().map_err(of(log))?;
        let mut lines = Lines::with_most(MOST_BYTES);
        loop {
            let count = source.read(&mut buffer).map_err(of(log))?;
            if count == 0 {
                break;
            }
            lines.push(&buffer[..count], &mut |_, line| {
                if let Some(line) = line.ok().filter(|line| holds(line, text)) {
                    each(line, &mut |found| {
                        if let Found::Event(event) = found {
                            logged.insert(told(event));
                        }
                    });
                }
            });
        }
    }
    Ok(logged)
}

fn holds(line: &[u8], text: &str) -> bool {
    std::str::from_utf8(line).is_ok_and(|line| line.contains(text))
}

fn told(event: &Event<'_>) -> EventSeen {
    let resource = match event.subresource() {
        "" => event.resource().to_owned(),
        part => format!("{}/{part}", event.resource()),
    };
    EventSeen { id: event.audit_id.to_string(), verb: event.verb.to_string(), resource }
}
