//! How it is broken on purpose.

use crate::ha::nodes_are_ready::CONTAINERD_CONFIG;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "turned-off",
    about: "the container runtime of a worker confines nothing",
    on: On::OneWorker,
    harms: &[Harm::Text(CONTAINERD_CONFIG, "disable_apparmor = false", "disable_apparmor = true")],
    also: &[],
}];
