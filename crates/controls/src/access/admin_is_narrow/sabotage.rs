//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "signs",
        about: "the administrator may ask for certificates",
        on: On::ControlPlanes,
        harms: &[Harm::Rule(
            "ringfort:admin",
            r#"{"apiGroups":["certificates.k8s.io"],"resources":["certificatesigningrequests"],"verbs":["create"]}"#,
        )],
        also: &[],
    },
    Sabotage {
        name: "webhooks",
        about: "the administrator may add webhooks",
        on: On::ControlPlanes,
        harms: &[Harm::Rule(
            "ringfort:admin",
            r#"{"apiGroups":["admissionregistration.k8s.io"],"resources":["mutatingwebhookconfigurations"],"verbs":["create"]}"#,
        )],
        also: &[],
    },
    Sabotage {
        name: "aggregates",
        about: "the administrator may add API servers of its own",
        on: On::ControlPlanes,
        harms: &[Harm::Rule(
            "ringfort:admin",
            r#"{"apiGroups":["apiregistration.k8s.io"],"resources":["apiservices"],"verbs":["create"]}"#,
        )],
        also: &[],
    },
    Sabotage {
        name: "deletes-nodes",
        about: "the administrator may delete nodes",
        on: On::ControlPlanes,
        harms: &[Harm::Rule(
            "ringfort:admin",
            r#"{"apiGroups":[""],"resources":["nodes"],"verbs":["delete"]}"#,
        )],
        also: &[],
    },
    Sabotage {
        name: "impersonates",
        about: "the administrator may speak in the name of others, and the guard of roles lets it",
        on: On::ControlPlanes,
        harms: &[
            Harm::Text(GUARD_OF_ROLES, "v.startsWith('impersonate')", "v.startsWith('imitate')"),
            Harm::Restart(Component::ApiServer),
            Harm::Rule(
                "ringfort:admin",
                r#"{"apiGroups":[""],"resources":["users","groups","serviceaccounts"],"verbs":["impersonate"]}"#,
            ),
        ],
        also: WITHOUT_GUARD,
    },
    Sabotage {
        name: "escalates",
        about: "the administrator may give roles what it does not hold, and the guard of roles lets it",
        on: On::ControlPlanes,
        harms: &[
            Harm::Text(GUARD_OF_ROLES, "v in ['escalate', 'bind']", "v in ['bind']"),
            Harm::Restart(Component::ApiServer),
            Harm::Rule(
                "ringfort:admin",
                r#"{"apiGroups":["rbac.authorization.k8s.io"],"resources":["clusterroles"],"verbs":["escalate"]}"#,
            ),
        ],
        also: WITHOUT_GUARD,
    },
    Sabotage {
        name: "binds",
        about: "the administrator may bind roles that it does not hold, and the guard of roles lets it",
        on: On::ControlPlanes,
        harms: &[
            Harm::Text(GUARD_OF_ROLES, "v in ['escalate', 'bind']", "v in ['escalate']"),
            Harm::Restart(Component::ApiServer),
            Harm::Rule(
                "ringfort:admin",
                r#"{"apiGroups":["rbac.authorization.k8s.io"],"resources":["clusterroles"],"verbs":["bind"]}"#,
            ),
        ],
        also: WITHOUT_GUARD,
    },
];

/// Where the guard stands that keeps such roles from being written at all.
const GUARD_OF_ROLES: &str = "/etc/kubernetes/admission/validating/35-roles.yaml";
/// What else shows that it was changed.
const WITHOUT_GUARD: &[&str] = &["access/admission-objects", "access/no-escalating-roles"];
