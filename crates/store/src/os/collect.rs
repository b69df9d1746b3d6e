//! Collects: what a log brings is judged and kept, piece after piece. A finding is told whether or not there is
//! room to keep its event; nothing counts as kept before it is durable.

mod recent;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use ringfort_audit::across::{Across, HOLD, Whose, written};
use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use ringfort_audit::finding::Finding;
use ringfort_pki::Ed25519Key;
use serde::{Deserialize, Serialize};

use self::recent::Recent;
use super::disk::Disk;
use super::neighbours::{Neighbours, TOGETHER_SECONDS, Together};
use super::received::{Outlet, Received};
use super::store::{
    AppendError, Limits, Store, StoreError, UNJUDGED, USUAL, USUAL_TOGETHER, WAITING,
};
use super::tail::{Cursor, Line, Tail};
use super::unjudged::{Blind, Unjudged, of_event};
use crate::format::checkpoint::Signed;
use crate::format::entry::{Entry, Kind};
use crate::format::reported::{OF_A_PROOF, Reported};

/// What is collected, from where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The log.
    pub log: PathBuf,
    /// What its entries are called after: the machine.
    pub source: String,
    /// When segments are sealed and removed.
    pub limits: Limits,
}

/// Why nothing can be collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log.
    #[error("the log cannot be read: {0}")]
    Log(#[source] io::Error),
    /// What others delivered.
    #[error("what was received cannot be read: {0}")]
    Received(#[source] io::Error),
    /// What others keep.
    #[error("what others keep cannot be taken: {0}")]
    Brought(#[source] io::Error),
    /// What the store says of where the log was read to.
    #[error("the store does not say where the log was read to in a way that is understood")]
    Cursor,
}

/// How much of everything there was since this run began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Lines that were read.
    pub lines: u64,
    /// Lines that are kept.
    pub kept: u64,
    /// Lines that were kept already.
    pub duplicates: u64,
    /// Events in lines that are kept.
    pub events: u64,
    /// Lines that cannot be read, in part or whole; they are kept.
    pub unreadable: u64,
    /// Lines that are too long to be kept: lost.
    pub too_long: u64,
    /// How often a file was gone or cut before it was read to its end: something may be lost.
    pub gaps: u64,
    /// Findings.
    pub findings: u64,
    /// Findings that agents of machines delivered.
    pub reported: u64,
    /// Bytes of a write that did not end, before this run.
    pub torn: u64,
    /// Entries that were durable and were cut off the end before this run. What of them the log still has is read
    /// again.
    pub cut: u64,
    /// Whether what was written before this run was damaged.
    pub damaged: bool,
    /// What was read and could not be judged, in part or whole.
    pub unjudged: Unjudged,
    /// What was judged together with what other machines keep.
    pub together: Together,
}

/// What is told while it happens.
#[derive(Debug)]
pub enum Told {
    /// Something was found.
    Finding(Box<Finding>),
    /// A segment was sealed.
    Sealed(Signed),
    /// A file was gone or cut before it was read to its end.
    Gap,
}

/// What collects.
pub struct Collector<D> {
    store: Store<D>,
    tail: Tail,
    source: String,
    engine: Engine,
    recent: Recent,
    counts: Counts,
    cursors: BTreeMap<String, Cursor>,
    /// What was read and is not kept yet.
    batch: Vec<Waiting>,
    /// How many bytes that is.
    waiting: usize,
    /// What was found, and is not written down yet.
    noted: Vec<u8>,
    /// What others delivered.
    received: Option<Outlet<D>>,
    /// What others' servers logged, where it is judged with what this one did.
    neighbours: Option<Neighbours<D>>,
    /// Up to when the log was read, in microseconds.
    read: i64,
    /// Whether there was more in it.
    has_more: bool,
    /// What is done between one line and the next, so often that nobody takes this for hanging.
    between: fn(),
    /// What an earlier run kept and did not judge together.
    left: Left,
    /// What could not be judged, as far as it is known and told.
    blind: Blind,
    /// What callers usually do is to be written down.
    is_learned: bool,
}

/// What was kept, and waited for what others' servers logged when the run ended.
#[derive(Default)]
struct Left {
    /// When it was written, in microseconds; nothing where nothing waited.
    since: Option<i64>,
    /// The lines, with what was found in each by itself.
    lines: Vec<(Vec<u8>, Vec<Finding>)>,
}

/// What a run writes down of it when it ends. Behind another entry it is long over.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Unfinished {
    since: Option<i64>,
    last: u64,
}

