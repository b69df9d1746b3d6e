//! The bytes of a machine's journal, and what follows from its records.
//!
//! A record is on the disk before the step it speaks of begins. A tail that was torn by a crash is
//! cut; damage anywhere else is an error, since a guess could take away what is not ours.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::digest::Digest;
use ringfort_model::item::ItemId;
use ringfort_model::journal::{JOURNAL_VERSION, Phase, Record};

/// Says why bytes are no journal.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JournalError {
    /// They are of another version, or something else.
    #[error("no journal of version {JOURNAL_VERSION}: use the ringfort that wrote it")]
    Foreign,
    /// A record before the last is damaged.
    #[error(
        "damaged at byte {at}: move it away only after what ringfort made here was looked through by hand"
    )]
    Damaged {
        /// Where the damage begins.
        at: usize,
    },
}

/// What was read of a journal.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Read {
    /// Its records, in order.
    pub records: Vec<Record>,
    /// How many bytes are whole; what follows is a torn tail, to be cut. 0 if not even the header
    /// is whole, so that it is to be written.
    pub good: usize,
}

/// Gives what a journal begins with.
pub fn header() -> String {
    format!("ringfort-journal {JOURNAL_VERSION}\n")
}

/// Writes a record: its length, its checksum, and the record as JSON.
pub fn encode(record: &Record) -> Vec<u8> {
    let body = serde_json::to_vec(record).expect("a record has string keys only");
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(8 + body.len());
    bytes.extend(length.to_be_bytes());
    bytes.extend(crc32fast::hash(&body).to_be_bytes());
    bytes.extend(body);
    bytes
}

/// Reads a journal up to its torn tail, if it has one.
///
/// # Errors
/// The bytes are no journal, or damaged before their end.
pub fn read(bytes: &[u8]) -> Result<Read, JournalError> {
    let header = header();
    let Some(mut rest) = bytes.strip_prefix(header.as_bytes()) else {
        let is_torn = header.as_bytes().starts_with(bytes);
        return if is_torn { Ok(Read::default()) } else { Err(JournalError::Foreign) };
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
            Next::Damaged => return Err(JournalError::Damaged { at: good }),
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
    let whole = crc32fast::hash(body) == checksum;
    match whole.then(|| serde_json::from_slice(body).ok()).flatten() {
        Some(record) => Next::Record(record, after),
        None if after.is_empty() => Next::Torn,
        None => Next::Damaged,
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// What follows from the records.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ledger {
    /// Items that ringfort made or began to make.
    pub owned: BTreeSet<ItemId>,
    /// Items whose last step was begun and not finished, with the step's digest.
    pub open: BTreeMap<ItemId, Digest>,
    /// The number of the last record.
    pub last: u64,
    /// The highest epoch that acted.
    pub epoch: u64,
}

impl Ledger {
    /// Draws what follows from records.
    pub fn of(records: &[Record]) -> Self {
        let mut ledger = Self::default();
        records.iter().for_each(|record| ledger.take(record));
        ledger
    }

    /// Adds a record.
    pub fn take(&mut self, record: &Record) {
        self.last = self.last.max(record.seq);
        self.epoch = self.epoch.max(record.epoch);
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

#[cfg(test)]
mod tests {
    use super::{Digest, ItemId, JournalError, Ledger, Phase, Record, encode, header, read};

    fn record(seq: u64, item: &str, phase: Phase) -> Record {
        Record { seq, epoch: 3, item: ItemId::file(item), phase, digest: Digest::of(b"step") }
    }

    fn filled() -> Vec<u8> {
        let records = [
            record(1, "/a", Phase::Intent),
            record(2, "/a", Phase::Done),
            record(3, "/b", Phase::Intent),
        ];
        let mut bytes = header().into_bytes();
        records.iter().for_each(|record| bytes.extend(encode(record)));
        bytes
    }

    #[test]
    fn what_was_begun_is_owned_until_it_is_undone() {
        let mut ledger = Ledger::of(&read(&filled()).unwrap().records);
        assert_eq!(ledger.owned, [ItemId::file("/a"), ItemId::file("/b")].into());
        assert_eq!(ledger.open.keys().collect::<Vec<_>>(), [&ItemId::file("/b")]);
        assert_eq!((ledger.last, ledger.epoch), (3, 3));
        ledger.take(&record(4, "/b", Phase::Undone));
        assert_eq!(ledger.owned, [ItemId::file("/a")].into());
        assert!(ledger.open.is_empty());
    }

    #[test]
    fn a_tail_torn_anywhere_is_cut() {
        let whole = filled();
        for length in 0..whole.len() {
            let found = read(&whole[..length]).unwrap();
            assert!(found.good <= length, "cut at {length}");
            let mut bytes = whole[..found.good].to_vec();
            if found.good == 0 {
                bytes = header().into_bytes();
            }
            bytes.extend(encode(&record(9, "/c", Phase::Intent)));
            let again = read(&bytes).unwrap();
            assert_eq!(again.records.len(), found.records.len() + 1, "cut at {length}");
            assert_eq!(again.good, bytes.len());
        }
    }

    #[test]
    fn damage_is_told_from_a_torn_tail() {
        let whole = filled();
        let check = |change: &dyn Fn(&mut Vec<u8>), expected: Result<usize, JournalError>| {
            let mut bytes = whole.clone();
            change(&mut bytes);
            assert_eq!(read(&bytes).map(|found| found.records.len()), expected);
        };
        let start = header().len();
        check(&|bytes| bytes[start + 20] ^= 1, Err(JournalError::Damaged { at: start }));
        check(&|bytes| *bytes.last_mut().unwrap() ^= 1, Ok(2));
        check(&|bytes| bytes.extend([0; 64]), Ok(3));
        check(&|bytes| bytes[0] ^= 1, Err(JournalError::Foreign));
    }
}
