//! Probes and hooks ask the pod itself.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-host-probes",
    title: "Probes and hooks ask the pod itself and no other host",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("no_host_probes.md"),
    judge: Judge::Standard("hostProbesAndHostLifecycle"),
};
