//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "no-guard",
        about: "whoever may write admission objects changes them",
        on: On::ControlPlanes,
        harms: &[Harm::NoGuard],
        also: &["node/closed-files"],
    },
    Sabotage {
        name: "any-name",
        about: "the guard lets in every name that is not empty",
        on: On::ControlPlanes,
        harms: &[Harm::Guard(
            "request.userInfo.username == ",
            "request.userInfo.username != '' || request.userInfo.username == ",
        )],
        also: &[],
    },
    Sabotage {
        name: "one-server",
        about: "the guard is missing on one server",
        on: On::OneControlPlane,
        harms: &[Harm::NoGuard],
        also: &["node/closed-files"],
    },
];
