//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "plugin-off",
        about: "one server does not have the plugin",
        on: On::OneControlPlane,
        harms: &[Harm::NoValue(
            Component::ApiServer,
            "--enable-admission-plugins",
            "EventRateLimit",
        )],
        also: &[],
    },
    Sabotage {
        name: "no-limit",
        about: "the limit for a single object is so high that nobody meets it",
        on: On::ControlPlanes,
        harms: &[Harm::Plugin("EventRateLimit", "/limits/3/burst", "100000")],
        also: &[],
    },
];
