//! How it is broken on purpose.

use ringfort_model::mode::{FileMode, Owner};

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "key-for-all",
        about: "everybody on the machine reads a key",
        on: On::OneControlPlane,
        harms: &[Harm::Mode("/etc/kubernetes/pki/apiserver.key", FileMode(0o644))],
        also: &[],
    },
    Sabotage {
        name: "config-for-all",
        about: "everybody on the machine reads how kubelet is configured",
        on: On::OneWorker,
        harms: &[Harm::Mode("/etc/systemd/system/kubelet.service", FileMode(0o644))],
        also: &[],
    },
    Sabotage {
        name: "another-owner",
        about: "a file of root belongs to somebody else",
        on: On::OneWorker,
        harms: &[Harm::Owner("/etc/kubernetes/kubelet.conf", Owner::COMPONENT)],
        also: &[],
    },
    Sabotage {
        name: "open-directory",
        about: "everybody enters the directory of the audit policy",
        on: On::OneControlPlane,
        harms: &[Harm::Mode("/etc/kubernetes/audit", FileMode(0o755))],
        also: &[],
    },
];
