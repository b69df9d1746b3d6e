//! Opens a store as whatever came before left it: at work, killed, without power.

use std::collections::VecDeque;
use std::io;

use ringfort_pki::Ed25519Key;

use super::{FINDINGS, Kept, Limits, MARK, Store, StoreError, name, numbers};
use crate::format::checkpoint::{Checkpoint, Mark, Removal, Signed, unhex};
use crate::format::entry::{self, Entry, entries};
use crate::format::open::{Group, Rest, START_BYTES, Start, groups};
use crate::os::disk::Disk;

/// What was found when a store was opened.
#[derive(Debug, Default)]
pub struct Found {
    /// Bytes of a write that did not end, and that nobody was told of.
    pub torn: u64,
    /// Whether the segment that is written to was damaged. It is kept beside the store's others.
    pub is_damaged: bool,
    /// How many entries were durable and were cut off the end since.
    pub cut: u64,
}

impl<D: Disk> Store<D> {
    /// Opens a store, or begins one.
    ///
    /// # Errors
    /// A file cannot be read or written, or the store is that of another key.
    pub fn open(
        disk: D,
        key: Ed25519Key,
        limits: Limits,
        seconds: i64,
    ) -> Result<(Self, Found), StoreError> {
        let names = disk.names().map_err(|source| of("the directory", source))?;
        let start = Start { segment: 0, first: 1, before: [0; 32] };
        let mut store = Self {
            disk,
            key,
            limits,
            start,
            next: 1,
            head: start.before,
            length: 0,
            held: 0,
            begun: None,
            cursors: Vec::new(),
            previous: String::new(),
            in_doubt: false,
            is_closed: true,
            kept: VecDeque::new(),
            marked: (0, 0),
            found: 0,
        };
        for name in names.iter().filter(|name| name.ends_with(".tmp")) {
            store.disk.remove(name).map_err(|source| of(name, source))?;
        }
        store.checkpoints(&names)?;
        let mut found = Found::default();
        for number in numbers(&names, "open") {
            store.resume(number, seconds, &mut found)?;
        }
        if store.is_closed {
            let next = name(store.start.segment + 1, "open");
            store.begin_next().map_err(|source| of(&next, source))?;
        }
        store.compare_mark(&names, seconds, &mut found)?;
        store.resume_findings(&names).map_err(|source| of(FINDINGS, source))?;
        Ok((store, found))
    }

    /// Compares with how far entries were kept. Where their end is gone, the file is kept as it was found, so that
    /// it stays known.
    fn compare_mark(
        &mut self,
        names: &[String],
        seconds: i64,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        if !names.iter().any(|name| name == MARK) {
            return Ok(());
        }
        let bytes = self.disk.read(MARK).map_err(|source| of(MARK, source))?;
        // One of a stranger says nothing, and verifying tells.
        let read = Signed::read(&bytes).and_then(|it| it.verified::<Mark>(&self.key.public()));
        let Some(mark) = read else { return Ok(()) };
        self.marked = (mark.last, seconds);
        found.cut = mark.last.saturating_sub(self.next - 1);
        if found.cut > 0 {
            let segment = self.start.segment;
            let copied = match found.is_damaged {
                true => Ok(()),
                false => self
                    .disk
                    .read(&name(segment, "open"))
                    .and_then(|open| self.disk.put(&name(segment, "damaged"), &open)),
            };
            copied.map_err(|source| of(&name(segment, "damaged"), source))?;
            self.mark(seconds).map_err(|error| of(MARK, error.0))?;
        }
        Ok(())
    }

    /// Reads what was sealed last, and what of it all is there.
    fn checkpoints(&mut self, names: &[String]) -> Result<(), StoreError> {
        let Some(last) = numbers(names, "checkpoint").pop() else { return Ok(()) };
        for segment in numbers(names, "seg").into_iter().filter(|segment| *segment <= last) {
            let (checkpoint, digest) = self.checkpoint(segment)?;
            self.kept.push_back(Kept {
                segment,
                bytes: checkpoint.bytes,
                sealed: checkpoint.sealed,
                checkpoint: digest,
            });
        }
        let (checkpoint, digest) = self.checkpoint(last)?;
        let stranger = || StoreError::Stranger { name: name(last, "checkpoint") };
        self.head = unhex(&checkpoint.after).ok_or_else(stranger)?;
        self.next = checkpoint.last + 1;
        self.start = Start { segment: last, first: checkpoint.first, before: self.head };
        self.previous = digest;
        self.forget_removed(names)
    }

    /// What a statement says is removed may be there still.
    fn forget_removed(&mut self, names: &[String]) -> Result<(), StoreError> {
        if !names.iter().any(|name| name == super::REMOVAL) {
            return Ok(());
        }
        let bytes = self.disk.read(super::REMOVAL).map_err(|source| of(super::REMOVAL, source))?;
        let removal =
            Signed::read(&bytes).and_then(|signed| signed.verified::<Removal>(&self.key.public()));
        let Some(removal) = removal else {
            return Err(StoreError::Stranger { name: super::REMOVAL.to_owned() });
        };
        while let Some(kept) = self.kept.front().filter(|kept| kept.segment <= removal.through) {
            let name = name(kept.segment, "seg");
            self.kept.pop_front();
            self.disk.remove(&name).map_err(|source| of(&name, source))?;
        }
        Ok(())
    }

