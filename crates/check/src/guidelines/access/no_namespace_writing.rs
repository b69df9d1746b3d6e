//! Nobody lowers what a namespace enforces.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-namespace-writing",
    title: "No role changes namespaces",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_namespace_writing.md"),
    judge: Judge::Grants(&[Grant {
        groups: &[""],
        resources: &["namespaces"],
        verbs: &["update", "patch"],
        named: Named::Counts,
    }]),
};
