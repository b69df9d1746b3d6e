//! Any bytes are a journal, a torn one, or refused; what was cut once reads the same, and a record
//! that is added to it is read.

use ringfort_engine::journal::{Ledger, encode, header, read};
use ringfort_engine::node::{Node, Tenure};
use ringfort_model::digest::Digest;
use ringfort_model::item::ItemId;
use ringfort_model::journal::{Phase, Record};

/// Reads bytes as a machine's journal.
pub fn holds(bytes: &[u8]) {
    let opened = Node::open(bytes, Tenure::default());
    let Ok(found) = read(bytes) else {
        assert!(opened.is_err(), "a machine began with a journal that cannot be read");
        return;
    };
    assert!(found.good <= bytes.len());
    let mut cut = bytes[..found.good].to_vec();
    if cut.is_empty() {
        cut.extend(header().into_bytes());
    }
    let again = read(&cut).expect("what was cut is a journal");
    assert_eq!((again.records.len(), again.good), (found.records.len(), cut.len()));
    let digest = Digest::of(b"a step");
    let item = ItemId::file("/added");
    cut.extend(encode(&Record {
        seq: 1,
        epoch: 1,
        item: item.clone(),
        phase: Phase::Intent,
        digest,
    }));
    let longer = read(&cut).expect("a journal with a record more is one");
    assert_eq!(longer.records.len(), found.records.len() + 1);
    assert!(Ledger::of(&longer.records).owned.contains(&item));
}
