//! The machine's memory of the steps that were begun and finished on it, and what follows from
//! it: which items are ringfort's.
//!
//! A record is on the disk before the step it speaks of begins. A tail that was torn by a crash
//! is cut; damage anywhere else is an error, since a guess could take away what is not ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ringfort_model::digest::Digest;
use ringfort_model::item::ItemId;
use ringfort_model::journal::{JOURNAL_VERSION, Phase, Record};

use crate::files;

/// Says why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("the journal {path} cannot be used: {why}")]
    Unusable {
        /// Where it is.
        path: String,
        /// What the system said.
        why: String,
    },
    /// It is of another version, or no journal.
    #[error("{path} is no journal of version {JOURNAL_VERSION}: use the ringfort that wrote it")]
    Foreign {
        /// Where it is.
        path: String,
    },
    /// A record before the last is damaged.
    #[error(
        "the journal {path} is damaged at byte {at}: move it away only after what ringfort made here was looked through by hand"
    )]
    Damaged {
        /// Where it is.
        path: String,
        /// Where the damage begins.
        at: usize,
    },
}

/// The machine's journal, open for the next record.
pub(crate) struct Journal {
    file: File,
    path: String,
    next: u64,
    ledger: Ledger,
}

/// What follows from the records.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Ledger {
    /// Items that ringfort made or began to make.
    pub(crate) owned: BTreeSet<ItemId>,
    /// Items whose last step was begun and not finished, with the step's digest.
    pub(crate) open: BTreeMap<ItemId, Digest>,
}

impl Ledger {
    fn take(&mut self, record: &Record) {
        match record.phase {
            Phase::Intent => {
                self.owned.insert(record.item.clone());
                self.open.insert(record.item.clone(), record.digest.clone());
            }
            Phase::Done => {
                self.open.remove(&record.item);
            }
            Phase::Undone => {
                self.open.remove(&record.item);
                self.owned.remove(&record.item);
            }
        }
    }
}

impl Journal {
    /// Opens the journal, cuts a torn tail, or begins a new one.
    pub(crate) fn open(path: &Path) -> Result<Self, JournalError> {
        let shown = path.display().to_string();
        let unusable = |error: io::Error| JournalError::Unusable {
            path: shown.clone(),
            why: error.to_string(),
        };
        let (mut file, bytes) = open_whole(path).map_err(unusable)?;
        let read = read(&bytes, &shown)?;
        if read.good < bytes.len() {
            file.set_len(read.good as u64).map_err(unusable)?;
        }
        file.seek(io::SeekFrom::End(0)).map_err(unusable)?;
        if read.good == 0 {
            file.write_all(header().as_bytes()).map_err(unusable)?;
        }
        file.sync_all().and_then(|()| files::sync_parent(path)).map_err(unusable)?;
        let next = read.records.last().map_or(1, |record| record.seq + 1);
        let mut ledger = Ledger::default();
        read.records.iter().for_each(|record| ledger.take(record));
        Ok(Self { file, path: shown, next, ledger })
    }

    /// Reads what the journal says without opening it for writing; none is an empty one.
    pub(crate) fn look(path: &Path) -> Result<Ledger, JournalError> {
        let shown = path.display().to_string();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                return Err(JournalError::Unusable { path: shown, why: error.to_string() });
            }
        };
        let mut ledger = Ledger::default();
        read(&bytes, &shown)?.records.iter().for_each(|record| ledger.take(record));
        Ok(ledger)
    }

    /// Gives what follows from the records.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Writes a record and waits until it is on the disk.
    pub(crate) fn write(
        &mut self,
        epoch: u64,
        item: &ItemId,
        phase: Phase,
        digest: &Digest,
    ) -> Result<(), JournalError> {
        let record =
            Record { seq: self.next, epoch, item: item.clone(), phase, digest: digest.clone() };
        self.file.write_all(&encode(&record)).and_then(|()| self.file.sync_data()).map_err(
            |error| JournalError::Unusable { path: self.path.clone(), why: error.to_string() },
        )?;
        self.next += 1;
        self.ledger.take(&record);
        Ok(())
    }
}

fn open_whole(path: &Path) -> io::Result<(File, Vec<u8>)> {
    let mut options = OpenOptions::new();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((file, bytes))
}

fn header() -> String {
    format!("ringfort-journal {JOURNAL_VERSION}\n")
}

