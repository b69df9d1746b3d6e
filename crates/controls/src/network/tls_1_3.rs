//! Every component refuses TLS below 1.3.

mod proof;
mod sabotage;

use ringfort_spec::{Limit, Spec};

use crate::control::{Control, Ref, Severity};
use crate::draft::{Component, Document, Draft};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "network/tls-1-3",
    title: "Every component that speaks TLS refuses versions below 1.3",
    severity: Severity::Medium,
    refs: &[Ref::Cis("1.2.29"), Ref::Cis("4.2.12")],
    limits: &[Limit::Cluster],
    doc: include_str!("tls_1_3.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(_: &Spec, draft: &mut Draft<'_>) {
    draft.control_planes(|at| {
        at.flag(Component::Etcd, "--tls-min-version", "TLS1.3");
        for component in Component::KUBERNETES {
            at.flag(component, "--tls-min-version", "VersionTLS13");
        }
    });
    draft.everywhere(|at| at.set(Document::Kubelet, "tlsMinVersion", "VersionTLS13"));
}
