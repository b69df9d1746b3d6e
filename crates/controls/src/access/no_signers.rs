//! No machine of the cluster can mint an identity.

mod proof;
mod sabotage;

use ringfort_spec::Spec;

use crate::control::{Control, Ref, Severity};
use crate::draft::{Component, Document, Draft};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/no-signers",
    title: "No machine of the cluster can mint an identity",
    severity: Severity::Critical,
    refs: &[Ref::Cis("1.3.3"), Ref::Cis("4.2.10"), Ref::Cis("4.2.11")],
    limits: &[],
    doc: include_str!("no_signers.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// Controllers that would sign certificates, or say yes to requests for them.
const SIGNERS: [&str; 2] = [
    "-certificatesigningrequest-signing-controller",
    "-certificatesigningrequest-approving-controller",
];

fn make(_: &Spec, draft: &mut Draft<'_>) {
    draft.control_planes(|at| {
        at.add(Component::ControllerManager, "--controllers", "*");
        for signer in SIGNERS {
            at.add(Component::ControllerManager, "--controllers", signer);
        }
        at.flag(Component::ControllerManager, "--use-service-account-credentials", true);
        at.flag(Component::ApiServer, "--enable-bootstrap-token-auth", false);
    });
    draft.everywhere(|at| {
        at.set(Document::Kubelet, "rotateCertificates", false);
        at.set(Document::Kubelet, "serverTLSBootstrap", false);
    });
}
