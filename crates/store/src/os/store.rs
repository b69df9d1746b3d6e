//! A store that is written to: groups are durable before they count, segments are sealed, the oldest go.

mod beside;
mod findings;
mod recover;
mod replay;

pub(super) use beside::{UNJUDGED, USUAL, USUAL_TOGETHER, WAITING};
pub(super) use findings::{FINDINGS, FINDINGS_BEFORE};
pub use recover::Found;

use std::collections::VecDeque;
use std::io;

use ringfort_pki::Ed25519Key;

use super::disk::Disk;
use crate::format::checkpoint::{Checkpoint, Mark, Removal, Signed, VERSION};
use crate::format::entry::{Entry, Hash};
use crate::format::open::{Group, START_BYTES, Start, groups};
use crate::format::sealed::seal;

/// When a segment is sealed, and how long sealed ones are kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A segment with so many bytes of events is sealed,
    pub seal_bytes: u64,
    /// and one that was begun so long ago.
    pub seal_seconds: i64,
    /// The oldest are removed while all sealed ones together are longer than this,
    pub keep_bytes: u64,
    /// and those that were sealed longer ago than this.
    pub keep_seconds: i64,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("{name} of the store cannot be kept: {source}")]
    File {
        /// The file.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// The key is another.
    #[error(
        "{name} is not signed by the key of this store: run `ringfort audit verify`, and collect into a new directory"
    )]
    Stranger {
        /// The checkpoint.
        name: String,
    },
}

