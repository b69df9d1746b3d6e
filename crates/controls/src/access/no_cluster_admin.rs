//! Nobody is bound to cluster-admin, and nothing is given to everyone.

mod bound;
mod proof;
mod sabotage;

use ringfort_spec::{Limit, Spec};
use serde_json::json;

use crate::admission::{Admission, Policy, constraints, guard, refuse_unless, rule};
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/no-cluster-admin",
    title: "Nobody is bound to cluster-admin, and nothing is given to everyone",
    severity: Severity::Critical,
    refs: &[Ref::Cis("5.1.1"), Ref::Docs("concepts/security/rbac-good-practices/")],
    limits: &[Limit::Cluster],
    doc: include_str!("no_cluster_admin.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let rules = json!([rule(
        &["rbac.authorization.k8s.io"],
        &["CREATE", "UPDATE"],
        &["clusterrolebindings", "rolebindings"]
    )]);
    let policy = Policy {
        name: "bindings",
        spec: json!({
            "matchConstraints": constraints(&rules, &[]),
            "variables": [
                {"name": "wide", "expression": WIDE},
                {"name": "upstream", "expression": UPSTREAM},
            ],
            "validations": [
                refuse_unless(
                    "variables.upstream || object.roleRef.name != 'cluster-admin'",
                    "nobody is bound to cluster-admin",
                ),
                {
                    "expression": "variables.upstream || size(variables.wide) == 0",
                    "reason": "Forbidden",
                    "messageExpression": "'no binding to ' + variables.wide.join(', ')",
                },
            ],
        }),
    };
    guard(spec, draft, Admission::Validating, "30-cluster-admin", &[policy]);
}

/// Subjects that are everybody, or everybody with a token.
const WIDE: &str = "\
has(object.subjects) ? object.subjects.filter(s,
  (s.kind == 'Group' && s.name in ['system:masters', 'system:authenticated', 'system:unauthenticated', 'system:serviceaccounts']) ||
  (s.kind == 'User' && s.name == 'system:anonymous')
).map(s, s.name) : []";

/// The bindings that API servers make at their start. They are listed and nobody is exempt: an
/// administrator could ask in the servers' own name. A server that may not make them does not start.
pub const UPSTREAM: &str = "\
object.kind == 'ClusterRoleBinding' && object.metadata.name == object.roleRef.name && has(object.subjects) && (
  (object.roleRef.name == 'cluster-admin' && object.subjects.all(s, s.kind == 'Group' && s.name == 'system:masters')) ||
  (object.roleRef.name in ['system:basic-user', 'system:discovery'] && object.subjects.all(s, s.kind == 'Group' && s.name == 'system:authenticated')) ||
  (object.roleRef.name == 'system:public-info-viewer' && object.subjects.all(s, s.kind == 'Group' && s.name in ['system:authenticated', 'system:unauthenticated'])) ||
  (object.roleRef.name in ['system:service-account-issuer-discovery', 'system:cluster-trust-bundle-discovery'] && object.subjects.all(s, s.kind == 'Group' && s.name == 'system:serviceaccounts'))
)";

#[cfg(test)]
mod tests {
    use super::UPSTREAM;

    /// Every binding of `bootstrappolicy/policy.go` of 1.35, 1.36 and 1.37 that is to
    /// `cluster-admin` or to a wide group. If one is not let through, no API server starts.
    const BOOTSTRAP: [(&str, &str); 6] = [
        ("cluster-admin", "system:masters"),
        ("system:basic-user", "system:authenticated"),
        ("system:cluster-trust-bundle-discovery", "system:serviceaccounts"),
        ("system:discovery", "system:authenticated"),
        ("system:public-info-viewer", "system:unauthenticated"),
        ("system:service-account-issuer-discovery", "system:serviceaccounts"),
    ];

    #[test]
    fn what_servers_bind_at_their_start_is_let_through() {
        for (role, group) in BOOTSTRAP {
            let one_case = UPSTREAM.lines().any(|case| {
                case.contains(&format!("'{role}'")) && case.contains(&format!("'{group}'"))
            });
            assert!(one_case, "{role} to {group}");
        }
    }
}
