//! Follows what is kept, from a place on that the follower writes down: nothing is visited twice, and what is gone
//! before it was visited is counted.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::look::{LookError, names, of, read};
use super::store::{name, numbers};
use crate::format::entry::{Entry, entries};
use crate::format::open::{Group, START_BYTES, groups};
use crate::format::sealed::Table;

/// Up to where a store was followed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Place {
    /// The segment.
    pub segment: u64,
    /// The number of the entry that is visited next.
    pub next: u64,
}

/// Follows what is kept.
#[derive(Debug)]
pub struct Follower {
    store: PathBuf,
    /// The segment that is read, and up to where.
    segment: u64,
    at: u64,
    /// The number of the entry that is visited next.
    next: u64,
    /// The number behind the last entry that it came by; nothing is known where it is zero.
    end: u64,
    unread: u64,
}

/// What an entry counts for where only so much is visited.
type Weigh = fn(&Entry<'_>) -> u64;

/// Each entry counts as one.
fn one(_: &Entry<'_>) -> u64 {
    1
}

/// An entry counts as its length, and is never nothing.
fn length(entry: &Entry<'_>) -> u64 {
    1 + entry.text.len() as u64
}

impl Follower {
    /// Follows a store from a place on, or else from the segment on that is written to.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(store: &Path, from: Option<Place>) -> Result<Self, LookError> {
        let names = names(store)?;
        let (open, sealed) = (numbers(&names, "open").pop(), numbers(&names, "seg").pop());
        // Between two segments there is none that is written to.
        let newest = open.or_else(|| sealed.map(|segment| segment + 1)).unwrap_or(1);
        let Place { segment, next } = from.unwrap_or(Place { segment: newest, next: 0 });
        if segment > newest {
            let foreign = io::Error::other("the place to go on from is none of this store");
            return Err(of(store)(foreign));
        }
        let (store, at) = (store.to_owned(), START_BYTES as u64);
        Ok(Self { store, segment, at, next, end: 0, unread: 0 })
    }

    /// Follows a store from the oldest that it has.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn from_oldest(store: &Path) -> Result<Self, LookError> {
        let names = names(store)?;
        let all = ["seg", "open"].into_iter().flat_map(|kind| numbers(&names, kind));
        let segment = all.min().unwrap_or(1);
        Self::new(store, Some(Place { segment, next: 0 }))
    }

    /// Up to where it was followed.
    pub fn place(&self) -> Place {
        Place { segment: self.segment, next: self.next }
    }

    /// Whether it stands behind all that it looked through: the place to go on from is none of this store.
    pub(super) fn is_beyond(&self) -> bool {
        self.end > 0 && self.next > self.end
    }

    /// Says how many pieces of the store could not be read and were not visited.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Visits what was kept since the last look. Gives how many entries that were.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn look(&mut self, visit: &mut dyn FnMut(&Entry<'_>)) -> Result<u64, LookError> {
        self.look_at(u64::MAX, visit)
    }

    /// Visits what was kept since the last look, and ends with what was kept together with the last of so many bytes.
    /// Gives how many that were, with one more for each entry.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn look_at_bytes(
        &mut self,
        most: u64,
        visit: &mut dyn FnMut(&Entry<'_>),
    ) -> Result<u64, LookError> {
        self.look_by(most, length, visit)
    }

    /// Visits what was kept since the last look, and ends with what was kept together with the last of so many. Gives how
    /// many entries that were.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn look_at(
        &mut self,
        most: u64,
        visit: &mut dyn FnMut(&Entry<'_>),
    ) -> Result<u64, LookError> {
        self.look_by(most, one, visit)
    }

    fn look_by(
        &mut self,
        most: u64,
        weigh: Weigh,
        visit: &mut dyn FnMut(&Entry<'_>),
    ) -> Result<u64, LookError> {
        let mut count = 0;
        loop {
            let open = self.store.join(name(self.segment, "open"));
            if let Some(bytes) = read_from(&open, self.at).map_err(of(&open))? {
                let most = most.saturating_sub(count);
                return Ok(count + self.groups(&bytes, most, weigh, visit));
            }
            // It was sealed, or is not there yet.
            let sealed = self.store.join(name(self.segment, "seg"));
            let Some(file) = read(&sealed)? else {
                if self.pass_over()? {
                    continue;
                }
                return Ok(count);
            };
            let table = Table::of(&file);
            self.unread += u64::from(table.is_none());
            for block in table.iter().flat_map(|table| &table.blocks) {
                self.end = self.end.max(block.first + block.count);
                if block.first + block.count <= self.next {
                    continue;
                }
                if count >= most {
                    return Ok(count);
                }
                let unpacked = crate::format::sealed::unpacked(&file, block);
                count += self.visit(block.first, unpacked.as_deref(), weigh, visit);
            }
            (self.segment, self.at) = (self.segment + 1, START_BYTES as u64);
        }
    }

    /// Goes on at the oldest segment behind one that is gone. Says whether there is any.
    fn pass_over(&mut self) -> Result<bool, LookError> {
        let names = names(&self.store)?;
        let later = |kind| numbers(&names, kind).into_iter().find(|it| *it >= self.segment);
        let Some(oldest) = later("seg").into_iter().chain(later("open")).min() else {
            return Ok(false);
        };
        // It may have come since it was looked for.
        if oldest > self.segment {
            self.unread += oldest - self.segment;
            (self.segment, self.at) = (oldest, START_BYTES as u64);
        }
        Ok(true)
    }

    fn groups(
        &mut self,
        bytes: &[u8],
        most: u64,
        weigh: Weigh,
        visit: &mut dyn FnMut(&Entry<'_>),
    ) -> u64 {
        let (mut count, mut read) = (0, 0);
        groups(bytes, 0, &mut |group: Group| {
            if count >= most {
                return;
            }
            read += group.bytes().len() as u64;
            count += self.visit(group.first, group.block().as_deref(), weigh, visit);
        });
        self.at += read;
        count
    }

    fn visit(
        &mut self,
        first: u64,
        block: Option<&[u8]>,
        weigh: Weigh,
        visit: &mut dyn FnMut(&Entry<'_>),
    ) -> u64 {
        let mut count = 0;
        let Some(entries) = block.and_then(entries) else {
            self.unread += 1;
            return 0;
        };
        self.end = self.end.max(first + entries.len() as u64);
        for (entry, number) in entries.iter().zip(first..) {
            if number >= self.next {
                visit(entry);
                self.next = number + 1;
                count += weigh(entry);
            }
        }
        count
    }
}

/// Reads a file from a place on; nothing where it is not there.
fn read_from(path: &Path, at: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = vec![0; file.metadata()?.len().saturating_sub(at) as usize];
    let read = file.read_at(&mut bytes, at)?;
    bytes.truncate(read);
    Ok(Some(bytes))
}
