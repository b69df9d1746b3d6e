//! No pod takes all process numbers of a machine.

mod proof;
mod sabotage;

use ringfort_spec::{Limit, Spec};

use crate::control::{Control, Ref, Severity};
use crate::draft::{Document, Draft};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "node/process-limit",
    title: "No pod takes all process numbers of a machine",
    severity: Severity::Medium,
    refs: &[Ref::Cis("4.2.13"), Ref::Docs("concepts/policy/pid-limiting/")],
    limits: &[Limit::Cluster],
    doc: include_str!("process_limit.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// Processes and threads of one pod.
const LIMIT: u32 = 4096;

fn make(_: &Spec, draft: &mut Draft<'_>) {
    draft.everywhere(|at| at.set(Document::Kubelet, "podPidsLimit", LIMIT));
}
