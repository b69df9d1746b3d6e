//! Machines are strong enough for what they carry.

mod proof;
mod sabotage;

use crate::control::{Control, Ref, Severity};
use crate::proof::{Phase, Proof};

/// The control. It is judged of machines before anything is written to them.
pub static CONTROL: Control = Control {
    id: "node/minimum-hardware",
    title: "Machines have the processors, memory and disk that their part needs",
    severity: Severity::Medium,
    refs: &[Ref::Docs("setup/production-environment/tools/kubeadm/install-kubeadm/")],
    limits: &[],
    doc: include_str!("minimum_hardware.md"),
    make: None,
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// The least that a machine must have.
#[derive(Clone, Copy, Debug)]
pub struct Least {
    /// Processors.
    pub cpus: u32,
    /// Memory.
    pub memory_bytes: u64,
    /// Disk: free of it before anything is written, and all of it later.
    pub disk_bytes: u64,
}

const MIB: u64 = 1 << 20;

/// kubeadm asks for 2 processors and 1,700 MB of a control plane; workers have no minimum there.
pub const CONTROL_PLANE: Least = Least { cpus: 2, memory_bytes: 1_700 * MIB, disk_bytes: 10 << 30 };
/// The least of a worker.
pub const WORKER: Least = Least { cpus: 1, memory_bytes: 900 * MIB, disk_bytes: 5 << 30 };
