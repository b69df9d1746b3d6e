//! What pods tell that try what they reach, and what else is seen of policies.

use ringfort_model::act::{Act, Ask, Seen};
use ringfort_model::judgement::Decided;
use serde_json::{Value, json};

use super::{case, judge};

/// Pods that try what they reach.
pub(super) const FENCED: [&str; 3] = ["canary-closed", "canary-caller", "canary-named"];

/// What a pod tells that reaches nothing.
pub(super) const CLOSED: &str = "\
resolve kubernetes.default.svc.cluster.local 10.96.0.1
dial 10.96.0.1:443 silent
dial 169.254.169.254:80 silent
dial 10.244.3.7:8080 silent
dial 10.0.0.11:10250 silent
dial 10.0.0.12:10250 silent
dial 10.0.0.13:10250 silent
dial 10.0.0.21:10250 silent
dial 10.0.0.22:10250 silent
dial 10.0.0.23:10250 silent
dial 10.0.0.11:2379 silent
dial 10.0.0.12:2379 silent
dial 10.0.0.13:2379 silent
dial 10.0.0.11:6443 silent
dial 10.0.0.12:6443 silent
dial 10.0.0.13:6443 silent
tried
";

/// What a pod tells that reaches what it may.
pub(super) const OPEN: &str = "\
dial 10.244.3.7:8080 open
dial 10.244.3.7:8081 silent
dial 10.244.3.9:8080 silent
dial 10.96.0.1:443 silent
dial 10.0.0.11:10250 silent
dial 10.0.0.12:10250 silent
dial 10.0.0.13:10250 silent
dial 10.0.0.21:10250 silent
dial 10.0.0.22:10250 silent
dial 10.0.0.23:10250 silent
tried
";

/// What is not understood would look as if it held, and nobody enforces it.
#[test]
fn cluster_wide_policies_that_are_not_understood_are_unknown() {
    let with = |version: &str, kind: &str, policies: Value| {
        judge(&case("network/network-policy"), |act| {
            let Act::Ask { ask: Ask::Read { path }, .. } = act else { return None };
            let path = path.strip_prefix("/apis/policy.networking.k8s.io")?;
            let said = match path {
                "" => json!({"versions": [{"version": version}]}),
                path if path.matches('/').count() == 1 => json!({"resources": [
                    {"name": "wide", "kind": kind}, {"name": "wide/status", "kind": kind},
                ]}),
                _ => json!({"items": policies}),
            };
            Some(Seen::Text(said.to_string()))
        })
    };
    let policy = |peer: Value| {
        json!([{"metadata": {"name": "tenants"}, "spec": {
            "tier": "Admin", "priority": 1, "subject": {"namespaces": {}},
            "egress": [{"action": "Accept", "to": [peer]}],
        }}])
    };
    let (kind, known) = ("ClusterNetworkPolicy", policy(json!({"namespaces": {}})));
    assert!(matches!(with("v1alpha2", kind, json!([])), Ok(Decided::Pass(_))));
    assert!(matches!(with("v1alpha2", kind, known.clone()), Ok(Decided::Pass(_))));
    let unknown = |version, kind, policies, part: &str| {
        let gap = with(version, kind, policies).unwrap_err();
        assert!(gap.said.contains(part), "{gap:?}");
    };
    let names = policy(json!({"domainNames": ["example.org"]}));
    unknown("v1alpha2", kind, names, "ClusterNetworkPolicy tenants: domainNames are not supported");
    unknown("v9", kind, known.clone(), "1 wide of v9");
    unknown("v1alpha2", "TenantNetworkPolicy", known, "1 wide of v1alpha2");
    assert!(with("v1alpha2", kind, Value::Null).is_err(), "a list that is none says nothing");
    // What the API names and does not have is no absence of policies.
    let judgement = judge(&case("network/network-policy"), |act| match act {
        Act::Ask { ask: Ask::Read { path }, .. } if path.ends_with("policy.networking.k8s.io") => {
            Some(Seen::Text(json!({"versions": [{"version": "v1alpha2"}]}).to_string()))
        }
        _ => None,
    });
    assert!(judgement.is_err(), "{judgement:?}");
}
