//! No container runs as root, whatever else a pod says.

mod proof;

use ringfort_spec::{Limit, Spec};
use serde_json::{Value, json};

use crate::admission::{
    Admission, NO_MIRROR_POD, Policy, constraints, exempt_labels, guard, refuse_unless, rule,
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
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let exempt = exempt_labels(spec, CONTROL.id);
    let policies = VARIANTS.iter().map(|variant| variant.policy(&exempt)).collect::<Vec<_>>();
    guard(spec, draft, Admission::Validating, "40-non-root", &policies);
}

/// One kind of object that holds a pod's specification.
struct Variant {
    name: &'static str,
    rules: &'static [(&'static [&'static str], &'static [&'static str], &'static [&'static str])],
    /// Where the pod's specification stands in the object.
    pod: &'static str,
    condition: Option<(&'static str, &'static str)>,
}

const ON_WRITE: &[&str] = &["CREATE", "UPDATE"];

/// What a running pod says of its user cannot change, so that only its creation is looked at.
const VARIANTS: [Variant; 3] = [
    Variant {
        name: "non-root-pods",
        rules: &[
            (&[""], &["CREATE"], &["pods"]),
            (&[""], &["UPDATE"], &["pods/ephemeralcontainers"]),
        ],
        pod: "object.spec",
        condition: Some(("not-a-mirror-pod-of-its-own-node", NO_MIRROR_POD)),
    },
    Variant {
        name: "non-root-templates",
        rules: &[
            (&["apps"], ON_WRITE, &["deployments", "replicasets", "statefulsets", "daemonsets"]),
            (&["batch"], ON_WRITE, &["jobs"]),
            (&[""], ON_WRITE, &["replicationcontrollers", "podtemplates"]),
        ],
        pod: "object.kind == 'PodTemplate' ? object.template.spec : object.spec.template.spec",
        condition: None,
    },
    Variant {
        name: "non-root-cronjobs",
        rules: &[(&["batch"], ON_WRITE, &["cronjobs"])],
        pod: "object.spec.jobTemplate.spec.template.spec",
        condition: None,
    },
];

impl Variant {
    fn policy(&self, exempt: &[String]) -> Policy {
        let rules: Vec<Value> = self
            .rules
            .iter()
            .map(|(groups, operations, resources)| rule(groups, operations, resources))
            .collect();
        let mut spec = json!({"matchConstraints": constraints(&rules.into(), exempt)});
        if let Some((name, expression)) = self.condition {
            spec["matchConditions"] = json!([{"name": name, "expression": expression}]);
        }
        spec["variables"] = self.variables();
        spec["validations"] = validations();
        Policy { name: self.name, spec }
    }

    fn variables(&self) -> Value {
        json!([
            {"name": "spec", "expression": self.pod},
            {"name": "containers", "expression":
                "variables.spec.containers + (has(variables.spec.initContainers) ? variables.spec.initContainers : [])"},
            {"name": "podNonRoot", "expression":
                "has(variables.spec.securityContext) && has(variables.spec.securityContext.runAsNonRoot) && variables.spec.securityContext.runAsNonRoot"},
            {"name": "podRoot", "expression":
                "has(variables.spec.securityContext) && has(variables.spec.securityContext.runAsUser) && variables.spec.securityContext.runAsUser == 0"},
        ])
    }
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
