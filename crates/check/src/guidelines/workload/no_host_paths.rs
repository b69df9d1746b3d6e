//! No volume is a path of the node.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-host-paths",
    title: "No volume is a path of the node",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("no_host_paths.md"),
    judge: Judge::Standard("hostPathVolumes"),
};
