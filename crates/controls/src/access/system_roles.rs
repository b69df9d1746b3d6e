//! Roles and bindings of the system stay as the system wrote them.

mod proof;
mod sabotage;

use ringfort_model::identity::KEEPER;
use ringfort_spec::{Limit, Spec};
use serde_json::json;

use crate::admission::{Admission, Policy, constraints, guard, refuse_unless, rule};
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/system-roles",
    title: "Roles and bindings of Kubernetes and of ringfort stay as they were written",
    severity: Severity::Critical,
    refs: &[Ref::Docs("reference/access-authn-authz/rbac/")],
    limits: &[Limit::Cluster],
    doc: include_str!("system_roles.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let rules = json!([rule(
        &["rbac.authorization.k8s.io"],
        &["CREATE", "UPDATE", "DELETE"],
        &["clusterrolebindings", "clusterroles", "rolebindings", "roles"]
    )]);
    let policy = Policy {
        name: "system-roles",
        spec: json!({
            "matchConstraints": constraints(&rules, &[]),
            "matchConditions": [{"name": "of-the-system", "expression": OF_THE_SYSTEM}],
            "validations": [refuse_unless(
                format!("request.userInfo.username in ['{KEEPER}', {WRITERS}]"),
                "roles and bindings of the system stay as they were written",
            )],
        }),
    };
    guard(spec, draft, Admission::Validating, "36-system-roles", &[policy]);
}

const OF_THE_SYSTEM: &str = "\
[(oldObject == null ? object : oldObject).?metadata.?name.orValue('')].exists(name,
  name.startsWith('system:') || name.startsWith('ringfort:') ||
  name in ['admin', 'cluster-admin', 'edit', 'view'])";

/// Says whether the guard keeps roles and bindings of this name.
pub(super) fn is_kept(name: &str) -> bool {
    BEGINNINGS.iter().any(|beginning| name.starts_with(*beginning)) || NAMES.contains(&name)
}

/// What names begin with that it keeps,
const BEGINNINGS: [&str; 2] = ["system:", "ringfort:"];
/// and the others.
const NAMES: [&str; 4] = ["admin", "cluster-admin", "edit", "view"];

/// The servers' loopback client, which writes what upstream ships at every start; who adds up
/// aggregated roles; and who clears namespaces that are deleted.
const WRITERS: &str = "\
'system:apiserver', \
'system:serviceaccount:kube-system:clusterrole-aggregation-controller', \
'system:serviceaccount:kube-system:generic-garbage-collector', \
'system:serviceaccount:kube-system:namespace-controller'";

#[cfg(test)]
mod tests {
    use super::{BEGINNINGS, NAMES, OF_THE_SYSTEM, is_kept};

    #[test]
    fn what_is_kept_is_what_the_guard_keeps() {
        let quoted = OF_THE_SYSTEM.split('\'').skip(1).step_by(2).filter(|word| !word.is_empty());
        let known: Vec<&str> = BEGINNINGS.into_iter().chain(NAMES).collect();
        assert_eq!(quoted.collect::<Vec<_>>(), known);
        for name in ["system:node", "ringfort:admin", "edit"] {
            assert!(is_kept(name), "{name}");
        }
        for name in ["editor", "my-system:node", ""] {
            assert!(!is_kept(name), "{name}");
        }
    }
}
