//! No port of the node is taken.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-host-ports",
    title: "No port of the node is taken",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("no_host_ports.md"),
    judge: Judge::Standard("hostPorts"),
};
