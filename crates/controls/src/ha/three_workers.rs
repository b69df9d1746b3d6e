//! There are workers enough to lose one.

mod proof;
mod sabotage;

use ringfort_spec::Limit;

use crate::control::{Control, Ref, Severity};
use crate::proof::{Phase, Proof};

/// The control. Nothing is made for it: the spec is judged, and losing a worker is rehearsed.
pub static CONTROL: Control = Control {
    id: "ha/three-workers",
    title: "There are three workers at least, and none is a control plane",
    severity: Severity::Medium,
    refs: &[Ref::Docs("setup/production-environment/")],
    limits: &[Limit::Cluster],
    doc: include_str!("three_workers.md"),
    make: None,
    prove: Some(Proof { phase: Phase::Asked, next: proof::next, sabotage: sabotage::ALL }),
};
