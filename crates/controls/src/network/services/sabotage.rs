//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "no-proxy",
    about: "kube-proxy is gone from a worker, with its rules",
    on: On::OneWorker,
    harms: &[Harm::Live {
        does: "systemctl stop kube-proxy && nft delete table ip kube-proxy",
        undoes: "systemctl start kube-proxy",
    }],
    also: &["network/cluster-dns", "network/default-deny", "network/loopback-only"],
}];
