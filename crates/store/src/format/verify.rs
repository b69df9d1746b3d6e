//! Whether a stored log is complete and unaltered, and else where it is not. A look goes from the first segment to
//! the one that is written to; what is missing is missing unless a signed removal covers it.

use std::collections::BTreeMap;

use ringfort_pki::Ed25519Public;
use serde::Serialize;

use super::checkpoint::{Checkpoint, Mark, Removal, Signed, hex};
use super::entry::{self, Hash};
use super::open::{self, Group, Rest, Start};
use super::sealed::{Block, Table, unpacked};

/// What is wrong with a part of the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum Wrong {
    /// A checkpoint is kept for ever, whatever became of its segment.
    #[error("its checkpoint is gone")]
    NoCheckpoint,
    /// The signature does not fit.
    #[error("its checkpoint is not signed by the key of this store")]
    Forged,
    /// A checkpoint of this store, of another segment.
    #[error("its checkpoint is that of another segment: segments were exchanged")]
    Exchanged,
    /// Two histories.
    #[error("it does not go on from the segment before it")]
    Broken,
    /// The segment is not there.
    #[error("it is gone, and no signed removal covers it")]
    Gone,
    /// It ends too early.
    #[error("it was shortened")]
    Shortened,
    /// Entries are others than those that were sealed.
    #[error("its entries are others than those that were sealed")]
    Rewritten,
    /// Entries are right, and the way to them is not.
    #[error("its entries are as they were sealed, its index is not: searches may miss some")]
    Index,
    /// Of the segment that is written to.
    #[error("its groups are not those that were acknowledged")]
    Damaged,
    /// The end of what was durable is not there.
    #[error("entries that were kept were cut off its end")]
    Cut,
    /// The statement about how far entries were kept.
    #[error("the mark of how far it was kept is not one of this store")]
    Mark,
    /// The statement about what was removed.
    #[error("the statement of what was removed is not one of this store")]
    Removal,
    /// A witness has seen something else.
    #[error("a witness saw another checkpoint of it: two histories were told")]
    Witness,
    /// A witness has seen more.
    #[error(
        "a witness saw it, and it is not there: the log was shortened, or put back to what it was before"
    )]
    RolledBack,
    /// A witness has seen a store of another key.
    #[error("a witness saw a log of another key in its place")]
    Replaced,
    /// A witness's file says nothing.
    #[error("what a witness is said to have seen is not signed by this store and that witness")]
    NoWitness,
}

/// A part of the log that is not as it should be.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Interval {
    /// The segment.
    pub segment: u64,
    /// The numbers of its first and last entry, where they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<(u64, u64)>,
    /// The earliest and latest of their times, in microseconds of the Unix epoch, where they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<(i64, i64)>,
    /// What is wrong.
    pub wrong: Wrong,
}

/// What a look came to.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Sealed segments that were looked at whole.
    pub segments: u64,
    /// Sealed segments of which only checkpoint and length were looked at.
    #[serde(skip_serializing_if = "is_none")]
    pub unread: u64,
    /// Entries in them.
    pub entries: u64,
    /// Entries in the segment that is written to.
    pub open: u64,
    /// Segments that were removed by a signed statement,
    pub removed: u64,
    /// and how many entries their checkpoints count.
    pub removed_entries: u64,
    /// Bytes of a write that did not end. They were not acknowledged.
    pub torn: u64,
    /// Checkpoints that a witness saw as they are.
    pub witnessed: u64,
    /// Where a witness is asked: what none has seen, or was seen late.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<Unseen>,
    /// What is not as it should be.
    pub wrong: Vec<Interval>,
}

/// Sealed segments that no witness has seen, or that were seen late: until then who has the key could have written
/// them otherwise. Who has seen one has seen all before it, since each names the one before.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unseen {
    /// The first and the last segment.
    pub segments: (u64, u64),
    /// The numbers of the first and last entry.
    pub entries: (u64, u64),
    /// The earliest and latest of their times, in microseconds of the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<(i64, i64)>,
    /// When they were seen, in seconds of the Unix epoch; nothing where they were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<i64>,
}

