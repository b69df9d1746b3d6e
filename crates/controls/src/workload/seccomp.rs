//! A container makes only the system calls that containers need.

mod proof;
mod sabotage;

use ringfort_spec::{Limit, Spec};
use serde_json::json;

use crate::admission::{Admission, Policy, constraints, exempt_labels, guard};
use crate::control::{Control, Ref, Severity};
use crate::draft::{Component, Document, Draft};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "workload/seccomp",
    title: "A container makes only the system calls that containers need",
    severity: Severity::High,
    refs: &[Ref::Cis("4.2.14"), Ref::Cis("5.6.2"), Ref::Kep(2413)],
    limits: &[Limit::Cluster, Limit::Namespaces],
    doc: include_str!("seccomp.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    draft.everywhere(|at| at.set(Document::Kubelet, "seccompDefault", true));
    draft.control_planes(|at| {
        for component in Component::ALL {
            let profile = json!({"type": "RuntimeDefault"});
            at.pod_set(component, "/spec/securityContext/seccompProfile", profile);
        }
    });
    if spec.kubernetes.minor.has_mutating_policies() {
        let policy = filling(spec, CONTROL.id, "pod-seccomp", EXPRESSION);
        guard(spec, draft, Admission::Mutating, "10-seccomp", &[policy]);
    }
}

const EXPRESSION: &str = "\
has(object.spec.securityContext) && has(object.spec.securityContext.seccompProfile) ? Object{} :
Object{spec: Object.spec{securityContext: Object.spec.securityContext{
  seccompProfile: Object.spec.securityContext.seccompProfile{type: 'RuntimeDefault'}}}}";

/// Writes a policy that fills something into new pods. Mirror pods show what already runs, and must
/// not say anything else.
pub(crate) fn filling(spec: &Spec, control: &str, name: &'static str, expression: &str) -> Policy {
    let exempt = exempt_labels(spec, control);
    let spec = json!({
        "reinvocationPolicy": "IfNeeded",
        "matchConstraints": constraints(&new_pods(), &exempt),
        "matchConditions": [{"name": "not-a-mirror-pod", "expression": NOT_A_MIRROR}],
        "mutations": [{
            "patchType": "ApplyConfiguration",
            "applyConfiguration": {"expression": expression},
        }],
    });
    Policy { name, spec }
}

pub(crate) fn new_pods() -> serde_json::Value {
    json!([{
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    }])
}

pub(crate) const NOT_A_MIRROR: &str = "!(has(object.metadata.annotations) && 'kubernetes.io/config.mirror' in object.metadata.annotations)";
