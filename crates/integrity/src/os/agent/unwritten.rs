//! What cannot be written down, since a disk is full or does not answer: it is held in memory and tried again, hearing
//! goes on, and both is said.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use super::{Agent, now};
use crate::change::Blind;
use crate::journal::Told;

/// The journal, among what is written.
const JOURNAL: &str = "journal";

/// What cannot be written is tried again so often at most: all that is held is written each time.
const AGAIN: Duration = Duration::from_millis(500);

/// What could not be written when it was tried last.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// Since when the journal could not be, in seconds since 1970.
    since: Option<u64>,
    /// When that was tried last.
    tried: Option<Instant>,
    /// Why not, by files.
    files: BTreeMap<&'static str, String>,
}

impl Unwritten {
    /// Takes what came of writing a file.
    pub(super) fn note(&mut self, file: &'static str, done: io::Result<()>) {
        match done {
            Ok(()) => drop(self.files.remove(file)),
            Err(error) => drop(self.files.insert(file, error.to_string())),
        }
    }

    /// Writes a file that has what was told: only where the journal has it, too. Whoever begins anew tells nothing again
    /// that the file has.
    pub(super) fn after_journal(
        &mut self,
        file: &'static str,
        write: impl FnOnce() -> io::Result<()>,
    ) {
        let waits = || Err(io::Error::other("it waits for the journal"));
        let done = if self.is(JOURNAL) { waits() } else { write() };
        self.note(file, done);
    }

    /// Takes what came of writing the journal. Gives the time in which it could not be, when that is over.
    fn journal(&mut self, now: u64, done: io::Result<()>) -> Option<Blind> {
        let why = self.files.get(JOURNAL).cloned();
        self.note(JOURNAL, done);
        if self.is(JOURNAL) {
            self.since.get_or_insert(now);
            return None;
        }
        let (from, why) = (self.since.take()?, why.unwrap_or_default());
        let why = format!("what was heard could not be written down ({why}): it was told late");
        Some(Blind { from, until: now, why })
    }

    /// Says whether the journal is to be tried now, and takes it for tried.
    fn is_due(&mut self, now: Instant) -> bool {
        let is_early = self.tried.is_some_and(|at| now.saturating_duration_since(at) < AGAIN);
        let is_due = !self.is(JOURNAL) || !is_early;
        if is_due {
            self.tried = Some(now);
        }
        is_due
    }

    /// Whether a file could not be written.
    pub(super) fn is(&self, file: &str) -> bool {
        self.files.contains_key(file)
    }

    /// Whether something is to be tried again.
    pub(super) fn is_any(&self) -> bool {
        !self.files.is_empty()
    }

    /// Since when the journal could not be written.
    pub(super) fn since(&self) -> Option<u64> {
        self.since
    }

    /// Says what cannot be written, and why.
    pub(super) fn text(&self) -> Option<String> {
        let all: Vec<String> =
            self.files.iter().map(|(file, why)| format!("{file}: {why}")).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

impl Agent<'_> {
    /// Writes down what was told. What cannot be written stays held, and that it could not is told when it can be.
    pub(super) fn sync(&mut self) {
        if !self.unwritten.is_due(Instant::now()) {
            return;
        }
        let done = self.keep.sync();
        if let Some(blind) = self.unwritten.journal(now(), done) {
            self.tell(Told::Blind(blind));
            let done = self.keep.sync();
            self.unwritten.journal(now(), done);
        }
        self.say();
    }

    /// Tries again what could not be written.
    pub(super) fn write_again(&mut self) {
        if self.unwritten.is("counter") {
            self.count();
        }
        if self.unwritten.is("named") {
            // What is named is written only after the journal.
            self.sync();
            self.remember_named();
        }
        if self.unwritten.is("compared") {
            self.keep_compared();
        }
        match self.unwritten.is("known") && self.round.is_none() {
            true => self.know(),
            false => self.sync(),
        }
    }

    /// Writes down the number of the baseline: none with a lower one is believed from here on.
    pub(super) fn count(&mut self) {
        let done = self.keep.count(self.watch.number());
        self.unwritten.note("counter", done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::keep::{Keep, NamedBefore};
    use crate::protected::Class;

    #[test]
    fn that_nothing_could_be_written_is_said_and_told_when_it_is_over() {
        let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
        let mut unwritten = Unwritten::default();
        assert_eq!(unwritten.journal(5, Ok(())), None);
        assert_eq!((unwritten.text(), unwritten.since()), (None, None));
        assert_eq!(unwritten.journal(7, full()), None);
        assert_eq!(unwritten.journal(9, full()), None);
        unwritten.note("known", full());
        let said = unwritten.text().unwrap();
        assert!(said.starts_with("journal: ") && said.contains("; known: "), "{said}");
        assert_eq!(unwritten.since(), Some(7));
        let blind = unwritten.journal(12, Ok(())).unwrap();
        assert_eq!((blind.from, blind.until), (7, 12));
        assert!(blind.why.contains(&io::ErrorKind::StorageFull.to_string()), "{}", blind.why);
        assert_eq!(unwritten.journal(13, Ok(())), None);
        let now = Instant::now();
        assert!(unwritten.is_due(now) && unwritten.is_due(now), "it can be written");
        unwritten.journal(14, full());
        assert!(!unwritten.is_due(now) && unwritten.is_due(now + AGAIN));
        assert!(!unwritten.is_due(now + AGAIN));
        unwritten.journal(15, Ok(()));
        assert!(unwritten.is_any() && !unwritten.is(JOURNAL));
        unwritten.note("known", Ok(()));
        assert!(!unwritten.is_any());
    }

    #[test]
    fn what_was_told_is_remembered_only_after_the_journal_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let named = BTreeMap::from([("/c".parse().unwrap(), Class::Exact)]);
        let paths = BTreeMap::from([("etcd".to_owned(), named)]);
        let before = NamedBefore { paths, ..NamedBefore::default() };
        let remembered = |unwritten: &mut Unwritten| {
            let (keep, _) = Keep::open(directory.path()).unwrap();
            unwritten.after_journal("named", || keep.named(&before));
            drop(keep);
            Keep::open(directory.path()).unwrap().1.named.paths
        };
        let mut unwritten = Unwritten::default();
        unwritten.journal(5, Err(io::ErrorKind::StorageFull.into()));
        assert!(remembered(&mut unwritten).is_empty(), "the line that tells it may be lost");
        assert!(unwritten.is("named"), "it is tried again");
        unwritten.journal(6, Ok(()));
        assert_eq!(remembered(&mut unwritten), before.paths);
        assert!(!unwritten.is_any());
    }
}
