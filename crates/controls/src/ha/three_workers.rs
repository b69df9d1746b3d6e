//! There are workers enough to lose one.

use ringfort_spec::Limit;

use crate::control::{Control, Ref, Severity};

/// The control. It is judged of the spec alone.
pub static CONTROL: Control = Control {
    id: "ha/three-workers",
    title: "There are three workers at least, and none is a control plane",
    severity: Severity::Medium,
    refs: &[Ref::Docs("setup/production-environment/")],
    limits: &[Limit::Cluster],
    doc: include_str!("three_workers.md"),
    make: None,
    prove: None,
};
