//! The segment that is written to: groups of entries, each whole or not there. A group is synced before it is
//! acknowledged and before the next is begun, so only the last can be torn.

use ringfort_pki::{Ed25519Key, Ed25519Public};

use super::entry::{self, Entry, Hash};
use super::wire::Reader;

/// What a segment begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Start {
    /// Its number, from 1.
    pub segment: u64,
    /// The number of its first entry, from 1.
    pub first: u64,
    /// The chain's head before it.
    pub before: Hash,
}

const OPEN: &[u8; 8] = b"RFOPEN01";
/// How long the beginning of an open segment is.
pub const START_BYTES: usize = 8 + 8 + 8 + 32 + 4;

impl Start {
    /// Writes it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = OPEN.to_vec();
        out.extend_from_slice(&self.segment.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.before);
        let sum = crc32fast::hash(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads it; nothing comes of one that is not whole.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let said = reader.take(START_BYTES - 4)?;
        (reader.u32()? == crc32fast::hash(said)).then_some(())?;
        let mut reader = Reader(said.strip_prefix(OPEN)?);
        Some(Self { segment: reader.u64()?, first: reader.u64()?, before: reader.array()? })
    }
}

/// A group, as it stands in a segment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Group {
    /// The number of its first entry.
    pub first: u64,
    /// How many entries it has.
    pub count: u32,
    /// The chain's head behind it.
    pub head: Hash,
    /// Up to where each log had been read: what is durable with the entries themselves cannot differ from them.
    pub cursors: Vec<u8>,
    /// The block, packed,
    pub packed: Vec<u8>,
    /// and how long it is unpacked.
    pub length: u32,
    /// By who keeps the store.
    signature: [u8; 64],
}

const MARK: &[u8; 4] = b"RFG1";

impl Group {
    /// Puts entries into a group, behind a head.
    pub fn of(
        start: &Start,
        first: u64,
        before: &Hash,
        entries: &[Entry<'_>],
        cursors: &[u8],
        key: &Ed25519Key,
    ) -> Self {
        let block = entry::block(entries);
        let mut group = Self {
            first,
            count: entries.len() as u32,
            head: entry::chained(before, entries),
            cursors: cursors.to_vec(),
            packed: entry::packed(&block, LEVEL),
            length: block.len() as u32,
            signature: [0; 64],
        };
        group.signature = key.sign(&group.signed(start.segment));
        group
    }

    /// What is signed of it.
    fn signed(&self, segment: u64) -> Vec<u8> {
        let mut out = b"ringfort audit group v1\n".to_vec();
        out.extend_from_slice(&segment.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.head);
        out.extend_from_slice(blake3::hash(&self.cursors).as_bytes());
        out
    }

    /// Whether it is by this key.
    pub fn is_signed(&self, segment: u64, key: &Ed25519Public) -> bool {
        key.has_signed(&self.signed(segment), &self.signature)
    }

    /// Gives its block; nothing where it does not hold what it says.
    pub fn block(&self) -> Option<Vec<u8>> {
        entry::unpacked(&self.packed, self.length as usize)
    }

    /// Writes it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = MARK.to_vec();
        let length = FIXED + self.cursors.len() + self.packed.len();
        out.extend_from_slice(&(length as u32).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&self.signature);
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&(self.cursors.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.cursors);
        out.extend_from_slice(&self.packed);
        let sum = sum(length as u32, &out[HEAD..]);
        out[8..HEAD].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads the group that bytes begin with, and how long it is; nothing where none is whole.
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut reader = Reader(bytes.strip_prefix(MARK)?);
        let (length, expected) = (reader.u32()?, reader.u32()?);
        let body = reader.take(length as usize)?;
        (sum(length, body) == expected).then_some(())?;
        let mut reader = Reader(body);
        let (first, count, head) = (reader.u64()?, reader.u32()?, reader.array()?);
        let (signature, length) = (reader.array()?, reader.u32()?);
        let cursors = reader.u32()?;
        let cursors = reader.take(cursors as usize)?.to_vec();
        let packed = reader.0.to_vec();
        let group = Self { first, count, head, cursors, packed, length, signature };
        Some((group, HEAD + body.len()))
    }
}

