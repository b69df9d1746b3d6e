//! No container of Windows is a process of the node.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-windows-host-process",
    title: "No container of Windows is a process of the node",
    severity: Severity::Critical,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("no_windows_host_process.md"),
    judge: Judge::Standard("windowsHostProcess"),
};
