//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "no-panic",
    about: "a machine goes on after a fault of its kernel",
    on: On::OneWorker,
    harms: &[Harm::Live {
        does: "sysctl -qw kernel.panic=0",
        undoes: "sysctl -qw kernel.panic=10",
    }],
    also: &[],
}];