/// The length is summed too: a length that is wrong must not make another group whole.
fn sum(length: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

const HEAD: usize = 12;
const FIXED: usize = 8 + 4 + 32 + 64 + 4 + 4;
/// Groups are packed while somebody waits for them, and again with their neighbours when they are sealed.
const LEVEL: i32 = 1;

/// What stands where no group is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rest {
    /// Nothing.
    Nothing,
    /// A write that did not end: nothing that is whole stands behind it, and it was not acknowledged.
    Torn {
        /// Where it begins.
        at: usize,
    },
    /// Something that was whole once: a group stands behind it.
    Damaged {
        /// Where it begins.
        at: usize,
        /// Where the next group stands.
        next: usize,
    },
}

/// Reads the groups from a place on, up to the first that is not whole.
pub fn groups(bytes: &[u8], from: usize, visit: &mut dyn FnMut(Group)) -> Rest {
    let mut at = from;
    while at < bytes.len() {
        let Some((group, length)) = Group::read(&bytes[at..]) else {
            return rest(bytes, at);
        };
        visit(group);
        at += length;
    }
    Rest::Nothing
}

fn rest(bytes: &[u8], at: usize) -> Rest {
    let is_whole =
        |next: &usize| bytes[*next..].starts_with(MARK) && Group::read(&bytes[*next..]).is_some();
    match (at + 1..bytes.len()).find(is_whole) {
        Some(next) => Rest::Damaged { at, next },
        None => Rest::Torn { at },
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Kind;
    use super::*;

    fn key() -> Ed25519Key {
        Ed25519Key::make().unwrap()
    }

    fn three(key: &Ed25519Key) -> (Vec<Group>, Vec<u8>) {
        let start = Start { segment: 4, first: 10, before: [7; 32] };
        let (mut head, mut bytes, mut groups) = (start.before, start.bytes(), Vec::new());
        for number in 0..3 {
            let text = format!("{{\"n\":{number}}}");
            let entry = Entry { source: "a", time: 1, kind: Kind::Event, text: text.as_bytes() };
            let group = Group::of(&start, 10 + number, &head, &[entry], b"c", key);
            head = group.head;
            bytes.extend_from_slice(&group.bytes());
            groups.push(group);
        }
        (groups, bytes)
    }

    fn read(bytes: &[u8]) -> (Vec<Group>, Rest) {
        let mut found = Vec::new();
        let rest = groups(bytes, START_BYTES, &mut |group| found.push(group));
        (found, rest)
    }

    #[test]
    fn a_torn_tail_is_told_from_whole_groups_wherever_it_is_cut() {
        let (groups, bytes) = three(&key());
        assert_eq!(Start::read(&bytes).map(|start| start.segment), Some(4));
        let ends: Vec<usize> = groups
            .iter()
            .scan(START_BYTES, |end, group| {
                *end += group.bytes().len();
                Some(*end)
            })
            .collect();
        for cut in START_BYTES..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count();
            let at = if whole == 0 { START_BYTES } else { ends[whole - 1] };
            let rest = if at == cut { Rest::Nothing } else { Rest::Torn { at } };
            assert_eq!(read(&bytes[..cut]), (groups[..whole].to_vec(), rest), "cut at {cut}");
            let zeros = [&bytes[..cut], &vec![0; bytes.len() - cut]].concat();
            assert_eq!(read(&zeros).0, groups[..whole], "zeros from {cut}");
        }
    }

    #[test]
    fn what_is_damaged_with_a_group_behind_it_is_not_taken_for_torn() {
        let (groups, bytes) = three(&key());
        let second = START_BYTES + groups[0].bytes().len();
        let third = second + groups[1].bytes().len();
        for at in second..third {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let (found, rest) = read(&damaged);
            assert_eq!(found, groups[..1], "byte {at}");
            assert_eq!(rest, Rest::Damaged { at: second, next: third }, "byte {at}");
        }
    }

    #[test]
    fn a_group_is_signed_for_its_segment_and_its_cursors() {
        let key = key();
        let (groups, _) = three(&key);
        assert!(groups[0].is_signed(4, &key.public()));
        assert!(!groups[0].is_signed(5, &key.public()));
        assert!(!groups[0].is_signed(4, &self::key().public()));
        let other = Group { cursors: b"d".to_vec(), ..groups[0].clone() };
        assert!(!other.is_signed(4, &key.public()));
    }
}
