//! Operators' states of clusters that stand for some time: one that was handed over just now, one of
//! which proofs failed since, and one so old that its authorities' life is over.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use ringfort_forge::keyring::{ClusterExists, Identity, StateDirectory};
use ringfort_model::digest::Digest;
use ringfort_model::name::ClusterName;

/// The first day of 2010, in seconds since 1970: authorities live for ten years.
const LONG_AGO_S: i64 = 1_262_304_000;
/// The first day of 2026.
const DOUBTED_S: i64 = 1_767_225_600;

/// Writes the specifications, the states of their operator, and the operator's identity.
pub fn write_handed_over(room: &Path) {
    let now_s = Timestamp::now().as_second();
    write(&room.join("old"), LONG_AGO_S, None);
    write(&room.join("proved"), now_s, None);
    write(&room.join("doubted"), now_s, Some(DOUBTED_S));
}

fn write(directory: &Path, made_s: i64, doubted_s: Option<i64>) {
    fs::create_dir_all(directory).unwrap();
    let spec = directory.join("cluster.yaml");
    fs::write(&spec, crate::SPEC).unwrap();
    let then = Timestamp::from_second(made_s).unwrap();
    let identity = Identity::make(&directory.join("identity.txt"), then).unwrap();
    let state = StateDirectory::beside(&spec, &ClusterName::new("harbour").unwrap());
    let held = state.hold().unwrap();
    let none = BTreeSet::new();
    let opened = held.open_or_create(&identity, &none, ClusterExists::No, made_s).unwrap();
    let mut trust = opened.trust;
    trust.hand_over(made_s, Digest::of(b"evidence"), BTreeSet::new());
    doubted_s.map(|at_s| trust.doubt(at_s));
    held.save_trust(&trust).unwrap();
}
