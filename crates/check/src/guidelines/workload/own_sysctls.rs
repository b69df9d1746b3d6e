//! Only settings of the kernel are changed that are the pod's own.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/own-sysctls",
    title: "Only settings of the kernel are changed that are the pod's own",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("own_sysctls.md"),
    judge: Judge::Standard("sysctls"),
};
