//! Nobody changes who may do what.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-role-writing",
    title: "No role changes roles or bindings",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_role_writing.md"),
    judge: Judge::Grants(&[Grant {
        groups: &["rbac.authorization.k8s.io"],
        resources: &["roles", "clusterroles", "rolebindings", "clusterrolebindings"],
        verbs: &["create", "update", "patch", "delete", "deletecollection"],
        named: Named::Counts,
    }]),
};
