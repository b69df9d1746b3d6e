//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "little-memory",
    about: "a worker came back with less memory than it had",
    on: On::OneWorker,
    harms: &[Harm::Live {
        does: "sed 's/^MemTotal:.*/MemTotal: 890000 kB/' /proc/meminfo >/run/meminfo && \
               mount --bind /run/meminfo /proc/meminfo && systemctl restart kubelet && sleep 15",
        undoes: "umount /proc/meminfo; systemctl restart kubelet",
    }],
    also: &[],
}];