fn encode(record: &Record) -> Vec<u8> {
    let body = serde_json::to_vec(record).expect("a record has string keys only");
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(8 + body.len());
    bytes.extend(length.to_be_bytes());
    bytes.extend(crc32fast::hash(&body).to_be_bytes());
    bytes.extend(body);
    bytes
}

struct Read {
    records: Vec<Record>,
    /// Length of what is whole, in bytes.
    good: usize,
}

fn read(bytes: &[u8], path: &str) -> Result<Read, JournalError> {
    let header = header();
    let Some(mut rest) = bytes.strip_prefix(header.as_bytes()) else {
        // A header that was torn while the journal was begun.
        if header.as_bytes().starts_with(bytes) {
            return Ok(Read { records: Vec::new(), good: 0 });
        }
        return Err(JournalError::Foreign { path: path.to_owned() });
    };
    let mut records = Vec::new();
    loop {
        let good = bytes.len() - rest.len();
        match next(rest) {
            Next::Record(record, after) => {
                records.push(record);
                rest = after;
            }
            Next::Torn => return Ok(Read { records, good }),
            Next::Damaged => return Err(JournalError::Damaged { path: path.to_owned(), at: good }),
        }
    }
}

enum Next<'a> {
    Record(Record, &'a [u8]),
    Torn,
    Damaged,
}

fn next(bytes: &[u8]) -> Next<'_> {
    let (Some(length), Some(checksum)) = (number(bytes, 0), number(bytes, 4)) else {
        return Next::Torn;
    };
    // A file that grew before its bytes reached the disk ends in zeros.
    if bytes.iter().all(|byte| *byte == 0) {
        return Next::Torn;
    }
    let Some(body) = usize::try_from(length).ok().and_then(|length| bytes[8..].get(..length))
    else {
        return Next::Torn;
    };
    let after = &bytes[8 + body.len()..];
    let record =
        (crc32fast::hash(body) == checksum).then(|| serde_json::from_slice(body).ok()).flatten();
    match record {
        Some(record) => Next::Record(record, after),
        None if after.is_empty() => Next::Torn,
        None => Next::Damaged,
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Journal, JournalError, read};
    use ringfort_model::digest::Digest;
    use ringfort_model::item::ItemId;
    use ringfort_model::journal::Phase;

    fn filled(path: &std::path::Path) -> Vec<u8> {
        let mut journal = Journal::open(path).unwrap();
        let (a, b) = (ItemId::file("/a"), ItemId::file("/b"));
        let digest = Digest::of(b"step");
        journal.write(3, &a, Phase::Intent, &digest).unwrap();
        journal.write(3, &a, Phase::Done, &digest).unwrap();
        journal.write(3, &b, Phase::Intent, &digest).unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn what_was_begun_is_owned_until_it_is_undone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        filled(&path);
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.ledger().owned, [ItemId::file("/a"), ItemId::file("/b")].into());
        assert_eq!(journal.ledger().open.len(), 1);
        journal.write(4, &ItemId::file("/b"), Phase::Undone, &Digest::of(b"")).unwrap();
        let again = Journal::look(&path).unwrap();
        assert_eq!(again.owned, [ItemId::file("/a")].into());
        assert!(again.open.is_empty());
    }

    #[test]
    fn a_journal_cut_anywhere_still_opens_and_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let whole = filled(&path);
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut journal = Journal::open(&path).unwrap();
            journal.write(5, &ItemId::file("/c"), Phase::Intent, &Digest::of(b"")).unwrap();
            let again = Journal::look(&path).unwrap();
            assert!(again.owned.contains(&ItemId::file("/c")), "cut at {length}");
        }
    }

    #[test]
    fn damage_is_told_from_a_torn_tail() {
        let directory = tempfile::tempdir().unwrap();
        let whole = filled(&directory.path().join("journal"));
        let mut early = whole.clone();
        early[40] ^= 1;
        assert!(matches!(read(&early, "j"), Err(JournalError::Damaged { at: 19, .. })));
        let mut late = whole.clone();
        *late.last_mut().unwrap() ^= 1;
        assert_eq!(read(&late, "j").unwrap().records.len(), 2);
        let mut zeros = whole.clone();
        zeros.extend([0; 64]);
        assert_eq!(read(&zeros, "j").unwrap().good, whole.len());
        assert!(matches!(read(b"something else", "j"), Err(JournalError::Foreign { .. })));
    }
}