/// What was sealed longer ago than this when a witness saw it, in seconds, was seen late.
const LATE_SECONDS: i64 = 900;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The file of a sealed segment, as far as it was read.
#[derive(Clone, Copy, Debug)]
pub enum File<'f> {
    /// It is not there.
    Gone,
    /// All of it.
    Whole(&'f [u8]),
    /// How long it is: there is more than is read at once.
    Long(u64),
}

/// Looks at a log, segment after segment.
pub struct Verifier {
    key: Ed25519Public,
    removed: Option<Removal>,
    /// Number, digest, and the chain behind the checkpoint before.
    last: Option<(Checkpoint, String)>,
    /// Every checkpoint of this store, with its digest.
    checkpoints: BTreeMap<u64, (Checkpoint, String)>,
    /// When each was seen by a witness, where one is asked.
    seen: Option<BTreeMap<u64, i64>>,
    mark: Option<Mark>,
    /// The number of the last entry that was looked at.
    reached: u64,
    report: Report,
}

impl Verifier {
    /// Begins, with what is said to have been removed.
    pub fn new(key: Ed25519Public, removal: Option<&[u8]>) -> Self {
        let mut report = Report::default();
        let removed = removal.and_then(|bytes| Signed::read(bytes)?.verified::<Removal>(&key));
        if removal.is_some() && removed.is_none() {
            report.wrong.push(interval(0, Wrong::Removal));
        }
        let checkpoints = BTreeMap::new();
        Self { key, removed, last: None, checkpoints, seen: None, mark: None, reached: 0, report }
    }

    /// Says how far entries were kept at least, by a mark that was read before all else.
    pub fn mark(&mut self, mark: &[u8]) {
        self.mark = Signed::read(mark).and_then(|signed| signed.verified(&self.key));
        if self.mark.is_none() {
            self.wrong(0, Wrong::Mark);
        }
    }

    /// Looks at the next sealed segment: its checkpoint and its file, as far as they are there.
    pub fn sealed(&mut self, number: u64, checkpoint: Option<&[u8]>, file: File<'_>) {
        let Some(signed) = checkpoint.map(Signed::read) else {
            return self.wrong(number, Wrong::NoCheckpoint);
        };
        let verified = signed
            .and_then(|signed| Some((signed.verified::<Checkpoint>(&self.key)?, signed.digest())));
        let Some((checkpoint, digest)) = verified else {
            return self.wrong(number, Wrong::Forged);
        };
        if checkpoint.segment != number {
            return self.wrong(number, Wrong::Exchanged);
        }
        if !self.goes_on(&checkpoint) {
            self.wrong_of(&checkpoint, Wrong::Broken);
        }
        let is_removed = self.removed.as_ref().is_some_and(|removed| number <= removed.through);
        match file {
            File::Whole(file) => self.file(&checkpoint, file),
            File::Long(bytes) if bytes == checkpoint.bytes => self.report.unread += 1,
            File::Long(_) => self.wrong_of(&checkpoint, Wrong::Shortened),
            File::Gone if is_removed => {
                self.report.removed += 1;
                self.report.removed_entries +=
                    (checkpoint.last + 1).saturating_sub(checkpoint.first);
            }
            File::Gone => self.wrong_of(&checkpoint, Wrong::Gone),
        }
        if let Some(removed) = self.removed.as_ref().filter(|removed| removed.through == number)
            && removed.checkpoint != digest
        {
            self.wrong_of(&checkpoint, Wrong::Removal);
        }
        self.checkpoints.insert(number, (checkpoint.clone(), digest.clone()));
        self.reached = checkpoint.last;
        self.last = Some((checkpoint, digest));
    }

    fn goes_on(&self, checkpoint: &Checkpoint) -> bool {
        match &self.last {
            None => {
                checkpoint.segment == 1
                    && checkpoint.first == 1
                    && checkpoint.previous.is_empty()
                    && checkpoint.before == hex(&[0; 32])
            }
            Some((last, digest)) => checkpoint.follows(last, digest),
        }
    }

