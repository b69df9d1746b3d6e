//! A pod that asks for no account gets no token.

mod proof;
mod sabotage;

use ringfort_spec::{Limit, Spec};
use serde_json::{Value, json};

use crate::admission::{Admission, Policy, constraints, exempt_labels, guard, refuse_unless};
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "workload/default-account",
    title: "A pod that asks for no account gets no token",
    severity: Severity::Medium,
    refs: &[Ref::Cis("5.1.5"), Ref::Cis("5.1.6")],
    limits: &[Limit::Cluster, Limit::Namespaces],
    doc: include_str!("default_account.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let exempt = exempt_labels(spec, CONTROL.id);
    let keep = Policy {
        name: "default-account",
        spec: json!({
            "matchConstraints": constraints(&accounts(&["CREATE", "UPDATE"]), &exempt),
            "validations": [refuse_unless(
                "!has(object.automountServiceAccountToken) || !object.automountServiceAccountToken",
                "the account default gives its token to nobody: make an account for the pods that need one",
            )],
        }),
    };
    guard(spec, draft, Admission::Validating, "50-default-account", &[keep]);
    if !spec.kubernetes.minor.has_static_admission() {
        BOOTSTRAP.iter().for_each(|namespace| draft.object(account(namespace)));
    }
    if !spec.kubernetes.minor.has_mutating_policies() {
        return;
    }
    let fill = Policy {
        name: "default-account",
        spec: json!({
            "reinvocationPolicy": "Never",
            "matchConstraints": constraints(&accounts(&["CREATE"]), &exempt),
            "matchConditions": [
                {"name": "unset", "expression": "!has(object.automountServiceAccountToken)"},
            ],
            "mutations": [{
                "patchType": "ApplyConfiguration",
                "applyConfiguration": {"expression": "Object{automountServiceAccountToken: false}"},
            }],
        }),
    };
    guard(spec, draft, Admission::Mutating, "30-default-account", &[fill]);
}

/// Namespaces that are there before a policy of the API can be.
const BOOTSTRAP: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

fn account(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": namespace},
        "automountServiceAccountToken": false,
    })
}

fn accounts(operations: &[&str]) -> Value {
    json!([{
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": operations,
        "resources": ["serviceaccounts"],
        "resourceNames": ["default"],
    }])
}
