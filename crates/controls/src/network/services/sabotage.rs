//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "numbered-protocols",
        about: "nft tells kube-proxy protocols by number, which then takes its rules away",
        on: On::OneWorker,
        harms: &[Harm::Live {
            does: "mv /etc/protocols /etc/protocols.aside && systemctl restart kube-proxy && sleep 5",
            undoes: "mv /etc/protocols.aside /etc/protocols && systemctl stop kube-proxy && \
                     nft delete table ip kube-proxy && systemctl start kube-proxy",
        }],
        also: &["network/cluster-dns", "network/default-deny"],
    },
    Sabotage {
        name: "no-proxy",
        about: "kube-proxy is gone from a worker, with its rules",
        on: On::OneWorker,
        harms: &[Harm::Live {
            does: "systemctl stop kube-proxy && nft delete table ip kube-proxy",
            undoes: "systemctl start kube-proxy",
        }],
        also: &["network/cluster-dns", "network/default-deny", "network/loopback-only"],
    },
];
