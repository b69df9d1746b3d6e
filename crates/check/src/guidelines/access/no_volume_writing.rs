//! Only administrators make volumes.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-volume-writing",
    title: "No role makes or changes volumes of the cluster",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_volume_writing.md"),
    judge: Judge::Grants(&[Grant {
        groups: &[""],
        resources: &["persistentvolumes"],
        verbs: &["create", "update", "patch", "delete"],
        named: Named::Counts,
    }]),
};
