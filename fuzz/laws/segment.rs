//! Any bytes are a segment or a part of one, or are refused; what is read says again what was read. Sums are made
//! right first, else nothing behind them would ever be tried.

use ringfort_store::format::entry::{entries, unpacked};
use ringfort_store::format::index;
use ringfort_store::format::open::{Group, START_BYTES, Start, groups};
use ringfort_store::format::sealed::{self, Table};

/// Reads bytes as everything that stands in files of segments.
pub fn holds(bytes: &[u8]) {
    open(bytes);
    group(bytes);
    sealed_file(bytes);
    block(bytes);
    bucket(bytes);
}

/// A file that is written to, and its beginning.
fn open(bytes: &[u8]) {
    if let Some(start) = Start::read(bytes) {
        assert_eq!(start.bytes(), bytes[..START_BYTES], "said again");
    }
    let mut read = Vec::new();
    groups(bytes, START_BYTES.min(bytes.len()), &mut |group| read.extend(group.bytes()));
    let behind = &bytes[START_BYTES.min(bytes.len())..];
    assert!(behind.starts_with(&read), "whole groups stand one behind the other");
}

/// Bytes as what stands in a group.
fn group(body: &[u8]) {
    let length = u32::try_from(body.len()).expect("inputs are short").to_le_bytes();
    let sum = crc([length.as_slice(), body].concat().as_slice()).to_le_bytes();
    let whole = [b"RFG1".as_slice(), &length, &sum, body].concat();
    let Some((group, read)) = Group::read(&whole) else { return };
    assert_eq!((read, group.bytes()), (whole.len(), whole), "said again");
    if let Some(unpacked) = group.block() {
        block(&unpacked);
    }
}

/// A sealed file, and bytes as its table.
fn sealed_file(bytes: &[u8]) {
    let tables = [Table::of(bytes), Table::read(bytes, crc(bytes))];
    for table in tables.into_iter().flatten() {
        assert!(table.times().is_some() || table.blocks.is_empty());
        for at in &table.blocks {
            if let Some(unpacked) = sealed::unpacked(bytes, at) {
                block(&unpacked);
            }
        }
    }
}

/// Entries, and bytes that are packed.
fn block(bytes: &[u8]) {
    let said: usize = entries(bytes).iter().flatten().map(|entry| entry.text.len()).sum();
    assert!(said <= bytes.len(), "what is read stands there");
    for length in [0, 1, bytes.len(), 1 << 12] {
        assert!(unpacked(bytes, length).is_none_or(|block| block.len() == length));
    }
}

/// A bucket of an index, and where it stands.
fn bucket(bytes: &[u8]) {
    if let Some(Ok(table)) = bytes.get(..8).map(TryInto::try_into)
        && let Some((begin, end)) = index::bucket(table)
    {
        assert!(index::TABLE <= begin && begin <= end);
    }
    let Some((term, bucket)) = bytes.split_first_chunk() else { return };
    let blocks = index::blocks(bucket, u32::from_le_bytes(*term));
    assert!(blocks.is_none_or(|blocks| blocks.is_sorted()));
}

/// The sum that stands in files (CRC-32).
fn crc(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 * (sum & 1)))
    });
    !sum
}
