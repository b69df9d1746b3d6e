//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "plugin-off",
        about: "the plugin is missing on one server",
        on: On::OneControlPlane,
        harms: &[Harm::NoValue(
            Component::ApiServer,
            "--enable-admission-plugins",
            "DenyServiceExternalIPs",
        )],
        also: &[],
    },
    Sabotage {
        name: "plugin-disabled",
        about: "the plugin is switched on, and switched off by another flag",
        on: On::OneControlPlane,
        harms: &[
            Harm::Flag(
                Component::ApiServer,
                "--disable-admission-plugins",
                "DenyServiceExternalIPs",
            ),
            Harm::NoValue(
                Component::ApiServer,
                "--enable-admission-plugins",
                "DenyServiceExternalIPs",
            ),
        ],
        also: &[],
    },
];
