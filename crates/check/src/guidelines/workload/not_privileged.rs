//! No container is privileged.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/not-privileged",
    title: "No container is privileged",
    severity: Severity::Critical,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("not_privileged.md"),
    judge: Judge::Standard("privileged"),
};
