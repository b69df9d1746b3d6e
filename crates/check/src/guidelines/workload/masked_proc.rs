//! The masks of /proc are those of the runtime.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/masked-proc",
    title: "The masks of /proc are those of the runtime",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("masked_proc.md"),
    judge: Judge::Standard("procMount"),
};
