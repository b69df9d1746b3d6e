//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "no-node-restriction",
        about: "nodes may write what is not theirs, on one server",
        on: On::OneControlPlane,
        harms: &[Harm::NoValue(
            Component::ApiServer,
            "--enable-admission-plugins",
            "NodeRestriction",
        )],
        also: &[],
    },
    Sabotage {
        name: "always-allow",
        about: "a server asks no authorizer",
        on: On::OneControlPlane,
        harms: &[
            Harm::NoFlag(Component::ApiServer, "--authorization-config"),
            Harm::Flag(Component::ApiServer, "--authorization-mode", "AlwaysAllow"),
        ],
        also: &[
            "access/admin-is-narrow",
            "access/admission-objects",
            "access/anonymous-is-shut",
            "access/kubelet-authorization",
            "access/service-account-tokens",
            "audit/policy-is-set",
        ],
    },
    Sabotage {
        name: "nodes-read-secrets",
        about: "a role lets every node read every Secret, for a pull secret",
        on: On::ControlPlanes,
        harms: &[
            Harm::Object(
                r#"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"pull-secrets"},"rules":[{"apiGroups":[""],"resources":["secrets"],"verbs":["get","list"]}]}"#,
            ),
            Harm::Object(
                r#"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"pull-secrets"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"pull-secrets"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"system:nodes"}]}"#,
            ),
        ],
        also: &["audit/policy-is-set"],
    },
];
