//! How it is broken on purpose.

use crate::draft::{Component, Document};
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "api-server",
        about: "a server serves profiles of itself",
        on: On::OneControlPlane,
        harms: &[Harm::Flag(Component::ApiServer, "--profiling", "true")],
        also: &[],
    },
    Sabotage {
        name: "scheduler",
        about: "a scheduler serves profiles of itself",
        on: On::OneControlPlane,
        harms: &[Harm::Flag(Component::Scheduler, "--profiling", "true")],
        also: &[],
    },
    Sabotage {
        name: "kubelet",
        about: "a kubelet serves profiles of itself",
        on: On::OneWorker,
        harms: &[Harm::Setting(Document::Kubelet, "enableProfilingHandler", "true")],
        also: &[],
    },
];
