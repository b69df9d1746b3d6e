//! Volumes are of kinds that bring nothing from the node.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/allowed-volumes",
    title: "Volumes are of kinds that bring nothing from the node",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("allowed_volumes.md"),
    judge: Judge::Standard("restrictedVolumes"),
};
