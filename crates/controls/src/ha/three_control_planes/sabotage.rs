//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "no-majority",
    about: "a member of etcd is gone, so that no other may be",
    on: On::OneControlPlane,
    harms: &[Harm::Live {
        does: "mv /etc/kubernetes/manifests/etcd.yaml /run/etcd.yaml && sleep 10",
        undoes: "mv /run/etcd.yaml /etc/kubernetes/manifests/etcd.yaml && sleep 20",
    }],
    also: &[
        "data/encryption-at-rest",
        "data/etcd-mutual-tls",
        "data/etcd-own-user",
        "ha/survives-control-plane",
        "network/loopback-only",
        "network/tls-1-3",
        "node/closed-files",
        "node/components-drop-rights",
        "versions/pinned-by-digest",
    ],
}];
