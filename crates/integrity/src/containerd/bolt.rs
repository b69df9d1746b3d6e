//! Reads a bbolt database from its bytes: a tree of pages in which buckets hold keys, values and further
//! buckets. Pure. Whatever the bytes say, reading ends, and reads nothing beyond them.

use std::cell::Cell;

const MAGIC: u32 = 0xed0c_daed;
const VERSION: u32 = 2;
/// Bytes before what a page holds.
const HEAD_BYTES: usize = 16;
/// Bytes of one entry of a page.
const ELEMENT_BYTES: usize = 16;
/// Bytes of a bucket's head, and where its checksum lies in the page that leads to everything.
const BUCKET_BYTES: usize = 16;
const CHECKSUM_AT: usize = 56;
/// Pages may be as large as a machine's memory has them.
const PAGE_BYTES: [usize; 7] = [4_096, 16_384, 65_536, 8_192, 32_768, 2_048, 1_024];
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const META: u16 = 4;
const IS_BUCKET: u32 = 1;
/// So often is the same read: each of the few buckets that are looked into is gone through for itself.
const PASSES: usize = 4;
/// No tree of pages is deeper.
const DEEPEST: usize = 64;

/// A database.
#[derive(Debug)]
pub struct Database<'a> {
    bytes: &'a [u8],
    page_bytes: usize,
    root: u64,
    /// How many pages may still be read: a tree has no more than there are, a circle has.
    left: Cell<usize>,
    /// How many entries may still be read: pages that lie over each other have more than there are.
    entries_left: Cell<usize>,
}

/// A bucket of a database.
#[derive(Clone, Copy, Debug)]
pub struct Bucket<'d, 'a> {
    database: &'d Database<'a>,
    holds: Holds<'a>,
}

/// Where a bucket's entries are: in pages of their own, or in its place.
#[derive(Clone, Copy, Debug)]
enum Holds<'a> {
    Pages(u64),
    Inline(&'a [u8]),
}

/// What stands under a key.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'d, 'a> {
    /// Bytes.
    Value(&'a [u8]),
    /// Another bucket.
    Bucket(Bucket<'d, 'a>),
}

/// Says that something is no database.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("it is no bbolt database that can be read: {0}")]
pub struct Damaged(pub &'static str);

impl<'a> Database<'a> {
    /// Takes bytes as a database, by the newest page that leads to everything and is whole.
    ///
    /// # Errors
    /// No such page is there.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Damaged> {
        let at_start = std::iter::once(0).chain(PAGE_BYTES);
        let found = at_start.filter_map(|at| meta(bytes.get(at..)?)).max_by_key(|it| it.1);
        let (page_bytes, _, root) = found.ok_or(Damaged("nothing in it leads to the rest"))?;
        let times = |bytes_each: usize| Cell::new(PASSES * (bytes.len() / bytes_each + 1));
        let (left, entries_left) = (times(page_bytes), times(ELEMENT_BYTES));
        Ok(Self { bytes, page_bytes, root, left, entries_left })
    }

    /// Gives the outermost bucket.
    pub fn root(&self) -> Bucket<'_, 'a> {
        Bucket { database: self, holds: Holds::Pages(self.root) }
    }

    /// Gives where the entries of a page begin.
    fn elements(&self, page: &[u8]) -> Result<impl Iterator<Item = usize> + use<>, Damaged> {
        let count = usize::from(u16_at(page, 10).ok_or(CUT)?);
        if HEAD_BYTES + count * ELEMENT_BYTES > page.len() {
            return Err(CUT);
        }
        let left = self.entries_left.get().checked_sub(count);
        self.entries_left.set(left.ok_or(Damaged("it has more entries than fit into it"))?);
        Ok((0..count).map(|at| HEAD_BYTES + at * ELEMENT_BYTES))
    }

    /// Gives a page, with what it runs over into.
    fn page(&self, number: u64) -> Result<&'a [u8], Damaged> {
        let left = self.left.get().checked_sub(1).ok_or(Damaged("its pages lead in a circle"))?;
        self.left.set(left);
        let outside = Damaged("a page lies outside of it");
        let at = usize::try_from(number).ok().and_then(|it| it.checked_mul(self.page_bytes));
        let bytes = at.and_then(|at| self.bytes.get(at..)).ok_or(outside)?;
        let more = u32_at(bytes, 12).ok_or(outside)? as usize;
        let length = more.checked_add(1).and_then(|count| count.checked_mul(self.page_bytes));
        length.and_then(|length| bytes.get(..length)).ok_or(outside)
    }
}

