//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "long-life",
        about: "tokens live for as long as is asked",
        on: On::OneControlPlane,
        harms: &[Harm::NoFlag(Component::ApiServer, "--service-account-max-token-expiration")],
        also: &[],
    },
    Sabotage {
        name: "other-audience",
        about: "a server takes tokens that were made for somebody else",
        on: On::OneControlPlane,
        harms: &[Harm::Flag(
            Component::ApiServer,
            "--api-audiences",
            "https://kubernetes.default.svc.cluster.local,canary.ringfort.dev",
        )],
        also: &[],
    },
    Sabotage {
        name: "one-key",
        about: "a server knows the key of one server only",
        on: On::OneControlPlane,
        harms: &[Harm::FirstValue(Component::ApiServer, "--service-account-key-file")],
        also: &[],
    },
];