struct Waiting {
    /// Who delivered it, where it is no line of the log.
    source: Option<String>,
    time: i64,
    kind: Kind,
    text: Vec<u8>,
}

impl<D: Disk> Collector<D> {
    /// Opens the store and goes on where it was left. What was kept lately is known again, so that it is not kept twice,
    /// and judged once more, and not told.
    ///
    /// # Errors
    /// The store cannot be opened, or says something of the log that is not understood.
    pub fn new(
        disk: D,
        key: Ed25519Key,
        settings: &Settings,
        mut engine: Engine,
        seconds: i64,
    ) -> Result<Self, CollectError> {
        let (store, found) = Store::open(disk, key, settings.limits, seconds)?;
        let cursors: BTreeMap<String, Cursor> = match store.cursors() {
            [] => BTreeMap::new(),
            said => serde_json::from_slice(said).map_err(|_| CollectError::Cursor)?,
        };
        let tail = Tail::new(&settings.log, cursors.get(&settings.source).cloned());
        let (torn, cut, damaged) = (found.torn, found.cut, found.is_damaged);
        let counts = Counts { torn, cut, damaged, ..Counts::default() };
        let mut recent = Recent::default();
        let is_forgotten = store.beside(USUAL)?.is_some_and(|usual| !engine.learned(&usual));
        let before = store.beside(UNJUDGED)?;
        let unfinished = store.beside(WAITING)?;
        let unfinished = unfinished.and_then(|it| serde_json::from_slice::<Unfinished>(&it).ok());
        let unfinished = unfinished.filter(|it| it.last == store.last().0);
        let mut left = Left { since: unfinished.and_then(|it| it.since), lines: Vec::new() };
        recall(&store, &mut engine, (&mut recent, &mut left), seconds)
            .map_err(|source| StoreError::File { name: SEALED.to_owned(), source })?;
        let blind = Blind::new(&engine, before.as_deref(), is_forgotten);
        Ok(Self {
            blind,
            is_learned: false,
            store,
            tail,
            source: settings.source.clone(),
            engine,
            recent,
            counts,
            cursors,
            batch: Vec::new(),
            waiting: 0,
            noted: Vec::new(),
            received: None,
            neighbours: None,
            read: i64::MIN,
            has_more: false,
            between: || (),
            left,
        })
    }

    /// Judges also what others' servers logged, together with what this one did. What was kept just now is judged once
    /// more, and not told; what waited when the run before ended is judged now.
    ///
    /// # Errors
    /// What an earlier run kept cannot be read.
    pub fn join(
        &mut self,
        mut neighbours: Neighbours<D>,
        seconds: i64,
    ) -> Result<(), CollectError> {
        let (across, left) = (neighbours.across(), std::mem::take(&mut self.left));
        // Whoever is known here is nobody new to all of them.
        let usual = [self.store.beside(USUAL_TOGETHER)?, self.store.beside(USUAL)?];
        let mut usual = usual.into_iter().flatten().peekable();
        if usual.peek().is_some() && !usual.any(|usual| across.learned(&usual)) {
            self.blind.forgot();
        }
        // Up to when the own log was read: its newest line says so itself, and no clock. Where that is not known, it may
        // be read from long ago, as by a store that is new beside an old log.
        let (now, mut last) = (seconds * 1_000_000, i64::MIN);
        let recalled =
            self.store.replay(seconds - TOGETHER_SECONDS, RECALLED_BYTES, &mut |entry| {
                if entry.kind == Kind::Finding {
                    return;
                }
                let time = across.recall(entry.text, left.since);
                if entry.source == self.source && entry.kind == Kind::Event {
                    last = time.filter(|time| *time <= now).unwrap_or(last);
                }
            });
        recalled.map_err(|source| StoreError::File { name: SEALED.to_owned(), source })?;
        for (line, found) in &left.lines {
            across.hear(line, Whose::Own, found, now);
        }
        neighbours.recalled();
        let left_off = left.since.map_or(last, |since| since.min(last));
        neighbours.begin(left_off, now).map_err(CollectError::Brought)?;
        self.neighbours = Some(neighbours);
        Ok(())
    }

    /// Lets something be done between lines, however long judging them takes.
    pub fn between(&mut self, lines: fn()) {
        self.between = lines;
    }

