//! Nobody gets the token of a controller's account but the controllers.

mod proof;
mod sabotage;

use ringfort_model::controllers::CONTROLLERS;
use ringfort_spec::Spec;
use serde_json::json;

use crate::admission::{Admission, Policy, constraints, guard, refuse_unless, rule};
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/system-accounts",
    title: "Nobody gets the token of a controller's account but the controllers",
    severity: Severity::Critical,
    refs: &[Ref::Cis("5.1.13"), Ref::Docs("concepts/security/rbac-good-practices/")],
    limits: &[],
    doc: include_str!("system_accounts.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let named = |name: &str| format!("{name} in {}", list());
    let tokens = Policy {
        name: "system-tokens",
        spec: json!({
            "matchConstraints":
                constraints(&json!([rule(&[""], &["CREATE"], &["serviceaccounts/token"])]), &[]),
            "validations": [refuse_unless(
                format!(
                    "request.namespace != 'kube-system' || !({}) ||\nrequest.userInfo.username == '{CONTROLLER_MANAGER}'",
                    named("request.name")
                ),
                "only kube-controller-manager gets tokens of its controllers' accounts",
            )],
        }),
    };
    let account =
        "has(object.spec.serviceAccountName) ? object.spec.serviceAccountName : 'default'";
    let pods = Policy {
        name: "system-pods",
        spec: json!({
            "matchConstraints": constraints(&json!([rule(&[""], &["CREATE"], &["pods"])]), &[]),
            "variables": [{"name": "account", "expression": account}],
            "validations": [refuse_unless(
                format!("request.namespace != 'kube-system' || !({})", named("variables.account")),
                "no pod runs as a controller of kube-controller-manager",
            )],
        }),
    };
    guard(spec, draft, Admission::Validating, "37-system-accounts", &[tokens, pods]);
}

pub(crate) const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";

fn list() -> String {
    let names: Vec<String> = CONTROLLERS.iter().map(|name| format!("'{name}'")).collect();
    format!("[{}]", names.join(", "))
}
