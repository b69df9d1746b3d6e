//! A container makes only the system calls that containers need.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/seccomp-is-set",
    title: "A profile of seccomp is chosen",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("seccomp_is_set.md"),
    judge: Judge::Standard("seccompProfile_restricted"),
};
