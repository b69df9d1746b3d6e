//! No Service takes over an address that is not its own.

mod proof;
mod sabotage;

use ringfort_spec::{Limit, Spec};

use crate::control::{Control, Ref, Severity};
use crate::draft::{Component, Draft};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/no-external-ips",
    title: "No Service takes over an address that is not its own",
    severity: Severity::Medium,
    refs: &[Ref::Cis("1.2.3"), Ref::Docs("reference/access-authn-authz/admission-controllers/")],
    limits: &[Limit::Cluster],
    doc: include_str!("no_external_ips.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(_: &Spec, draft: &mut Draft<'_>) {
    draft.control_planes(|at| {
        at.add(Component::ApiServer, "--enable-admission-plugins", "DenyServiceExternalIPs");
    });
}