    /// Keeps what others delivered as well.
    pub fn receive(&mut self, received: Outlet<D>) {
        self.received = Some(received);
    }

    /// How much of everything there was.
    pub fn counts(&self) -> Counts {
        let (starved, forgotten) = self.blind.of(&self.engine);
        let unjudged = Unjudged { starved, forgotten, ..self.counts.unjudged };
        let together = self.neighbours.as_ref().map(Neighbours::counts).unwrap_or_default();
        Counts { unjudged, together, ..self.counts }
    }

    /// The store that is written to.
    pub fn store(&self) -> &Store<D> {
        &self.store
    }

    /// Whether as much waits to be kept as may.
    pub fn is_full(&self) -> bool {
        self.waiting >= MOST_WAITING
    }

    /// Reads a piece of the log, tells what is found in it, and holds it until it is kept. Says whether there was
    /// any. Nothing more is read while as much waits as may.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn read(&mut self, now: i64, tell: &mut dyn FnMut(Told)) -> Result<bool, CollectError> {
        if self.is_full() {
            return Ok(true);
        }
        let (counts, recent, batch) = (&mut self.counts, &mut self.recent, &mut self.batch);
        let waiting = &mut self.waiting;
        let (engine, source) = (&mut self.engine, self.source.as_str());
        let (noted, blind, read) = (&mut self.noted, &mut self.blind, &mut self.read);
        let mut across = self.neighbours.as_mut().map(Neighbours::across);
        let between = self.between;
        let mut found = |told: Told| {
            if let Told::Finding(finding) = &told {
                note(noted, finding);
            }
            tell(told);
        };
        let is_more = self.tail.look(&mut |line| {
            let (text, is_cut) = match line {
                Line::Whole(text) => (text, false),
                Line::Cut(text) => (text, true),
                Line::TooLong => {
                    blind.first(|| "a line that is too long".to_owned());
                    return counts.too_long += 1;
                }
                Line::Gap => {
                    counts.gaps += 1;
                    return found(Told::Gap);
                }
            };
            counts.lines += 1;
            if counts.lines.is_multiple_of(BETWEEN) {
                between();
            }
            let entry = Entry { source, time: now, kind: Kind::Event, text };
            if !recent.is_new(entry.key()) {
                counts.duplicates += 1;
                return;
            }
            let by = (&mut *engine, &mut *blind, across.as_deref_mut());
            let (time, kind) = judge(text, now, by, counts, &mut found);
            *read = time.min(now).max(*read);
            if is_cut {
                blind.first(|| "half a line at the end of a file".to_owned());
            }
            let kind = if is_cut { Kind::Unreadable } else { kind };
            counts.unreadable += u64::from(kind == Kind::Unreadable);
            *waiting += text.len();
            batch.push(Waiting { source: None, time, kind, text: text.to_vec() });
        });
        self.has_more = matches!(is_more, Ok(true));
        if matches!(is_more, Ok(false)) {
            self.read = now;
        }
        // Also while the log cannot be read: others deliver.
        let counts = self.counts();
        let findings = self.blind.findings(&self.source, &counts, now);
        self.tell_of(findings, tell);
        is_more.map_err(CollectError::Log)
    }

    /// Takes what others delivered, tells what it is, and holds it until it is kept. Says whether there was any.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn take(&mut self, now: i64, tell: &mut dyn FnMut(Told)) -> Result<bool, CollectError> {
        let is_full = self.is_full();
        let Some(received) = self.received.as_mut().filter(|_| !is_full) else { return Ok(false) };
        let lines = received.give().map_err(CollectError::Received)?;
        let is_more = !lines.is_empty();
        for Received { source, kind, text } in lines {
            let entry = Entry { source: &source, time: now, kind, text: text.as_bytes() };
            if !self.recent.is_new(entry.key()) {
                self.counts.duplicates += 1;
                continue;
            }
            let (time, kind) = self.received(kind, text.as_bytes(), now, tell);
            self.counts.unreadable += u64::from(kind == Kind::Unreadable);
            self.waiting += text.len();
            self.batch.push(Waiting { source: Some(source), time, kind, text: text.into_bytes() });
        }
        Ok(is_more)
    }

    /// Tells what a line is that was delivered. Gives its time, and what it is kept as.
    fn received(
        &mut self,
        kind: Kind,
        text: &[u8],
        now: i64,
        tell: &mut dyn FnMut(Told),
    ) -> (i64, Kind) {
        let noted = &mut self.noted;
        let mut tell = |told: Told| {
            if let Told::Finding(finding) = &told {
                note(noted, finding);
            }
            tell(told);
        };
        match (kind, Reported::read(text)) {
            (Kind::Event, _) => {
                let across = self.neighbours.as_mut().map(Neighbours::across);
                let by = (&mut self.engine, &mut self.blind, across);
                judge(text, now, by, &mut self.counts, &mut tell)
            }
            (Kind::Finding, Some(Reported { finding, .. })) => {
                let told = finding.time.parse::<jiff::Timestamp>();
                self.counts.reported += 1;
                if finding.detection != OF_A_PROOF {
                    tell(Told::Finding(Box::new(finding)));
                }
                (told.map_or(now, jiff::Timestamp::as_microsecond), kind)
            }
            _ => {
                self.blind.first(|| "what an agent delivered and is no finding".to_owned());
                (now, Kind::Unreadable)
            }
        }
    }

    /// Takes what others' servers logged, judges it with what this one did, and tells what ends with an event of this one.
    /// Ends when it is over, as is asked between, and goes on from there. While the own log is read from long ago, nothing
    /// of others is taken. Says whether there was any.
    ///
    /// # Errors
    /// What was brought cannot be taken; what came before it was judged.
    pub fn judge_together(
        &mut self,
        now: i64,
        is_over: &mut dyn FnMut() -> bool,
        tell: &mut dyn FnMut(Told),
    ) -> Result<bool, CollectError> {
        let is_long_ago = self.has_more && self.read < now.saturating_sub(HOLD);
        let Some(neighbours) = &mut self.neighbours else { return Ok(false) };
        let taken = if is_long_ago { Ok(false) } else { neighbours.take(now, is_over) };
        let mut findings = neighbours.away(&self.source, now);
        let is_more = neighbours.judge((now, self.read), is_over, &mut findings);
        self.tell_of(findings, tell);
        taken.map(|is_any| is_any || is_more).map_err(CollectError::Brought)
    }

    fn tell_of(&mut self, findings: Vec<Finding>, tell: &mut dyn FnMut(Told)) {
        for finding in findings {
            self.counts.findings += 1;
            note(&mut self.noted, &finding);
            tell(Told::Finding(Box::new(finding)));
        }
    }

    /// Keeps what waits. Seals and removes what it is time for.
    ///
    /// # Errors
    /// Nothing of it is kept, and it still waits.
    pub fn keep(&mut self, seconds: i64, tell: &mut dyn FnMut(Told)) -> Result<(), AppendError> {
        // Before the events: those that are kept are not judged again.
        if !self.noted.is_empty() {
            self.store.note(&self.noted)?;
            self.noted.clear();
        }
        let cursor = self.tail.cursor();
        let is_moved = cursor.is_some() && self.cursors.get(&self.source) != cursor;
        if is_moved || !self.batch.is_empty() {
            if let Some(cursor) = cursor {
                self.cursors.insert(self.source.clone(), cursor.clone());
            }
            let cursors = serde_json::to_vec(&self.cursors).expect("cursors are plain data");
            let own = self.source.as_str();
            let entries = self.batch.iter().map(|Waiting { source, time, kind, text }| {
                let source = source.as_deref().unwrap_or(own);
                Entry { source, time: *time, kind: *kind, text }
            });
            let entries: Vec<Entry<'_>> = entries.collect();
            if let Err(error) = self.store.append(&entries, &cursors, seconds) {
                // Else it would look as if the cursor were durable.
                self.cursors.remove(&self.source);
                return Err(error);
            }
            self.counts.kept += entries.len() as u64;
            self.batch.clear();
            self.waiting = 0;
        }
        // Only now: what was delivered is nowhere else.
        if let Some(received) = &mut self.received {
            received.kept()?;
        }
        if let Some(sealed) = self.store.tend(seconds)? {
            tell(Told::Sealed(sealed));
            self.is_learned = true;
        }
        // What is learned in the segment that is written to is recalled from it.
        if self.is_learned {
            self.put_usual()?;
            self.is_learned = false;
        }
        if self.blind.is_due(&self.counts(), seconds) {
            self.put_unjudged(seconds)?;
        }
        Ok(())
    }

    fn put_usual(&mut self) -> Result<(), AppendError> {
        self.store.put_beside(USUAL, self.engine.usual().as_bytes())?;
        match &self.neighbours {
            Some(of) => self.store.put_beside(USUAL_TOGETHER, of.usual().as_bytes()),
            None => Ok(()),
        }
    }

    fn put_unjudged(&mut self, seconds: i64) -> Result<(), AppendError> {
        let counts = self.counts();
        self.store.put_beside(UNJUDGED, self.blind.total(&counts).to_string().as_bytes())?;
        self.blind.was_put(&counts, seconds);
        Ok(())
    }

    /// Writes down how far it came, before it ends, and what still waits for what others' servers logged: the next run
    /// judges it.
    ///
    /// # Errors
    /// It cannot be written; nothing is lost by it.
    pub fn end(&mut self, seconds: i64) -> Result<(), AppendError> {
        self.store.mark(seconds)?;
        self.put_usual()?;
        self.put_unjudged(seconds)?;
        let Some(neighbours) = &mut self.neighbours else { return Ok(()) };
        let since = neighbours.across().waiting();
        let unfinished = Unfinished { since, last: self.store.last().0 };
        let unfinished = serde_json::to_vec(&unfinished).expect("numbers are plain data");
        self.store.put_beside(WAITING, &unfinished)
    }
}

