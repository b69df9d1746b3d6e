//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage::unguarded("cluster-admin may be bound to anybody"),
    Sabotage {
        name: "renamed-role",
        about: "the guard looks for a role that is called otherwise",
        on: On::ControlPlanes,
        harms: &[Harm::Guard(
            "object.roleRef.name != 'cluster-admin'",
            "object.roleRef.name != 'cluster-administrator'",
        )],
        also: &["access/admission-objects"],
    },
    Sabotage {
        name: "bound-behind-the-guard",
        about: "somebody is bound to cluster-admin by the one name that the guard was made to overlook",
        on: On::ControlPlanes,
        harms: &[
            Harm::Guard(
                "object.roleRef.name != 'cluster-admin'",
                "object.roleRef.name != 'cluster-admin' || object.metadata.name == 'canary-eve'",
            ),
            Harm::Object(
                r#"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"canary-eve"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"canary-eve"}]}"#,
            ),
        ],
        also: &["access/admission-objects"],
    },
    Sabotage {
        name: "masters",
        about: "the scheduler of one control plane is made a member of system:masters",
        on: On::OneControlPlane,
        harms: &[Harm::Group("/etc/kubernetes/scheduler/client.crt", "system:masters")],
        also: &[],
    },
];
