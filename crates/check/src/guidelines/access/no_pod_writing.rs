//! Nobody makes or changes pods by hand.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-pod-writing",
    title: "No role makes, changes or deletes pods",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_pod_writing.md"),
    judge: Judge::Grants(&[Grant {
        groups: &[""],
        resources: &["pods"],
        verbs: &["create", "update", "patch", "delete", "deletecollection"],
        named: Named::Counts,
    }]),
};
