//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "no-agent",
        about: "somebody stopped a worker's agent",
        on: On::OneWorker,
        harms: &[Harm::Live {
            does: "systemctl stop ringfort-integrity.service",
            undoes: "systemctl start ringfort-integrity.service",
        }],
        also: &[],
    },
    Sabotage {
        name: "other-baseline",
        about: "a control plane's baseline was exchanged for one that nobody signed",
        on: On::OneControlPlane,
        harms: &[Harm::Live {
            does: "cd /etc/ringfort/integrity && cp -p baseline /run/ringfort-baseline && \
                   sed -i '2s/^..../AAAA/' baseline",
            undoes: "cp -p /run/ringfort-baseline /etc/ringfort/integrity/baseline && \
                     rm /run/ringfort-baseline",
        }],
        also: &[],
    },
    Sabotage {
        name: "other-files",
        about: "a worker's agent watches another directory than the machine's root",
        on: On::OneWorker,
        harms: &[Harm::Text(
            "/etc/systemd/system/ringfort-integrity.service",
            "integrity watch",
            "integrity watch --root /run",
        )],
        also: &[],
    },
    Sabotage {
        name: "nothing-leaves",
        about: "what a worker's agent finds stays on its machine",
        on: On::OneWorker,
        harms: &[Harm::Live {
            does: "systemctl stop ringfort-report.service",
            undoes: "systemctl start ringfort-report.service",
        }],
        also: &[],
    },
];
