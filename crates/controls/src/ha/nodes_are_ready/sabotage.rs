//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "kubelet-stopped",
    about: "a worker stops without a word",
    on: On::OneWorker,
    harms: &[Harm::Live {
        does: "systemctl stop kubelet && sleep 75",
        undoes: "systemctl start kubelet",
    }],
    also: &[
        "access/image-credentials",
        "access/kubelet-authorization",
        "access/no-profiling",
        "network/cluster-dns",
        "network/default-deny",
        "network/loopback-only",
        "network/network-policy",
        "network/pod-network",
        "network/services",
        "network/tls-1-3",
        "node/process-limit",
        "versions/pinned-by-digest",
        "workload/seccomp",
        "workload/user-namespaces",
    ],
}];
