//! How it is broken on purpose.

use ringfort_model::mode::FileMode;

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "open-data",
    about: "everybody enters the directory of etcd",
    on: On::OneControlPlane,
    harms: &[Harm::Mode("/var/lib/etcd", FileMode(0o755))],
    also: &["node/closed-files"],
}];
