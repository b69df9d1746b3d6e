//! A pod is not told the address of every Service beside it.

mod proof;
mod sabotage;

use ringfort_spec::{Limit, Spec};

use crate::admission::{Admission, guard};
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};
use crate::workload::seccomp::filling;

/// The control.
pub static CONTROL: Control = Control {
    id: "workload/no-service-links",
    title: "A pod is not told the address of every Service beside it",
    severity: Severity::Low,
    refs: &[Ref::Docs("tutorials/services/connect-applications-service/")],
    limits: &[Limit::Cluster, Limit::Namespaces],
    doc: include_str!("no_service_links.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// The API fills in `true` before policies see a pod, so that what a user wrote cannot be told from
/// what the API wrote.
fn make(spec: &Spec, draft: &mut Draft<'_>) {
    if !spec.kubernetes.minor.has_mutating_policies() {
        return;
    }
    let expression = "Object{spec: Object.spec{enableServiceLinks: false}}";
    let policy = filling(spec, CONTROL.id, "pod-service-links", expression);
    guard(spec, draft, Admission::Mutating, "15-service-links", &[policy]);
}
