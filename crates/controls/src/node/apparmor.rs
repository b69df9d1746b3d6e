//! Containers are confined by AppArmor.

mod proof;
mod sabotage;

use ringfort_spec::Limit;

use crate::control::{Control, Ref, Severity};
use crate::proof::{Phase, Proof};

/// The control. It is judged of the spec and of machines; the container runtime confines by itself
/// unless the spec says otherwise.
pub static CONTROL: Control = Control {
    id: "node/apparmor",
    title: "Containers run under the runtime's AppArmor profile",
    severity: Severity::Medium,
    refs: &[Ref::Docs("tutorials/security/apparmor/")],
    limits: &[Limit::Cluster, Limit::Nodes],
    doc: include_str!("apparmor.md"),
    make: None,
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};