/// So often, in lines, something is done between: each may take part of a second, and all of a piece minutes.
const BETWEEN: u64 = 64;
/// So much is held at most before it is kept, and a piece of the log more.
const MOST_WAITING: usize = 4 << 20;
/// What was kept within this many seconds is recalled at the start, since detections count and compare with what was
/// before, and a log that changed is read again from its beginning,
const RECALLED_SECONDS: i64 = 86_400;
/// as far as it is no longer than this, packed: nobody waits for long until the collector goes on.
const RECALLED_BYTES: u64 = 32 << 20;
/// What is named where a segment cannot be read.
const SEALED: &str = "a sealed segment";

fn recall<D: Disk>(
    store: &Store<D>,
    engine: &mut Engine,
    (recent, left): (&mut Recent, &mut Left),
    seconds: i64,
) -> io::Result<()> {
    let mut told_before = Vec::new();
    let since = left.since;
    let is_left = |text: &[u8]| since.is_some_and(|since| written(text) >= Some(since));
    store.replay(seconds - RECALLED_SECONDS, RECALLED_BYTES, &mut |entry| {
        recent.is_new(entry.key());
        each(entry.text, &mut |found| {
            if let Found::Event(event) = found {
                let _ = engine.judge(event, &mut told_before);
            }
        });
        let told = std::mem::take(&mut told_before);
        if entry.kind != Kind::Finding && is_left(entry.text) {
            left.lines.push((entry.text.to_vec(), told));
        }
    })
}

