//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "baseline",
        about: "namespaces without a label are held to baseline",
        on: On::ControlPlanes,
        harms: &[Harm::Plugin("PodSecurity", "/defaults/enforce", r#""baseline""#)],
        also: &[],
    },
    Sabotage {
        name: "only-warns",
        about: "the standard is warned of and not enforced",
        on: On::ControlPlanes,
        harms: &[Harm::Plugin("PodSecurity", "/defaults/enforce", r#""privileged""#)],
        also: &[],
    },
    Sabotage {
        name: "old-version",
        about: "namespaces are held to what the standard was long ago",
        on: On::ControlPlanes,
        harms: &[Harm::Plugin("PodSecurity", "/defaults/enforce-version", r#""v1.18""#)],
        also: &[],
    },
    Sabotage {
        name: "plugin-off",
        about: "the plugin is switched off on one server",
        on: On::OneControlPlane,
        harms: &[Harm::Flag(Component::ApiServer, "--disable-admission-plugins", "PodSecurity")],
        also: &[],
    },
    Sabotage {
        name: "exempt",
        about: "a person is exempt, to get work done",
        on: On::ControlPlanes,
        harms: &[Harm::Plugin(
            "PodSecurity",
            "/exemptions/usernames",
            r#"["system:node:cp1", "system:node:cp2", "system:node:cp3", "ringfort:keeper"]"#,
        )],
        also: &[],
    },
    Sabotage {
        name: "templates",
        about: "templates of bad pods are let through",
        on: On::ControlPlanes,
        harms: &[Harm::Guard("- deployments\n", "- deployment\n")],
        also: &["access/admission-objects"],
    },
    Sabotage {
        // A namespace with such a label is open, which only a waiver may make.
        also: &["access/admission-objects", "access/waived-namespaces", "node/closed-files"],
        ..Sabotage::unguarded(
            "labels lower the standard of a namespace, and templates are not looked at",
        )
    },
];
