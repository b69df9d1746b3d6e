//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "level-none",
        about: "a widely copied policy is put in place, whose only rule is level None",
        on: On::OneControlPlane,
        harms: &[Harm::File(
            "/etc/kubernetes/audit/policy.yaml",
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: None\n",
        )],
        also: &["audit/events-are-kept", "audit/findings-are-told"],
    },
    Sabotage {
        name: "no-policy",
        about: "the log has a path and no policy says what goes into it",
        on: On::OneControlPlane,
        harms: &[Harm::NoFlag(Component::ApiServer, "--audit-policy-file")],
        also: &["audit/events-are-kept", "audit/findings-are-told"],
    },
    Sabotage {
        name: "no-log",
        about: "there is a policy and no log",
        on: On::OneControlPlane,
        harms: &[Harm::NoFlag(Component::ApiServer, "--audit-log-path")],
        also: &["audit/events-are-kept", "audit/findings-are-told"],
    },
    Sabotage {
        name: "bodies",
        about: "everything is logged with its body, Secrets too",
        on: On::OneControlPlane,
        harms: &[Harm::File(
            "/etc/kubernetes/audit/policy.yaml",
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: RequestResponse\n",
        )],
        also: &[],
    },
    Sabotage {
        name: "written-secrets",
        about: "what is written is logged with its body, Secrets too, and all else is as it should be",
        on: On::OneControlPlane,
        harms: &[Harm::File(
            "/etc/kubernetes/audit/policy.yaml",
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Request\n  verbs: [create, update, patch]\n  resources:\n  - resources: [secrets]\n- level: Metadata\n  resources:\n  - resources: [secrets, configmaps, serviceaccounts/token]\n- level: RequestResponse\n  verbs: [create, update, patch]\n- level: Metadata\n",
        )],
        also: &[],
    },
    Sabotage {
        name: "no-reads",
        about: "who reads is not written down, to save space",
        on: On::OneControlPlane,
        harms: &[Harm::File(
            "/etc/kubernetes/audit/policy.yaml",
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: None\n  verbs: [get, list, watch]\n- level: Metadata\n",
        )],
        also: &["audit/events-are-kept", "audit/findings-are-told"],
    },
    Sabotage {
        name: "no-secrets",
        about: "Secrets are left out, lest their bodies are logged",
        on: On::ControlPlanes,
        harms: &[Harm::File(
            "/etc/kubernetes/audit/policy.yaml",
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: None\n  resources:\n  - resources: [secrets]\n- level: RequestResponse\n",
        )],
        also: &[],
    },
];