    fn file(&mut self, checkpoint: &Checkpoint, file: &[u8]) {
        let is_as_sealed = hex(blake3::hash(file).as_bytes()) == checkpoint.file;
        let table = Table::of(file);
        let altered: Vec<Block> = match &table {
            Some(table) if hex(&table.after()) == checkpoint.after => altered(table, file),
            // Who cannot be asked for the parts is wrong as a whole.
            None if (file.len() as u64) < checkpoint.bytes => {
                return self.wrong_of(checkpoint, Wrong::Shortened);
            }
            _ => return self.wrong_of(checkpoint, Wrong::Rewritten),
        };
        for block in &altered {
            self.report.wrong.push(Interval {
                segment: checkpoint.segment,
                entries: Some((block.first, block.first + block.count.saturating_sub(1))),
                times: Some(block.times),
                wrong: Wrong::Rewritten,
            });
        }
        match altered.is_empty() && !is_as_sealed {
            true => self.wrong_of(checkpoint, Wrong::Index),
            false => {
                self.report.segments += 1;
                self.report.entries += (checkpoint.last + 1).saturating_sub(checkpoint.first);
            }
        }
    }

    /// Looks at the segment that is written to.
    pub fn open(&mut self, number: u64, file: &[u8]) {
        let start = Start::read(file);
        let expected = match &self.last {
            None => (1, hex(&[0; 32])),
            Some((last, _)) => (last.last + 1, last.after.clone()),
        };
        let Some(start) = start.filter(|start| {
            start.segment == number && (start.first, hex(&start.before)) == expected
        }) else {
            // How far it goes is not known then.
            self.reached = u64::MAX;
            return self.wrong(number, Wrong::Broken);
        };
        let (mut head, mut next, mut wrong) = (start.before, start.first, None);
        let mut from = open::START_BYTES;
        loop {
            let rest = open::groups(file, from, &mut |group| {
                let is_right = group.first == next
                    && group.is_signed(number, &self.key)
                    && holds(&group, &head);
                if !is_right {
                    wrong.get_or_insert(next);
                }
                head = group.head;
                next = group.first.saturating_add(u64::from(group.count));
                self.report.open += u64::from(group.count);
            });
            match rest {
                Rest::Nothing => break,
                Rest::Torn { at } => {
                    self.report.torn = (file.len() - at) as u64;
                    break;
                }
                Rest::Damaged { next: at, .. } => {
                    wrong.get_or_insert(next);
                    from = at;
                }
            }
        }
        self.reached = next.saturating_sub(1);
        if let Some(first) = wrong {
            let entries = Some((first, next.saturating_sub(1).max(first)));
            let times = None;
            self.report.wrong.push(Interval {
                segment: number,
                entries,
                times,
                wrong: Wrong::Damaged,
            });
        }
    }

    /// Compares with a checkpoint that a witness holds.
    pub fn witnessed(&mut self, seen: &Signed, witness: &Ed25519Public) {
        let times = self.seen.get_or_insert_default();
        let Some(at) = seen.seen_by(witness) else {
            return self.wrong(0, Wrong::NoWitness);
        };
        let Some(checkpoint) = seen.verified::<Checkpoint>(&self.key) else {
            // The witness has seen that it is signed, by whatever key the store had then.
            return match serde_json::from_str::<Checkpoint>(&seen.statement) {
                Ok(checkpoint) => self.contradicted(&checkpoint, Wrong::Replaced),
                Err(_) => self.wrong(0, Wrong::NoWitness),
            };
        };
        let newest = self.checkpoints.keys().next_back().copied().unwrap_or(0);
        match self.checkpoints.get(&checkpoint.segment) {
            Some((_, digest)) if *digest == seen.digest() => {
                times
                    .entry(checkpoint.segment)
                    .and_modify(|known| *known = at.min(*known))
                    .or_insert(at);
                self.report.witnessed += 1;
            }
            None if checkpoint.segment > newest => {
                self.contradicted(&checkpoint, Wrong::RolledBack);
            }
            _ => self.contradicted(&checkpoint, Wrong::Witness),
        }
    }

