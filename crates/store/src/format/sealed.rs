//! A segment that is not written to any more: blocks, an index of terms, a table of blocks. Nothing in it is
//! signed; its checkpoint names its digest.

use super::entry::{self, Hash};
use super::index::Terms;
use super::open::{Group, Start};
use super::wire::{Reader, put_short, put_signed};

/// Where a block stands, and what of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Block {
    /// Where it begins in the file.
    pub at: u64,
    /// How long it is,
    pub packed: usize,
    /// and how long when it is unpacked.
    pub length: usize,
    /// The number of its first entry.
    pub first: u64,
    /// How many entries it has.
    pub count: u64,
    /// The earliest and the latest of their times.
    pub times: (i64, i64),
    /// The chain's head behind it: a block that was altered is told from its neighbours.
    pub head: Hash,
}

/// What a sealed segment says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Table {
    /// What it begins with.
    pub start: Start,
    /// Its blocks, in order.
    pub blocks: Vec<Block>,
    /// Where the index begins, and how long it is.
    pub index: (u64, u64),
}

const SEALED: &[u8; 8] = b"RFSEAL01";
/// How long the end of a sealed segment is: where the table begins, its length, its sum, the mark.
pub const END_BYTES: usize = 8 + 8 + 4 + 8;
/// Entries of small groups are put together until a block is so long.
const BLOCK_BYTES: usize = 1 << 20;
const LEVEL: i32 = 3;

/// What became of a segment.
#[derive(Debug)]
pub struct Sealed {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it says of itself.
    pub table: Table,
    /// How many of its entries are unreadable lines.
    pub unreadable: u64,
}

/// Seals the groups of a segment. Nothing comes of it where one does not hold what it says.
pub fn seal(start: Start, groups: &[Group]) -> Option<Sealed> {
    let mut writer = Writer::new(start);
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    let mut waiting = 0;
    for group in groups {
        let block = group.block()?;
        waiting += block.len();
        blocks.push(block);
        if waiting >= BLOCK_BYTES {
            writer.put(&blocks)?;
            blocks.clear();
            waiting = 0;
        }
    }
    writer.put(&blocks)?;
    Some(writer.end())
}

struct Writer {
    start: Start,
    out: Vec<u8>,
    blocks: Vec<Block>,
    terms: Terms,
    unreadable: u64,
    head: Hash,
    next: u64,
}

impl Writer {
    fn new(start: Start) -> Self {
        let (head, next) = (start.before, start.first);
        let (out, blocks, terms) = (SEALED.to_vec(), Vec::new(), Terms::default());
        Self { start, out, blocks, terms, unreadable: 0, head, next }
    }

    fn put(&mut self, blocks: &[Vec<u8>]) -> Option<()> {
        let mut all = Vec::new();
        for block in blocks {
            all.extend(entry::entries(block)?);
        }
        let (Some(earliest), Some(latest)) =
            (all.iter().map(|entry| entry.time).min(), all.iter().map(|entry| entry.time).max())
        else {
            return Some(());
        };
        for entry in &all {
            self.terms.add(self.blocks.len() as u32, entry);
            self.unreadable += u64::from(entry.kind == entry::Kind::Unreadable);
        }
        self.head = entry::chained(&self.head, &all);
        let block = entry::block(&all);
        let packed = entry::packed(&block, LEVEL);
        self.blocks.push(Block {
            at: self.out.len() as u64,
            packed: packed.len(),
            length: block.len(),
            first: self.next,
            count: all.len() as u64,
            times: (earliest, latest),
            head: self.head,
        });
        self.next += all.len() as u64;
        self.out.extend_from_slice(&packed);
        Some(())
    }

    fn end(mut self) -> Sealed {
        let index_at = self.out.len() as u64;
        self.out.extend_from_slice(&self.terms.bytes());
        let at = self.out.len() as u64;
        let table =
            Table { start: self.start, blocks: self.blocks, index: (index_at, at - index_at) };
        let written = table.bytes();
        self.out.extend_from_slice(&written);
        self.out.extend_from_slice(&at.to_le_bytes());
        self.out.extend_from_slice(&(written.len() as u64).to_le_bytes());
        self.out.extend_from_slice(&crc32fast::hash(&written).to_le_bytes());
        self.out.extend_from_slice(SEALED);
        Sealed { bytes: self.out, table, unreadable: self.unreadable }
    }
}

/// Gives where the table stands and how long it is, and its sum, from the end of a file.
pub fn end(bytes: &[u8]) -> Option<(u64, u64, u32)> {
    let mut reader = Reader(bytes.strip_suffix(SEALED)?);
    let end = (reader.u64()?, reader.u64()?, reader.u32()?);
    reader.0.is_empty().then_some(end)
}

impl Table {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.start.bytes();
        put_short(&mut out, self.index.0);
        put_short(&mut out, self.index.1);
        put_short(&mut out, self.blocks.len() as u64);
        for block in &self.blocks {
            put_short(&mut out, block.at);
            put_short(&mut out, block.packed as u64);
            put_short(&mut out, block.length as u64);
            put_short(&mut out, block.count);
            put_signed(&mut out, block.times.0);
            put_signed(&mut out, block.times.1.wrapping_sub(block.times.0));
            out.extend_from_slice(&block.head);
        }
        out
    }

    /// Reads a table with its sum; nothing comes of one that is not whole.
    pub fn read(bytes: &[u8], sum: u32) -> Option<Self> {
        (crc32fast::hash(bytes) == sum).then_some(())?;
        let mut reader = Reader(bytes);
        let start = Start::read(reader.take(super::open::START_BYTES)?)?;
        let index = (reader.short()?, reader.short()?);
        let mut next = start.first;
        let mut blocks = Vec::new();
        for _ in 0..reader.short()? {
            let (at, packed, length) = (reader.short()?, reader.length()?, reader.length()?);
            let (count, earliest, later) = (reader.short()?, reader.signed()?, reader.signed()?);
            let times = (earliest, earliest.wrapping_add(later));
            let head = reader.array()?;
            blocks.push(Block { at, packed, length, first: next, count, times, head });
            next = next.checked_add(count)?;
        }
        reader.0.is_empty().then_some(Self { start, blocks, index })
    }

    /// Finds it in a whole file.
    pub fn of(file: &[u8]) -> Option<Self> {
        let at = file.len().checked_sub(END_BYTES)?;
        let (table, length, sum) = end(&file[at..])?;
        let table: usize = table.try_into().ok()?;
        Self::read(file.get(table..table.checked_add(length.try_into().ok()?)?)?, sum)
    }

    /// Gives how many entries there are.
    pub fn count(&self) -> u64 {
        self.blocks.iter().map(|block| block.count).sum()
    }

    /// Gives the chain's head behind the last.
    pub fn after(&self) -> Hash {
        self.blocks.last().map_or(self.start.before, |block| block.head)
    }

    /// Gives the earliest and the latest time.
    pub fn times(&self) -> Option<(i64, i64)> {
        let earliest = self.blocks.iter().map(|block| block.times.0).min()?;
        Some((earliest, self.blocks.iter().map(|block| block.times.1).max()?))
    }
}

/// Unpacks a block from where it stands in a file.
pub fn unpacked(file: &[u8], block: &Block) -> Option<Vec<u8>> {
    let at: usize = block.at.try_into().ok()?;
    entry::unpacked(file.get(at..at.checked_add(block.packed)?)?, block.length)
}
