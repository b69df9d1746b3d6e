//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "stopped",
        about: "what tells findings is stopped, after it woke somebody at night",
        on: On::OneControlPlane,
        harms: &[Harm::Live {
            does: "systemctl stop ringfort-tell",
            undoes: "systemctl start ringfort-tell",
        }],
        also: &[],
    },
    Sabotage {
        name: "hung",
        about: "what tells findings runs and does nothing",
        on: On::OneControlPlane,
        harms: &[Harm::Live {
            does: "systemctl kill --signal=STOP ringfort-tell",
            undoes: "systemctl kill --signal=CONT ringfort-tell",
        }],
        also: &[],
    },
    Sabotage {
        name: "unheard",
        about: "the machine's log is left out of those who are told, since it fills up",
        on: On::OneControlPlane,
        harms: &[Harm::Text(
            "/etc/systemd/system/ringfort-tell.service",
            " --syslog --source ",
            " --source ",
        )],
        also: &[],
    },
];
