//! Machines are strong enough for what they carry.

use crate::control::{Control, Ref, Severity};

/// The control. It is judged of machines before anything is written to them.
pub static CONTROL: Control = Control {
    id: "node/minimum-hardware",
    title: "Machines have the processors, memory and disk that their part needs",
    severity: Severity::Medium,
    refs: &[Ref::Docs("setup/production-environment/tools/kubeadm/install-kubeadm/")],
    limits: &[],
    doc: include_str!("minimum_hardware.md"),
    make: None,
    prove: None,
};
