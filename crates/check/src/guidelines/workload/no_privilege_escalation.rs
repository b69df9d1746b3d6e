//! No process gains more rights than the one that started it.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-privilege-escalation",
    title: "No process gains more rights than the one that started it",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("no_privilege_escalation.md"),
    judge: Judge::Standard("allowPrivilegeEscalation"),
};
