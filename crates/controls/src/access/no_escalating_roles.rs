//! No role is a second cluster-admin, or hands out the means to become one.

mod proof;
mod sabotage;
mod there;

use ringfort_spec::{Limit, Spec};
use serde_json::json;

use crate::admission::{Admission, Policy, constraints, guard, refuse_unless, rule};
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/no-escalating-roles",
    title: "No role is a second cluster-admin, or hands out impersonate, escalate or bind",
    severity: Severity::High,
    refs: &[Ref::Cis("5.1.3"), Ref::Cis("5.1.8")],
    limits: &[Limit::Cluster],
    doc: include_str!("no_escalating_roles.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let rules = json!([rule(
        &["rbac.authorization.k8s.io"],
        &["CREATE", "UPDATE"],
        &["clusterroles", "roles"]
    )]);
    let policy = Policy {
        name: "roles",
        spec: json!({
            "matchConstraints": constraints(&rules, &[]),
            "matchConditions": [
                // The list of upstream's own roles is long; this name is the servers' loopback client's.
                {"name": "not-the-bootstrap", "expression": "request.userInfo.username != 'system:apiserver'"},
                {"name": "changed", "expression": CHANGED},
            ],
            "validations": [
                refuse_unless(NO_CLONE, "a role may not be a second cluster-admin"),
                refuse_unless(NO_ESCALATION, "impersonate, escalate and bind are not given out"),
                refuse_unless(NO_SUM, "a role that adds up others may add up anything: list its rules"),
            ],
        }),
    };
    guard(spec, draft, Admission::Validating, "35-roles", &[policy]);
}

const CHANGED: &str = "\
oldObject == null || oldObject.?rules.orValue([]) != object.?rules.orValue([]) ||
oldObject.?aggregationRule != object.?aggregationRule";

const NO_CLONE: &str = "\
!has(object.rules) || object.rules.all(r,
  !(has(r.apiGroups) && '*' in r.apiGroups && has(r.resources) && '*' in r.resources && '*' in r.verbs))";

/// Every verb holds these too, where it is about roles or about those who can be impersonated. The
/// controller that adds up roles writes what upstream's roles hold already.
const NO_ESCALATION: &str = "\
!has(object.rules) || object.rules.all(r,
  !r.verbs.exists(v, v.startsWith('impersonate') || v in ['escalate', 'bind'] ||
    (v == '*' && has(r.resources) && r.resources.exists(one, one == '*' || one.startsWith('userextras') ||
      one in ['users', 'groups', 'uids', 'serviceaccounts', 'roles', 'clusterroles']) &&
      r.apiGroups.exists(group, group in ['*', '', 'authentication.k8s.io', 'rbac.authorization.k8s.io']))) ||
  request.userInfo.username == 'system:serviceaccount:kube-system:clusterrole-aggregation-controller')";

const NO_SUM: &str = "\
!has(object.aggregationRule) || (oldObject != null && oldObject.?aggregationRule == object.?aggregationRule)";
