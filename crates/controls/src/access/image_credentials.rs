//! A private image that one pod pulled is not there for every other.

mod proof;
mod sabotage;

use ringfort_spec::{Limit, Spec};

use crate::control::{Control, Ref, Severity};
use crate::draft::{Document, Draft};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/image-credentials",
    title: "An image that was pulled with credentials is run only for those who have them",
    severity: Severity::Medium,
    refs: &[Ref::Cis("1.2.11"), Ref::Kep(2535)],
    limits: &[Limit::Cluster],
    doc: include_str!("image_credentials.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// Images of the bundle were never pulled, so they need no credentials.
const POLICY: &str = "NeverVerifyPreloadedImages";

fn make(_: &Spec, draft: &mut Draft<'_>) {
    draft.everywhere(|at| {
        at.set(Document::Kubelet, "imagePullCredentialsVerificationPolicy", POLICY);
    });
}
