//! No component tells what it does inside.

mod proof;
mod sabotage;

use ringfort_spec::{Limit, Spec};

use crate::control::{Control, Ref, Severity};
use crate::draft::{Component, Document, Draft};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/no-profiling",
    title: "No component serves profiles of itself",
    severity: Severity::Low,
    refs: &[Ref::Cis("1.2.15"), Ref::Cis("1.3.2"), Ref::Cis("1.4.1")],
    limits: &[Limit::Cluster],
    doc: include_str!("no_profiling.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(_: &Spec, draft: &mut Draft<'_>) {
    draft.control_planes(|at| {
        for component in Component::KUBERNETES {
            at.flag(component, "--profiling", false);
        }
    });
    draft.everywhere(|at| {
        at.set(Document::Kubelet, "enableProfilingHandler", false);
        at.set(Document::Kubelet, "enableDebugFlagsHandler", false);
        at.set(Document::KubeProxy, "enableProfiling", false);
    });
}
