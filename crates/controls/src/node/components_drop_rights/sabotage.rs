//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "capabilities",
        about: "a server keeps the capabilities that a runtime gives",
        on: On::OneControlPlane,
        harms: &[Harm::Pod(
            Component::ApiServer,
            "/spec/containers/0/securityContext",
            r#"{"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true}"#,
        )],
        also: &[],
    },
    Sabotage {
        name: "new-privileges",
        about: "a controller manager may gain privileges",
        on: On::OneControlPlane,
        harms: &[Harm::Pod(
            Component::ControllerManager,
            "/spec/containers/0/securityContext",
            r#"{"readOnlyRootFilesystem":true,"capabilities":{"drop":["ALL"]}}"#,
        )],
        also: &[],
    },
    Sabotage {
        name: "no-filter",
        about: "a scheduler may make every system call",
        on: On::OneControlPlane,
        harms: &[Harm::Pod(
            Component::Scheduler,
            "/spec/securityContext/seccompProfile",
            r#"{"type":"Unconfined"}"#,
        )],
        also: &[],
    },
    Sabotage {
        name: "root",
        about: "a scheduler is root",
        on: On::OneControlPlane,
        harms: &[
            Harm::Pod(Component::Scheduler, "/spec/securityContext/runAsNonRoot", "false"),
            Harm::Pod(Component::Scheduler, "/spec/securityContext/runAsUser", "0"),
            Harm::Pod(
                Component::Scheduler,
                "/spec/containers/0/securityContext",
                r#"{"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true}"#,
            ),
        ],
        also: &[],
    },
];
