//! Nobody looks around in workloads.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-broad-reading",
    title: "No role reads what workloads are made of",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_broad_reading.md"),
    judge: Judge::Grants(&[Grant {
        groups: &["", "apps", "batch"],
        resources: &[
            "secrets",
            "pods",
            "services",
            "deployments",
            "replicasets",
            "daemonsets",
            "statefulsets",
            "jobs",
            "cronjobs",
        ],
        verbs: &["get", "list", "watch"],
        named: Named::Spared,
    }]),
};
