//! Every namespace holds its pods to the restricted Pod Security standard, and no label lowers it.

mod proof;
mod sabotage;
mod templates;

use ringfort_spec::{Limit, Spec};
use serde_json::{Value, json};

use crate::admission::{
    Admission, Policy, constraints, exempt_labels, guard, quoted, refuse_unless, rule,
    waived_namespaces,
};
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/pod-security",
    title: "Every namespace holds its pods to the restricted standard, and no label lowers it",
    severity: Severity::Critical,
    refs: &[Ref::Cis("5.2.1"), Ref::Docs("concepts/security/pod-security-standards/")],
    limits: &[Limit::Namespaces],
    doc: include_str!("pod_security.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    draft.plugin("PodSecurity", configuration(spec));
    let policy = Policy { name: "pod-security-labels", spec: labels(spec) };
    guard(spec, draft, Admission::Validating, "10-namespaces", &[policy]);
    let exempt = exempt_labels(spec, CONTROL.id);
    let policies = templates::policies(&exempt);
    guard(spec, draft, Admission::Validating, "12-templates", &policies);
}

/// Static pods are the only pods that need more: the control planes' own nodes are exempt, and
/// `NodeRestriction` lets a node create only mirrors of its own static pods.
fn configuration(spec: &Spec) -> Value {
    let nodes: Vec<String> =
        spec.control_planes().map(|node| format!("system:node:{}", node.name)).collect();
    json!({
        "apiVersion": "pod-security.admission.config.k8s.io/v1",
        "kind": "PodSecurityConfiguration",
        "defaults": {
            "enforce": "restricted", "enforce-version": "latest",
            "audit": "restricted", "audit-version": "latest",
            "warn": "restricted", "warn-version": "latest",
        },
        "exemptions": {"usernames": nodes, "runtimeClasses": [], "namespaces": []},
    })
}

/// A label that stays as it was passes, so that a namespace of an ended waiver can be deleted.
fn labels(spec: &Spec) -> Value {
    let waived = waived_namespaces(spec, "access/pod-security");
    let exempt: String = waived
        .iter()
        .map(|(label, user)| {
            let (label, user) = (quoted(label), quoted(user));
            format!(" ||\n({label} in variables.labels && request.userInfo.username == {user})")
        })
        .collect();
    let only = |label: &str, value: &str| {
        let key = format!("pod-security.kubernetes.io/{label}");
        let expression = format!(
            "!('{key}' in variables.labels) || variables.labels['{key}'] == '{value}' ||\n\
             ('{key}' in variables.before && variables.before['{key}'] == variables.labels['{key}']){exempt}"
        );
        refuse_unless(expression, &format!("{key} may only be {value}"))
    };
    let resources = ["namespaces", "namespaces/status", "namespaces/finalize"];
    json!({
        "matchConstraints":
            constraints(&json!([rule(&[""], &["CREATE", "UPDATE"], &resources)]), &[]),
        "variables": [
            {"name": "labels", "expression": "has(object.metadata.labels) ? object.metadata.labels : {}"},
            {"name": "before", "expression":
                "oldObject != null && has(oldObject.metadata.labels) ? oldObject.metadata.labels : {}"},
        ],
        "validations": [only("enforce", "restricted"), only("enforce-version", "latest")],
    })
}
