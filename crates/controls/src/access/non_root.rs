//! No container runs as root, whatever else a pod says.

mod proof;
mod sabotage;

use ringfort_spec::{Limit, Spec};
use serde_json::{Value, json};

use crate::admission::{
    Admission, NO_MIRROR_POD, Policy, TEMPLATES, constraints, exempt_labels, guard, refuse_unless,
    rule,
};
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/non-root",
    title: "No container runs as root, whatever else a pod says",
    severity: Severity::Critical,
    refs: &[Ref::Cis("5.2.7"), Ref::Kep(127)],
    limits: &[Limit::Cluster, Limit::Namespaces],
    doc: include_str!("non_root.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let exempt = exempt_labels(spec, CONTROL.id);
    // What a running pod says of its user cannot change, so that only its creation is looked at.
    let rules = json!([
        rule(&[""], &["CREATE"], &["pods"]),
        rule(&[""], &["UPDATE"], &["pods/ephemeralcontainers"]),
    ]);
    let mut pods = policy("non-root-pods", &rules, "object.spec", &exempt);
    let mirror = json!({"name": "not-a-mirror-pod-of-its-own-node", "expression": NO_MIRROR_POD});
    pods.spec["matchConditions"] = json!([mirror]);
    let [templates, cronjobs] = TEMPLATES;
    let policies = [
        pods,
        policy("non-root-templates", &templates.rules(), &templates.pod(), &exempt),
        policy("non-root-cronjobs", &cronjobs.rules(), &cronjobs.pod(), &exempt),
    ];
    guard(spec, draft, Admission::Validating, "40-non-root", &policies);
}

/// Writes the policy for objects that hold a pod's specification, which stands at `pod`.
fn policy(name: &'static str, rules: &Value, pod: &str, exempt: &[String]) -> Policy {
    let spec = json!({
        "matchConstraints": constraints(rules, exempt),
        "variables": [
            {"name": "spec", "expression": pod},
            {"name": "containers", "expression":
                "variables.spec.containers + (has(variables.spec.initContainers) ? variables.spec.initContainers : [])"},
            {"name": "podNonRoot", "expression":
                "has(variables.spec.securityContext) && has(variables.spec.securityContext.runAsNonRoot) && variables.spec.securityContext.runAsNonRoot"},
            {"name": "podRoot", "expression":
                "has(variables.spec.securityContext) && has(variables.spec.securityContext.runAsUser) && variables.spec.securityContext.runAsUser == 0"},
        ],
        "validations": validations(),
    });
    Policy { name, spec }
}

fn validations() -> Value {
    let every = |list: &str, test: &str| format!("{list}.all(c, {test})");
    let containers = |test: &str| every("variables.containers", test);
    let ephemeral = format!(
        "!has(variables.spec.ephemeralContainers) ||\n{}",
        every("variables.spec.ephemeralContainers", &format!("({NON_ROOT}) && {NOT_ZERO}"))
    );
    json!([
        refuse_unless("!variables.podRoot", "securityContext.runAsUser must not be 0"),
        refuse_unless(
            containers(NON_ROOT),
            "every container needs runAsNonRoot, whatever hostUsers says"
        ),
        refuse_unless(containers(NOT_ZERO), "no container may have runAsUser 0"),
        refuse_unless(ephemeral, "no ephemeral container may be root"),
    ])
}

const NON_ROOT: &str = "has(c.securityContext) && has(c.securityContext.runAsNonRoot) ? c.securityContext.runAsNonRoot : variables.podNonRoot";
const NOT_ZERO: &str = "!(has(c.securityContext) && has(c.securityContext.runAsUser) && c.securityContext.runAsUser == 0)";
