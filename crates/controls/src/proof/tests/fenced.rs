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

/// They would look as if they held, and nobody enforces them.
#[test]
fn cluster_wide_policies_that_nobody_enforces_are_unknown() {
    let with = |policies: Value| {
        judge(&case("network/network-policy"), |act| {
            let Act::Ask { ask: Ask::Read { path }, .. } = act else { return None };
            let path = path.strip_prefix("/apis/policy.networking.k8s.io")?;
            let said = match path {
                "" => json!({"versions": [{"version": "v1alpha2"}]}),
                "/v1alpha2" => json!({"resources": [
                    {"name": "clusternetworkpolicies"}, {"name": "clusternetworkpolicies/status"},
                ]}),
                _ => json!({"items": policies}),
            };
            Some(Seen::Text(said.to_string()))
        })
    };
    assert!(matches!(with(json!([])), Ok(Decided::Pass(_))));
    let gap = with(json!([{"metadata": {"name": "tenants"}}])).unwrap_err();
    assert!(gap.said.contains("1 clusternetworkpolicies of v1alpha2"), "{gap:?}");
    assert!(with(Value::Null).is_err(), "a list that is none says nothing");
    // What the API names and does not have is no absence of policies.
    let judgement = judge(&case("network/network-policy"), |act| match act {
        Act::Ask { ask: Ask::Read { path }, .. } if path.ends_with("policy.networking.k8s.io") => {
            Some(Seen::Text(json!({"versions": [{"version": "v1alpha2"}]}).to_string()))
        }
        _ => None,
    });
    assert!(judgement.is_err(), "{judgement:?}");
}
