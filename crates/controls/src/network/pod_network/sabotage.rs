//! How it is broken on purpose.

use crate::draft::Document;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "no-routes",
    about: "a worker knows the way to no other machine",
    on: On::OneWorker,
    harms: &[
        Harm::Setting(Document::Routes, "peers", "[]"),
        Harm::Setting(Document::Routes, "tunnel", "null"),
    ],
    also: &[
        "network/cluster-dns",
        "network/default-deny",
        "network/network-policy",
        "network/pod-encryption",
    ],
}];
