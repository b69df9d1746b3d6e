//! Only one sealed identity changes admission policies and webhooks.

mod proof;
mod sabotage;

use ringfort_model::identity::KEEPER;
use ringfort_spec::{Limit, Spec};
use serde_json::json;

use crate::admission::{Admission, Policy, constraints, guard, refuse_unless, rule};
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/admission-objects",
    title: "Only ringfort's own identity changes admission policies and webhooks",
    severity: Severity::High,
    refs: &[Ref::Kep(5793), Ref::Docs("reference/access-authn-authz/validating-admission-policy/")],
    limits: &[Limit::Cluster],
    doc: include_str!("admission_objects.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// A policy that is stored in the API is never asked about admission objects (the server would lock
/// itself in), so before 1.37 there is nothing to write.
fn make(spec: &Spec, draft: &mut Draft<'_>) {
    if !spec.kubernetes.minor.has_static_admission() {
        return;
    }
    let rules =
        json!([rule(&["admissionregistration.k8s.io"], &["CREATE", "UPDATE", "DELETE"], &["*"])]);
    let policy = Policy {
        name: "admission-objects",
        spec: json!({
            "matchConstraints": constraints(&rules, &[]),
            "validations": [refuse_unless(
                format!("request.userInfo.username == '{KEEPER}'"),
                &format!("admission objects are changed only by {KEEPER}"),
            )],
        }),
    };
    guard(spec, draft, Admission::Validating, "20-admission-objects", &[policy]);
}