    fn checkpoint(&self, segment: u64) -> Result<(Checkpoint, String), StoreError> {
        let name = name(segment, "checkpoint");
        let bytes = self.disk.read(&name).map_err(|source| of(&name, source))?;
        let signed = Signed::read(&bytes);
        let read = signed.and_then(|signed| {
            Some((signed.verified::<Checkpoint>(&self.key.public())?, signed.digest()))
        });
        read.filter(|(checkpoint, _)| checkpoint.segment == segment)
            .ok_or(StoreError::Stranger { name })
    }

    /// Goes on in a segment that was written to.
    fn resume(&mut self, number: u64, seconds: i64, found: &mut Found) -> Result<(), StoreError> {
        let file = name(number, "open");
        let bytes = self.disk.read(&file).map_err(|source| of(&file, source))?;
        let last = self.start.segment;
        if self.is_closed && number <= last {
            // It was sealed, and the run ended before it was removed.
            let mut groups_found = Vec::new();
            groups(&bytes, START_BYTES, &mut |group| groups_found.push(group));
            self.cursors = groups_found.pop().map(|group| group.cursors).unwrap_or_default();
            return Ok(());
        }
        let expected = Start { segment: last + 1, first: self.next, before: self.head };
        if !self.is_closed || Start::read(&bytes) != Some(expected) {
            return Err(StoreError::Stranger { name: file });
        }
        self.start = expected;
        self.is_closed = false;
        let (end, scattered) = self.walk(&bytes, seconds);
        self.length = end as u64;
        let done = match scattered {
            None if end < bytes.len() => self.cut_torn(&file, bytes.len() - end, found),
            None => Ok(()),
            Some(scattered) => {
                found.is_damaged = true;
                self.set_aside(&file, &bytes[..end], &scattered, seconds)
            }
        };
        done.map_err(|source| of(&file, source))?;
        // What was sealed before it is of no more use.
        let _ = self.disk.remove(&name(last, "open"));
        Ok(())
    }

    /// Takes the groups that go on from each other. Gives where they end and, where that is not the end of all
    /// that is whole, what stands behind.
    fn walk(&mut self, bytes: &[u8], seconds: i64) -> (usize, Option<Vec<Group>>) {
        let (mut end, mut scattered) = (START_BYTES, None);
        let mut from = START_BYTES;
        loop {
            let rest = groups(bytes, from, &mut |group| match &mut scattered {
                None if self.take(&group, seconds) => end += group.bytes().len(),
                None => scattered = Some(vec![group]),
                Some(others) => others.push(group),
            });
            match rest {
                Rest::Damaged { next, .. } => {
                    scattered.get_or_insert_default();
                    from = next;
                }
                Rest::Torn { .. } | Rest::Nothing => return (end, scattered),
            }
        }
    }

    fn take(&mut self, group: &Group, seconds: i64) -> bool {
        let block = group.block();
        let Some(entries) = block.as_deref().and_then(entries) else { return false };
        let is_right = group.first == self.next
            && entries.len() == group.count as usize
            && entry::chained(&self.head, &entries) == group.head
            && group.is_signed(self.start.segment, &self.key.public());
        if is_right {
            self.count(&entries, seconds);
            self.next += u64::from(group.count);
            self.head = group.head;
            self.cursors.clone_from(&group.cursors);
        }
        is_right
    }

    fn count(&mut self, entries: &[Entry<'_>], seconds: i64) {
        self.held += entries.iter().map(|entry| entry.text.len() as u64).sum::<u64>();
        if let Some(earliest) = entries.iter().map(|entry| entry.time / 1_000_000).min() {
            let begun = self.begun.unwrap_or(seconds);
            self.begun = Some(begun.min(earliest));
        }
    }

    fn cut_torn(&mut self, file: &str, torn: usize, found: &mut Found) -> io::Result<()> {
        found.torn = torn as u64;
        self.disk.cut(file, self.length)?;
        self.disk.sync(file)
    }

    /// Keeps a damaged file under another name, and goes on with what of it is whole.
    fn set_aside(
        &mut self,
        file: &str,
        whole: &[u8],
        scattered: &[Group],
        seconds: i64,
    ) -> io::Result<()> {
        let segment = self.start.segment;
        let mut all = whole.to_vec();
        let key = self.key.public();
        for group in scattered.iter().filter(|group| group.is_signed(segment, &key)) {
            let block = group.block();
            let Some(entries) = block.as_deref().and_then(entries) else { continue };
            let (next, head) = (self.next, self.head);
            let again = Group::of(&self.start, next, &head, &entries, &group.cursors, &self.key);
            all.extend_from_slice(&again.bytes());
            self.count(&entries, seconds);
            self.next += u64::from(again.count);
            self.head = again.head;
            self.cursors.clone_from(&again.cursors);
        }
        self.length = all.len() as u64;
        // The damaged file is copied, not renamed: there is a segment to go on in at every moment.
        let damaged = self.disk.read(file)?;
        self.disk.put(&name(segment, "damaged"), &damaged)?;
        self.disk.put(file, &all)
    }
}

fn of(name: &str, source: io::Error) -> StoreError {
    StoreError::File { name: name.to_owned(), source }
}