    /// Says that a witness saw something else, all of one kind together.
    fn contradicted(&mut self, checkpoint: &Checkpoint, wrong: Wrong) {
        let known = self.report.wrong.iter_mut().find(|it| it.wrong == wrong);
        let Some(known) = known else { return self.wrong_of(checkpoint, wrong) };
        known.segment = known.segment.min(checkpoint.segment);
        known.entries = joined(known.entries, Some((checkpoint.first, checkpoint.last)));
        known.times = joined(known.times, checkpoint.times);
    }

    /// Gives what no witness has seen, or was seen late.
    fn unseen(&self) -> Vec<Unseen> {
        let Some(seen) = &self.seen else { return Vec::new() };
        let mut unseen: Vec<Unseen> = Vec::new();
        let mut at: Option<i64> = None;
        for (segment, (checkpoint, _)) in self.checkpoints.iter().rev() {
            at = seen.get(segment).copied().into_iter().chain(at).min();
            if at.is_some_and(|at| at - checkpoint.sealed <= LATE_SECONDS) {
                continue;
            }
            let entries = (checkpoint.first, checkpoint.last);
            match unseen.last_mut() {
                Some(after) if after.seen == at && after.segments.0 == segment + 1 => {
                    after.segments.0 = *segment;
                    after.entries.0 = checkpoint.first;
                    after.times = joined(after.times, checkpoint.times);
                }
                _ => unseen.push(Unseen {
                    segments: (*segment, *segment),
                    entries,
                    times: checkpoint.times,
                    seen: at,
                }),
            }
        }
        unseen.reverse();
        unseen
    }

    /// Ends the look.
    pub fn end(mut self) -> Report {
        self.report.unseen = self.unseen();
        let last = self.checkpoints.keys().next_back().copied().unwrap_or(0);
        if self.removed.as_ref().is_some_and(|removed| removed.through > last) {
            self.wrong(last + 1, Wrong::NoCheckpoint);
        }
        if let Some(mark) = self.mark.take().filter(|mark| mark.last > self.reached) {
            let entries = Some((self.reached + 1, mark.last));
            let cut = Interval { entries, ..interval(mark.segment, Wrong::Cut) };
            self.report.wrong.push(cut);
        }
        self.report
    }

    /// Says that something is wrong with a segment as a whole.
    pub fn wrong(&mut self, segment: u64, wrong: Wrong) {
        self.report.wrong.push(interval(segment, wrong));
    }

    fn wrong_of(&mut self, checkpoint: &Checkpoint, wrong: Wrong) {
        self.report.wrong.push(Interval {
            segment: checkpoint.segment,
            entries: Some((checkpoint.first, checkpoint.last)),
            times: checkpoint.times,
            wrong,
        });
    }
}

/// Gives the range that holds two.
fn joined<T: Copy + Ord>(one: Option<(T, T)>, other: Option<(T, T)>) -> Option<(T, T)> {
    match (one, other) {
        (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
        (one, other) => one.or(other),
    }
}

fn interval(segment: u64, wrong: Wrong) -> Interval {
    Interval { segment, entries: None, times: None, wrong }
}

fn holds(group: &Group, before: &Hash) -> bool {
    let block = group.block();
    let entries = block.as_deref().and_then(entry::entries);
    entries.is_some_and(|entries| {
        entries.len() == group.count as usize && entry::chained(before, &entries) == group.head
    })
}

/// Gives the blocks whose entries do not lead from the head before them to their own.
fn altered(table: &Table, file: &[u8]) -> Vec<Block> {
    let mut head = table.start.before;
    let mut found = Vec::new();
    for block in &table.blocks {
        let unpacked = unpacked(file, block);
        let entries = unpacked.as_deref().and_then(entry::entries);
        let is_right = entries.is_some_and(|entries| {
            entries.len() as u64 == block.count && entry::chained(&head, &entries) == block.head
        });
        if !is_right {
            found.push(*block);
        }
        head = block.head;
    }
    found
}
