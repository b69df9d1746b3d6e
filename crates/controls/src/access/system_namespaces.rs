//! What lies in the cluster's own namespaces is changed by the cluster alone.

mod proof;
mod sabotage;

use ringfort_model::identity::KEEPER;
use ringfort_spec::{Limit, Spec};
use serde_json::{Value, json};

use crate::access::system_accounts::CONTROLLER_MANAGER;
use crate::admission::{Admission, Policy, guard, refuse_unless, rule};
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/system-namespaces",
    title: "The cluster's own namespaces are changed, and their pods entered, by the cluster alone",
    severity: Severity::Critical,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    limits: &[Limit::Cluster],
    doc: include_str!("system_namespaces.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// The namespaces that API servers make at their start, but for `default`.
const NAMESPACES: [&str; 3] = ["kube-node-lease", "kube-public", "kube-system"];

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let mut inside = rule(&["*"], &["*"], &["*/*"]);
    inside["scope"] = "Namespaced".into();
    let themselves = rule(&[""], &["*"], &["namespaces", "namespaces/*"]);
    let policy = Policy {
        name: "system-namespaces",
        spec: json!({
            "matchConstraints": {
                "resourceRules": [inside, themselves],
                "namespaceSelector": {"matchExpressions": [{
                    "key": "kubernetes.io/metadata.name", "operator": "In", "values": NAMESPACES,
                }]},
            },
            "matchConditions": [{"name": "not-the-cluster", "expression": not_the_cluster()}],
            "validations": validations(),
        }),
    };
    guard(spec, draft, Admission::Validating, "38-system-namespaces", &[policy]);
}

/// Moving a pod in peace, as before a machine is served, takes nothing from the cluster.
fn validations() -> Vec<Value> {
    vec![refuse_unless(
        "request.resource.resource == 'pods' && has(request.subResource) && request.subResource == 'eviction'",
        "what lies in the cluster's own namespaces is changed by the cluster alone",
    )]
}

fn not_the_cluster() -> String {
    let names = [
        KEEPER,
        "system:apiserver",
        CONTROLLER_MANAGER,
        "system:kube-scheduler",
        "system:kube-proxy",
    ];
    let names = names.map(|name| format!("'{name}'")).join(", ");
    format!(
        "!(request.userInfo.username in [{names}] ||\n  \
         request.userInfo.username.startsWith('system:node:') ||\n  \
         request.userInfo.username.startsWith('system:serviceaccount:kube-system:'))"
    )
}
