//! A cluster that was made so long ago that its authorities' life is over.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use ringfort_forge::keyring::{ClusterExists, Identity, StateDirectory};
use ringfort_model::name::ClusterName;

/// The first day of 2010, in seconds since 1970: authorities live for ten years.
const LONG_AGO_S: i64 = 1_262_304_000;

/// Writes a specification, the state of its operator, and the operator's identity.
pub fn write_expired(directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    let spec = directory.join("cluster.yaml");
    fs::write(&spec, crate::SPEC).unwrap();
    let then = Timestamp::from_second(LONG_AGO_S).unwrap();
    let identity = Identity::make(&directory.join("identity.txt"), then).unwrap();
    let state = StateDirectory::beside(&spec, &ClusterName::new("harbour").unwrap());
    let held = state.hold().unwrap();
    held.open_or_create(&identity, &BTreeSet::new(), ClusterExists::No, LONG_AGO_S).unwrap();
    fs::write(state.path().join("admin.conf"), "").unwrap();
}
