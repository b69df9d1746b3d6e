//! How it is broken on purpose.

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
];