/// Writes down a finding.
fn note(noted: &mut Vec<u8>, finding: &Finding) {
    serde_json::to_writer(&mut *noted, finding).expect("a finding is plain data");
    noted.push(b'\n');
}

/// Judges a line. Gives its time and whether it can be read.
fn judge(
    text: &[u8],
    now: i64,
    (engine, blind, across): (&mut Engine, &mut Blind, Option<&mut Across>),
    counts: &mut Counts,
    tell: &mut dyn FnMut(Told),
) -> (i64, Kind) {
    let (mut time, mut kind, mut findings) = (None, Kind::Event, Vec::new());
    let (mut logged, mut is_asked) = (None, false);
    each(text, &mut |found| match found {
        Found::Event(event) => {
            counts.events += 1;
            time = time.or_else(|| event.microseconds());
            logged = logged.or_else(|| event.written());
            is_asked |= across.as_deref().is_some_and(|across| across.asks(event));
            // A body that cannot be judged is of an event that can be read.
            if let Some(why) = engine.judge(event, &mut findings) {
                counts.unjudged.add(&why);
                blind.first(|| of_event(event, &why));
            }
        }
        Found::Other => {}
        Found::Fault(why) => {
            blind.first(|| format!("a line of {} bytes: {why}", text.len()));
            kind = Kind::Unreadable;
        }
    });
    if let Some(across) = across.filter(|_| is_asked) {
        across.hold(text, logged, (Whose::Own, &findings), now);
    }
    counts.findings += findings.len() as u64;
    findings.into_iter().for_each(|finding| tell(Told::Finding(Box::new(finding))));
    (time.unwrap_or(now), kind)
}
