//! Nobody takes workloads away.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-broad-deleting",
    title: "No role deletes workloads or secrets that it does not name",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_broad_deleting.md"),
    judge: Judge::Grants(&[Grant {
        groups: &["", "apps", "batch"],
        resources: &[
            "secrets",
            "namespaces",
            "persistentvolumes",
            "persistentvolumeclaims",
            "configmaps",
            "pods",
            "services",
            "deployments",
            "replicasets",
            "daemonsets",
            "statefulsets",
            "jobs",
            "cronjobs",
        ],
        verbs: &["delete", "deletecollection"],
        named: Named::Spared,
    }]),
};
