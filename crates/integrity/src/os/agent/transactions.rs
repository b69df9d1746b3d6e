//! What dpkg wrote: explained for now by the program that it was, and held against dpkg's database and log when it
//! has ended. What does not agree then is told again, unexplained.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Agent;
use crate::change::Change;
use crate::journal::Told;
use crate::judge::{Aspect, Difference};
use crate::os::packages::{LogMark, hold_all, mark};
use crate::packages::DATABASE;
use crate::packages::transaction::Outcome;
use crate::path::FilePath;
use crate::process::Who;
use crate::why::{Cause, Why};

/// The one program whose database is read.
const DPKG: &str = "/usr/bin/dpkg";
/// It has ended when it has written nothing for so long;
const QUIET: Duration = Duration::from_secs(5);
/// if it has not, it is looked again after this,
const AGAIN: Duration = Duration::from_secs(10);
/// for so long.
const LONGEST: Duration = Duration::from_secs(1800);
/// A step is logged before its files are written, by no more than this.
const BEFORE: Duration = Duration::from_secs(600);
const MARK_EVERY: Duration = Duration::from_secs(60);
/// So many paths are held against the database; the comparison with packages finds the others.
const MOST: usize = 20_000;

/// Changes by their paths.
type Changes = BTreeMap<FilePath, Vec<Change>>;
type Found = Result<BTreeMap<FilePath, Outcome>, String>;

/// Changes that dpkg made and that wait to be held against what it says of them.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    marks: VecDeque<(Instant, Option<LogMark>)>,
    waits: Changes,
    since: Option<LogMark>,
    first: Option<Instant>,
    last: Option<Instant>,
    not_before: Option<Instant>,
    under_way: Option<(Changes, Receiver<Found>)>,
}

impl Transactions {
    /// Takes a change that only the program explains.
    pub(super) fn note(&mut self, change: &Change) {
        let Who::Process(process) = &change.who else { return };
        let database = change.finding.path.as_bytes().starts_with(DATABASE.as_bytes());
        let is_it =
            change.why == Why::Explained(Cause::Package) && process.exe == DPKG && !database;
        if !is_it || self.waits.len() >= MOST {
            return;
        }
        let now = Instant::now();
        if self.first.is_none() {
            self.since = self.marks.front().and_then(|(_, mark)| *mark);
            self.first = Some(now);
        }
        self.last = Some(now);
        self.waits.entry(change.finding.path.clone()).or_default().push(change.clone());
    }

    fn is_due(&self, now: Instant) -> bool {
        let is_quiet = self.last.is_some_and(|last| now - last >= QUIET);
        !self.waits.is_empty() && is_quiet && self.not_before.is_none_or(|due| due <= now)
    }
}

impl Agent<'_> {
    /// Takes note of how far dpkg's log is, once in a while.
    pub(super) fn mark_log(&mut self) {
        let now = Instant::now();
        let marks = &mut self.transactions.marks;
        if marks.back().is_some_and(|(at, _)| now - *at < MARK_EVERY) {
            return;
        }
        marks.push_back((now, mark(&mut self.root)));
        while marks.get(1).is_some_and(|(at, _)| now - *at >= BEFORE) {
            marks.pop_front();
        }
    }

    /// Holds what dpkg wrote against what it says of it, when it has ended. Says whether anything was told.
    pub(super) fn see_transactions(&mut self) -> bool {
        let now = Instant::now();
        let Some((changes, under_way)) = self.transactions.under_way.take() else {
            if self.transactions.is_due(now) {
                self.begin_transaction();
            }
            return false;
        };
        let found = match under_way.try_recv() {
            Err(TryRecvError::Empty) => {
                self.transactions.under_way = Some((changes, under_way));
                return false;
            }
            Err(TryRecvError::Disconnected) => Err("it ended before it was over".to_owned()),
            Ok(found) => found,
        };
        let is_late = self.transactions.first.is_none_or(|first| now - first >= LONGEST);
        match found {
            Err(_) if !is_late => {
                self.transactions.not_before = Some(now + AGAIN);
                for (path, more) in changes {
                    self.transactions.waits.entry(path).or_default().splice(..0, more);
                }
                return false;
            }
            Err(why) => {
                for change in changes.into_values().filter_map(|mut all| all.pop()) {
                    self.tell_otherwise(change, why.clone());
                }
            }
            Ok(found) => self.take_outcomes(changes, found),
        }
        if self.transactions.waits.is_empty() {
            (self.transactions.first, self.transactions.last) = (None, None);
        }
        self.transactions.not_before = None;
        true
    }

    fn begin_transaction(&mut self) {
        let changes = std::mem::take(&mut self.transactions.waits);
        let paths: BTreeSet<FilePath> = changes.keys().cloned().collect();
        let (root, since) = (self.settings.root.clone(), self.transactions.since);
        let (sender, receiver) = sync_channel(1);
        let hold = move || {
            // Nobody waits for it any more only where the agent has ended.
            let _ = sender.send(hold_all(&root, &paths, since));
        };
        // Where there is no thread, nobody sends, and it is tried again.
        let _ = thread::Builder::new().name("transaction".to_owned()).spawn(hold);
        self.transactions.under_way = Some((changes, receiver));
    }

    fn take_outcomes(&mut self, changes: Changes, mut found: BTreeMap<FilePath, Outcome>) {
        for (path, mut all) in changes {
            match found.remove(&path) {
                Some(Outcome::Agrees(transaction)) => {
                    for change in all {
                        let why = Why::Explained(Cause::Transaction(transaction.clone()));
                        self.tell(Told::Settled { change: change.id, why });
                    }
                }
                other => {
                    let why = match other {
                        Some(Outcome::Differs(why)) => why,
                        _ => "nothing is known of it".to_owned(),
                    };
                    let Some(change) = all.pop() else { continue };
                    self.tell_otherwise(change, why);
                }
            }
        }
    }

    /// Tells once more what nothing explains after all.
    fn tell_otherwise(&mut self, mut change: Change, found: String) {
        if let Some((entry, _)) = self.watch.governs(&change.finding.path) {
            change.finding.severity = entry.severity;
        }
        let expected = "as its package has it".to_owned();
        change.finding.differences.push(Difference { of: Aspect::Content, expected, found });
        change.why = Why::Unexplained;
        self.tell_change(Box::new(change));
    }
}
