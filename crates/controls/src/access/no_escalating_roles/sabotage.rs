//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage::unguarded("roles may hand out impersonate, escalate and bind"),
    Sabotage {
        name: "escalate-forgotten",
        about: "the guard forgets two of the three verbs",
        on: On::ControlPlanes,
        harms: &[Harm::Guard("v in ['escalate', 'bind']", "v in ['bound']")],
        also: &["access/admission-objects"],
    },
    Sabotage {
        name: "made-behind-the-guard",
        about: "a role that binds others is there, by the one name that the guard was made to overlook",
        on: On::ControlPlanes,
        harms: &[
            Harm::Guard(
                "v in ['escalate', 'bind']",
                "(v in ['escalate', 'bind'] && object.metadata.name != 'canary-binds')",
            ),
            Harm::Object(
                r#"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"canary-binds"},"rules":[{"apiGroups":["rbac.authorization.k8s.io"],"resources":["clusterroles"],"verbs":["bind"]}]}"#,
            ),
        ],
        also: &["access/admission-objects"],
    },
];