/// Reads a page that leads to everything: the size of pages, its number, and where the outermost bucket is.
fn meta(page: &[u8]) -> Option<(usize, u64, u64)> {
    let flags = u16::from_le_bytes([*page.get(8)?, *page.get(9)?]);
    let meta = page.get(HEAD_BYTES..)?;
    let is_whole = u64_at(meta, CHECKSUM_AT)? == fnv(meta.get(..CHECKSUM_AT)?);
    let is_one = u32_at(meta, 0)? == MAGIC && u32_at(meta, 4)? == VERSION && flags & META != 0;
    let page_bytes = u32_at(meta, 8)? as usize;
    let is_known = PAGE_BYTES.contains(&page_bytes);
    (is_whole && is_one && is_known).then_some((page_bytes, u64_at(meta, 48)?, u64_at(meta, 16)?))
}

impl<'d, 'a> Bucket<'d, 'a> {
    /// Gives everything that it holds, in order.
    ///
    /// # Errors
    /// A page of it cannot be.
    pub fn entries(&self) -> Result<Vec<(&'a [u8], Entry<'d, 'a>)>, Damaged> {
        let mut all = Vec::new();
        match self.holds {
            Holds::Inline(page) => self.leaf(page, &mut all)?,
            Holds::Pages(number) => self.collect(number, 0, &mut all)?,
        }
        Ok(all)
    }

    /// Gives a bucket in it; none, where there is none.
    ///
    /// # Errors
    /// A page of it cannot be.
    pub fn bucket(&self, name: &str) -> Result<Option<Bucket<'d, 'a>>, Damaged> {
        let found = self.entries()?.into_iter().find(|(key, _)| *key == name.as_bytes());
        Ok(found.and_then(|(_, entry)| entry.bucket()))
    }

    fn collect(
        &self,
        number: u64,
        depth: usize,
        all: &mut Vec<(&'a [u8], Entry<'d, 'a>)>,
    ) -> Result<(), Damaged> {
        if depth > DEEPEST {
            return Err(Damaged("its pages lie too deep"));
        }
        let page = self.database.page(number)?;
        match u16_at(page, 8) {
            Some(flags) if flags & LEAF != 0 => self.leaf(page, all),
            Some(flags) if flags & BRANCH != 0 => {
                for at in self.database.elements(page)? {
                    let next = u64_at(page, at + 8).ok_or(CUT)?;
                    self.collect(next, depth + 1, all)?;
                }
                Ok(())
            }
            _ => Err(Damaged("a page is of no kind that a bucket has")),
        }
    }

    fn leaf(
        &self,
        page: &'a [u8],
        all: &mut Vec<(&'a [u8], Entry<'d, 'a>)>,
    ) -> Result<(), Damaged> {
        for at in self.database.elements(page)? {
            let number = |offset| u32_at(page, at + offset).map(|it| it as usize).ok_or(CUT);
            let (flags, from) = (number(0)? as u32, number(4)?);
            let (key_bytes, value_bytes) = (number(8)?, number(12)?);
            let rest = page.get(at..).and_then(|rest| rest.get(from..)).ok_or(CUT)?;
            let (key, rest) = rest.split_at_checked(key_bytes).ok_or(CUT)?;
            let value = rest.get(..value_bytes).ok_or(CUT)?;
            let entry = match flags & IS_BUCKET {
                0 => Entry::Value(value),
                _ => Entry::Bucket(self.within(value)?),
            };
            all.push((key, entry));
        }
        Ok(())
    }

    fn within(&self, value: &'a [u8]) -> Result<Bucket<'d, 'a>, Damaged> {
        let holds = match u64_at(value, 0).ok_or(CUT)? {
            0 => Holds::Inline(value.get(BUCKET_BYTES..).ok_or(CUT)?),
            number => Holds::Pages(number),
        };
        Ok(Self { database: self.database, holds })
    }
}

impl<'d, 'a> Entry<'d, 'a> {
    /// Gives it as a value.
    pub fn value(self) -> Option<&'a [u8]> {
        match self {
            Self::Value(value) => Some(value),
            Self::Bucket(_) => None,
        }
    }

    /// Gives it as a bucket.
    pub fn bucket(self) -> Option<Bucket<'d, 'a>> {
        match self {
            Self::Value(_) => None,
            Self::Bucket(bucket) => Some(bucket),
        }
    }
}

const CUT: Damaged = Damaged("an entry is cut off");

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|it| u16::from_le_bytes(*it))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|it| u32::from_le_bytes(*it))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|it| u64::from_le_bytes(*it))
}

/// The checksum of a page that leads to everything: FNV-1a of 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    let add = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, add)
}
