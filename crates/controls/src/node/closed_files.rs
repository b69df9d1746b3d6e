//! Files of the cluster are for whom they were made, and for nobody else.

mod proof;
mod sabotage;

use crate::control::{Control, Ref, Severity};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "node/closed-files",
    title: "Files of the cluster are read and written by whom they were made for, and by nobody else",
    severity: Severity::High,
    refs: &[Ref::Cis("1.1.19"), Ref::Cis("1.1.20"), Ref::Cis("1.1.21")],
    limits: &[],
    doc: include_str!("closed_files.md"),
    // Each control gives its own files their modes.
    make: None,
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};
