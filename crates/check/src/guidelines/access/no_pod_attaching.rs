//! Nobody attaches to programs in pods.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-pod-attaching",
    title: "No role attaches to programs that run in pods",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_pod_attaching.md"),
    judge: Judge::Grants(&[Grant {
        groups: &[""],
        resources: &["pods/attach"],
        verbs: &["create", "get"],
        named: Named::Counts,
    }]),
};