/// Why entries were not kept. None of them counts as acknowledged.
#[derive(Debug, thiserror::Error)]
#[error("nothing can be written to the store: {0}")]
pub struct AppendError(#[from] pub io::Error);

/// A store that is written to.
pub struct Store<D> {
    disk: D,
    key: Ed25519Key,
    limits: Limits,
    start: Start,
    /// The number that the next entry gets.
    next: u64,
    head: Hash,
    /// How much of the file is durable.
    length: u64,
    /// How many bytes of events it holds.
    held: u64,
    /// When the first of its entries came, in seconds of the Unix epoch.
    begun: Option<i64>,
    cursors: Vec<u8>,
    /// The digest of the last checkpoint.
    previous: String,
    /// What stands behind the durable part is not known.
    in_doubt: bool,
    /// The segment is sealed, and the next not there yet.
    is_closed: bool,
    kept: VecDeque<Kept>,
    /// The last entry of the mark that is there, and when it was written.
    marked: (u64, i64),
    /// How long the file of findings is.
    found: u64,
}

/// A sealed segment that is there.
struct Kept {
    segment: u64,
    bytes: u64,
    sealed: i64,
    checkpoint: String,
}

/// Names a file of a segment.
pub(super) fn name(segment: u64, kind: &str) -> String {
    format!("{segment:010}.{kind}")
}

/// Gives the numbers of the segments that have a file of a kind.
pub(super) fn numbers(names: &[String], kind: &str) -> Vec<u64> {
    let number = |name: &String| {
        let (number, found) = name.split_once('.')?;
        if found == kind { number.parse().ok() } else { None }
    };
    let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

pub(super) const REMOVAL: &str = "removal";
pub(super) const MARK: &str = "mark";
/// A mark is written so often at most, in seconds: what is cut off within is not told from a crash.
const MARK_SECONDS: i64 = 5;

impl<D: Disk> Store<D> {
    /// Up to where each log had been read when what is durable was.
    pub fn cursors(&self) -> &[u8] {
        &self.cursors
    }

    /// The number of the last entry, and the chain's head behind it.
    pub fn last(&self) -> (u64, Hash) {
        (self.next - 1, self.head)
    }

    /// Keeps entries. When it returns well they are durable, with the cursors.
    ///
    /// # Errors
    /// They are not; what was durable is as it was, and the same may be tried again.
    pub fn append(
        &mut self,
        entries: &[Entry<'_>],
        cursors: &[u8],
        seconds: i64,
    ) -> Result<(), AppendError> {
        if self.is_closed {
            self.begin_next()?;
        }
        let open = name(self.start.segment, "open");
        if self.in_doubt {
            self.disk.cut(&open, self.length)?;
            self.in_doubt = false;
        }
        let group = Group::of(&self.start, self.next, &self.head, entries, cursors, &self.key);
        let bytes = group.bytes();
        self.in_doubt = true;
        self.disk.write_at(&open, self.length, &bytes)?;
        self.disk.sync(&open)?;
        self.in_doubt = false;
        self.length += bytes.len() as u64;
        self.held += entries.iter().map(|entry| entry.text.len() as u64).sum::<u64>();
        self.next += entries.len() as u64;
        self.head = group.head;
        self.cursors = cursors.to_vec();
        if !entries.is_empty() {
            self.begun.get_or_insert(seconds);
        }
        Ok(())
    }

    /// Seals the segment if it is time, and removes what need not be kept. Gives the checkpoint.
    ///
    /// # Errors
    /// A file cannot be written; nothing that was durable is lost by it, and it is tried again at the next call.
    pub fn tend(&mut self, seconds: i64) -> Result<Option<Signed>, AppendError> {
        // First, since it may be what makes room for the rest.
        let removed = self.remove_oldest(seconds);
        let is_old = self.begun.is_some_and(|begun| seconds - begun >= self.limits.seal_seconds);
        let is_due =
            self.next > self.start.first && (is_old || self.held >= self.limits.seal_bytes);
        let sealed = match is_due && !self.is_closed {
            true => Some(self.seal(seconds)?),
            false => None,
        };
        if self.is_closed {
            self.begin_next()?;
        }
        removed?;
        if seconds - self.marked.1 >= MARK_SECONDS {
            self.mark(seconds)?;
        }
        Ok(sealed)
    }

    /// Writes down how far entries were kept.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn mark(&mut self, seconds: i64) -> Result<(), AppendError> {
        let last = self.next - 1;
        if last != self.marked.0 {
            let mark = Mark { version: VERSION, segment: self.start.segment, last };
            let signed = Signed::new(&mark, &self.key);
            self.disk.put(MARK, &signed.bytes())?;
        }
        self.marked = (last, seconds);
        Ok(())
    }

    fn seal(&mut self, seconds: i64) -> io::Result<Signed> {
        let segment = self.start.segment;
        let open = name(segment, "open");
        let mut file = self.disk.read(&open)?;
        file.truncate(self.length as usize);
        let mut found = Vec::new();
        groups(&file, START_BYTES, &mut |group| found.push(group));
        let sealed = seal(self.start, &found)
            .filter(|sealed| sealed.table.after() == self.head)
            .ok_or_else(|| io::Error::other(format!("{open} is not what was written to it")))?;
        let checkpoint = Checkpoint::of(&sealed, seconds, &self.previous);
        let signed = Signed::new(&checkpoint, &self.key);
        // Who has seen the one must find the other.
        self.disk.put(&name(segment, "seg"), &sealed.bytes)?;
        self.disk.put(&name(segment, "checkpoint"), &signed.bytes())?;
        self.is_closed = true;
        self.previous = signed.digest();
        self.kept.push_back(Kept {
            segment,
            bytes: checkpoint.bytes,
            sealed: seconds,
            checkpoint: self.previous.clone(),
        });
        Ok(signed)
    }

    /// Begins the segment after one that is sealed. Only then may the file go in which it was written.
    fn begin_next(&mut self) -> io::Result<()> {
        let old = self.start.segment;
        self.begin(Start { segment: old + 1, first: self.next, before: self.head })?;
        // What stays behind is removed when the store is opened again.
        let _ = self.disk.remove(&name(old, "open"));
        Ok(())
    }

    fn begin(&mut self, start: Start) -> io::Result<()> {
        let group = Group::of(&start, start.first, &start.before, &[], &self.cursors, &self.key);
        let bytes = [start.bytes(), group.bytes()].concat();
        self.disk.put(&name(start.segment, "open"), &bytes)?;
        (self.start, self.next, self.head) = (start, start.first, start.before);
        (self.length, self.held, self.begun) = (bytes.len() as u64, 0, None);
        (self.is_closed, self.in_doubt) = (false, false);
        Ok(())
    }

    fn remove_oldest(&mut self, seconds: i64) -> io::Result<()> {
        let mut all: u64 = self.kept.iter().map(|kept| kept.bytes).sum();
        let mut count = 0_usize;
        for kept in &self.kept {
            if all <= self.limits.keep_bytes && seconds - kept.sealed <= self.limits.keep_seconds {
                break;
            }
            all -= kept.bytes;
            count += 1;
        }
        let Some(last) = count.checked_sub(1).and_then(|last| self.kept.get(last)) else {
            return Ok(());
        };
        let (through, checkpoint) = (last.segment, last.checkpoint.clone());
        let removal = Removal { version: VERSION, through, checkpoint, at: seconds };
        let signed = Signed::new(&removal, &self.key);
        self.disk.put(REMOVAL, &signed.bytes())?;
        for _ in 0..count {
            let Some(kept) = self.kept.front() else { break };
            self.disk.remove(&name(kept.segment, "seg"))?;
            self.kept.pop_front();
        }
        self.disk.sync_names()
    }
}
