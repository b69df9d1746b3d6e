//! What is kept of one line, and the chain that goes through all of them.

use serde::{Deserialize, Serialize};

use super::wire::{Reader, put_short, put_signed};

/// What a line is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A line with events.
    Event,
    /// A line that cannot be read. It is kept: it may be what somebody wanted to be unreadable.
    Unreadable,
    /// Something that a machine's agent found. Its source is that agent.
    Finding,
}

/// A line as it is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry<'a> {
    /// Whose log it stood in. Who collects says it, no caller can choose it.
    pub source: &'a str,
    /// When, in microseconds of the Unix epoch: the event's own time, or else when it was read.
    pub time: i64,
    /// What it is.
    pub kind: Kind,
    /// The line, without what ends it.
    pub text: &'a [u8],
}

/// A digest: of an entry, of all entries up to one, of a file.
pub type Hash = [u8; 32];

impl Entry<'_> {
    /// Gives what tells the entry from all others: its text with its source.
    pub fn key(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.source.len() as u64).to_le_bytes());
        hasher.update(self.source.as_bytes());
        hasher.update(self.text);
        hasher.finalize().into()
    }

    /// Gives the chain's head behind this entry, from the one before it.
    pub fn chained(&self, head: &Hash) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(head);
        hasher.update(&self.time.to_le_bytes());
        hasher.update(&[match self.kind {
            Kind::Event => 0,
            Kind::Unreadable => 1,
            Kind::Finding => 2,
        }]);
        hasher.update(&self.key());
        hasher.finalize().into()
    }
}

/// Gives the head behind all of these.
pub fn chained(head: &Hash, entries: &[Entry<'_>]) -> Hash {
    entries.iter().fold(*head, |head, entry| entry.chained(&head))
}

/// The longest that a block is when it is unpacked: the longest line, and what stands around it.
pub(crate) const MOST_BLOCK: usize = 32 << 20;

/// Writes entries as a block: first what is said of each, then all texts, which packs better.
pub(crate) fn block(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut sources: Vec<&str> = Vec::new();
    for entry in entries {
        if !sources.contains(&entry.source) {
            sources.push(entry.source);
        }
    }
    let mut said = Vec::new();
    let mut time = 0;
    for entry in entries {
        let at = sources.iter().position(|known| *known == entry.source).unwrap_or_default();
        // What an agent found has a number beyond those of the sources: there were none when blocks had events alone.
        let at = if entry.kind == Kind::Finding { at + sources.len() } else { at };
        let is_unreadable = u64::from(entry.kind == Kind::Unreadable);
        put_short(&mut said, (at as u64) << 1 | is_unreadable);
        put_signed(&mut said, entry.time.wrapping_sub(time));
        put_short(&mut said, entry.text.len() as u64);
        time = entry.time;
    }
    let mut out = Vec::new();
    put_short(&mut out, sources.len() as u64);
    for source in sources {
        put_short(&mut out, source.len() as u64);
        out.extend_from_slice(source.as_bytes());
    }
    put_short(&mut out, entries.len() as u64);
    out.extend_from_slice(&said);
    for entry in entries {
        out.extend_from_slice(entry.text);
    }
    out
}

/// Reads a block. Nothing comes of one that is not whole, or holds more than it says.
pub fn entries(block: &[u8]) -> Option<Vec<Entry<'_>>> {
    entries_within(block, usize::MAX)
}

/// Reads a block that others wrote. Nothing comes of one that says more entries than so many, or more sources: that is
/// known before anything is made of them.
pub(crate) fn entries_within(block: &[u8], most: usize) -> Option<Vec<Entry<'_>>> {
    let mut reader = Reader(block);
    let mut sources = Vec::new();
    let count = reader.length().filter(|count| *count <= most)?;
    for _ in 0..count {
        let length = reader.length()?;
        sources.push(std::str::from_utf8(reader.take(length)?).ok()?);
    }
    let count = reader.length().filter(|count| *count <= most)?;
    let mut said = Vec::with_capacity(count.min(reader.0.len()));
    let mut time = 0_i64;
    for _ in 0..count {
        let (word, later, length) = (reader.length()?, reader.signed()?, reader.length()?);
        time = time.wrapping_add(later);
        let (kind, at) = match (word & 1, (word >> 1).checked_sub(sources.len())) {
            (0, Some(at)) => (Kind::Finding, at),
            (0, None) => (Kind::Event, word >> 1),
            _ => (Kind::Unreadable, word >> 1),
        };
        said.push((*sources.get(at)?, time, kind, length));
    }
    let entries = said.into_iter().map(|(source, time, kind, length)| {
        Some(Entry { source, time, kind, text: reader.take(length)? })
    });
    let entries: Option<Vec<_>> = entries.collect();
    entries.filter(|_| reader.0.is_empty())
}

/// Packs a block.
pub(crate) fn packed(block: &[u8], level: i32) -> Vec<u8> {
    zstd::bulk::compress(block, level).expect("memory takes whatever is packed into it")
}

/// Unpacks a block of a known length.
pub fn unpacked(bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    if length > MOST_BLOCK {
        return None;
    }
    zstd::bulk::decompress(bytes, length).ok().filter(|block| block.len() == length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Entry<'static>> {
        vec![
            Entry { source: "a", time: 5, kind: Kind::Event, text: b"{}" },
            Entry { source: "b", time: -7, kind: Kind::Unreadable, text: b"\0\xff" },
            Entry { source: "a", time: i64::MAX, kind: Kind::Event, text: b"" },
            Entry { source: "b", time: 9, kind: Kind::Finding, text: b"{\"id\":1}" },
        ]
    }

    #[test]
    fn a_block_comes_back_and_no_part_of_it_is_one() {
        let block = block(&some());
        assert_eq!(entries(&block).unwrap(), some());
        for end in 0..block.len() {
            assert_eq!(entries(&block[..end]), None, "{end} bytes");
        }
        assert_eq!(entries(&[&block[..], b"x"].concat()), None);
        let packed = packed(&block, 3);
        assert_eq!(unpacked(&packed, block.len()).unwrap(), block);
        assert_eq!(unpacked(&packed, block.len() - 1), None);
        assert_eq!(unpacked(&packed, MOST_BLOCK + 1), None);
    }

    #[test]
    fn what_others_wrote_is_no_more_than_was_agreed() {
        let block = block(&some());
        assert_eq!(entries_within(&block, 4).unwrap(), some());
        assert_eq!(entries_within(&block, 3), None);
        // Two sources, and no entry.
        assert_eq!(entries_within(b"\x02\0\0\0", 2), Some(Vec::new()));
        assert_eq!(entries_within(b"\x02\0\0\0", 1), None);
    }

    #[test]
    fn the_chain_hangs_on_everything_that_is_said_of_an_entry() {
        let one = some()[0];
        let head = one.chained(&[0; 32]);
        for other in [
            Entry { source: "b", ..one },
            Entry { time: 6, ..one },
            Entry { kind: Kind::Unreadable, ..one },
            Entry { kind: Kind::Finding, ..one },
            Entry { text: b"{} ", ..one },
        ] {
            assert_ne!(other.chained(&[0; 32]), head, "{other:?}");
        }
        assert_ne!(one.chained(&[1; 32]), head);
        // A text cannot pass for the end of a source.
        let shifted = Entry { source: "a{", text: b"}", ..one };
        assert_ne!(shifted.key(), one.key());
    }
}
