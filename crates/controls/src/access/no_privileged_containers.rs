//! The API server itself refuses privileged containers.

mod proof;
mod sabotage;

use ringfort_spec::{Limit, Spec};

use crate::control::{Control, Ref, Severity};
use crate::draft::{Component, Draft};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/no-privileged-containers",
    title: "The API server itself refuses privileged containers",
    severity: Severity::High,
    refs: &[Ref::Cis("5.2.2")],
    limits: &[Limit::Cluster],
    doc: include_str!("no_privileged_containers.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    draft.control_planes(|at| {
        at.flag(Component::ApiServer, "--allow-privileged", spec.allow_privileged);
    });
}
