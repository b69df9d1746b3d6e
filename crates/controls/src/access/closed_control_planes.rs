//! No pod but the control plane's own runs on a control plane.

mod proof;
mod sabotage;

use ringfort_spec::{Limit, Spec};
use serde_json::json;

use crate::access::waived_namespaces::{LABELS, MACHINE, control_planes, of_addons, or_labelled};
use crate::admission::{Admission, NO_MIRROR_POD, Policy, constraints, guard, refuse_unless, rule};
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/closed-control-planes",
    title: "No pod but the control plane's own runs on a control plane",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/scheduling-eviction/taint-and-toleration/")],
    limits: &[Limit::Cluster],
    doc: include_str!("closed_control_planes.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let rules = json!([
        rule(&[""], &["CREATE"], &["pods"]),
        rule(&[""], &["CREATE"], &["bindings", "pods/binding"]),
    ]);
    // A network of the user's own is an add-on that runs an agent on every machine.
    let addons = of_addons(spec);
    let agents: String = addons.iter().map(|label| or_labelled(label)).collect();
    let mut variables = vec![json!({"name": "machine", "expression": MACHINE})];
    if !addons.is_empty() {
        variables.push(json!({"name": "labels", "expression": LABELS}));
    }
    let policy = Policy {
        name: "control-planes",
        spec: json!({
            "matchConstraints": constraints(&rules, &[]),
            "matchConditions": [
                {"name": "not-a-mirror-pod-of-its-own-node", "expression": NO_MIRROR_POD},
            ],
            "variables": variables,
            "validations": [refuse_unless(
                format!("!(variables.machine in {}){agents}", control_planes(spec)),
                "only the control plane's own pods run on control planes",
            )],
        }),
    };
    guard(spec, draft, Admission::Validating, "44-control-planes", &[policy]);
}
