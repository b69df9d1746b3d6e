//! Root in a container is nobody on the machine.

mod proof;
mod sabotage;

use ringfort_spec::{Limit, Spec};
use serde_json::json;

use crate::admission::{
    Admission, NO_MIRROR_POD, Policy, constraints, exempt_labels, guard, refuse_unless,
};
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};
use crate::workload::seccomp::{NOT_A_MIRROR, new_pods};

/// The control.
pub static CONTROL: Control = Control {
    id: "workload/user-namespaces",
    title: "Pods run in user namespaces: their users are nobody on the machine",
    severity: Severity::High,
    refs: &[Ref::Kep(127), Ref::Docs("concepts/workloads/pods/user-namespaces/")],
    limits: &[Limit::Cluster, Limit::Namespaces],
    doc: include_str!("user_namespaces.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    if !spec.kubernetes.minor.has_mutating_policies() {
        return;
    }
    let exempt = exempt_labels(spec, CONTROL.id);
    let fill = Policy {
        name: "pod-user-namespace",
        spec: json!({
            "reinvocationPolicy": "IfNeeded",
            "matchConstraints": constraints(&new_pods(), &exempt),
            "matchConditions": [
                {"name": "unset", "expression": "!has(object.spec.hostUsers)"},
                {"name": "no-host-namespace", "expression": NO_HOST_NAMESPACE},
                {"name": "no-block-device", "expression": NO_BLOCK_DEVICE},
                {"name": "not-a-mirror-pod", "expression": NOT_A_MIRROR},
            ],
            "mutations": [{
                "patchType": "ApplyConfiguration",
                "applyConfiguration": {"expression": "Object{spec: Object.spec{hostUsers: false}}"},
            }],
        }),
    };
    let keep = Policy {
        name: "user-namespaces",
        spec: json!({
            "matchConstraints": constraints(&new_pods(), &exempt),
            "matchConditions": [
                {"name": "not-a-mirror-pod-of-its-own-node", "expression": NO_MIRROR_POD},
            ],
            "validations": [refuse_unless(
                "!has(object.spec.hostUsers) || !object.spec.hostUsers",
                "hostUsers may only be false; a waiver of workload/user-namespaces opens a namespace",
            )],
        }),
    };
    guard(spec, draft, Admission::Mutating, "20-user-namespaces", &[fill]);
    guard(spec, draft, Admission::Validating, "45-user-namespaces", &[keep]);
}

/// The kernel does not combine a user namespace with the machine's other namespaces.
const NO_HOST_NAMESPACE: &str = "\
!(has(object.spec.hostNetwork) && object.spec.hostNetwork) &&
!(has(object.spec.hostPID) && object.spec.hostPID) &&
!(has(object.spec.hostIPC) && object.spec.hostIPC)";

const NO_BLOCK_DEVICE: &str = "\
(object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : []))
  .all(c, !has(c.volumeDevices) || size(c.volumeDevices) == 0)";
