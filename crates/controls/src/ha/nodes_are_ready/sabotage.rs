//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "kubelet-stopped",
    about: "a worker stops without a word",
    on: On::OneWorker,
    harms: &[Harm::Live {
        does: "systemctl stop kubelet && sleep 50",
        undoes: "systemctl start kubelet",
    }],
    also: &[],
}];
