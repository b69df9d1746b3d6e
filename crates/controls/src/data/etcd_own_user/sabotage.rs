//! How it is broken on purpose.

use ringfort_model::mode::FileMode;

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "root",
        about: "a member of etcd is root",
        on: On::OneControlPlane,
        harms: &[
            Harm::Pod(Component::Etcd, "/spec/securityContext/runAsNonRoot", "false"),
            Harm::Pod(Component::Etcd, "/spec/securityContext/runAsUser", "0"),
            Harm::Pod(
                Component::Etcd,
                "/spec/containers/0/securityContext",
                r#"{"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true}"#,
            ),
        ],
        also: &["node/components-drop-rights"],
    },
    Sabotage {
        name: "open-data",
        about: "everybody enters the directory of etcd",
        on: On::OneControlPlane,
        harms: &[Harm::Mode("/var/lib/etcd", FileMode(0o755))],
        also: &["node/closed-files"],
    },
];
