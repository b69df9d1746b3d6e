//! SELinux confines containers as containers.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/se-linux",
    title: "SELinux confines containers as containers",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("se_linux.md"),
    judge: Judge::Standard("seLinuxOptions"),
};
