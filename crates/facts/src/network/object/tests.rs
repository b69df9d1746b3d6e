//! Tests of the objects that decide about packets.

use serde_json::{Value, json};

use super::{Policy, Protocol, pod, policy};

fn read(spec: &Value) -> Result<Policy, String> {
    let object = json!({"metadata": {"namespace": "a", "name": "p"}, "spec": spec});
    policy(&object).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(spec: &Value, expected: &str) {
    let error = read(spec).unwrap_err();
    assert!(error.contains(expected) && error.contains("a/p"), "{error}");
}

#[test]
fn a_pod_of_a_machine_s_own_manifest_is_known_as_its_runtime_knows_it() {
    let read = |annotations: Value| {
        let metadata = json!({"name": "p", "uid": "of the API", "annotations": annotations});
        pod(&json!({"metadata": metadata})).uid
    };
    let (mirror, manifest) = ("kubernetes.io/config.mirror", "kubernetes.io/config.hash");
    assert_eq!(
        read(json!({mirror: "of the kubelet", manifest: "of the kubelet"})),
        "of the kubelet"
    );
    assert_eq!(read(json!({manifest: "of somebody"})), "of the API");
    assert_eq!(read(json!(null)), "of the API");
}

#[test]
fn services_lead_to_ports_of_containers_that_stay() {
    let (port, tcp) = (json!([{"name": "http", "containerPort": 80}]), Protocol::Tcp);
    let read = |first: Value| {
        let spec = json!({"initContainers": [first], "containers": [{"name": "c"}]});
        let pod = pod(&json!({"metadata": {"name": "p"}, "spec": spec}));
        (pod.named("http", tcp).count(), pod.served("http", tcp).count())
    };
    assert_eq!(read(json!({"ports": port})), (1, 0));
    assert_eq!(read(json!({"ports": port, "restartPolicy": "Always"})), (1, 1));
}

#[test]
fn a_cluster_says_how_a_pod_is() {
    let has = |status: Value| pod(&json!({"status": status})).has_status;
    assert!(has(json!({"phase": "Pending"})));
    assert!(!has(json!({})) && !has(json!(null)));
}

#[test]
fn which_ways_a_policy_closes_follows_from_its_types_or_its_rules() {
    let check = |spec: &Value, ingress: bool, egress: bool| {
        let policy = read(spec).unwrap();
        assert_eq!((policy.ingress.is_some(), policy.egress.is_some()), (ingress, egress));
    };
    check(&json!({"podSelector": {}}), true, false);
    check(&json!({"podSelector": {}, "egress": [{}]}), true, true);
    check(&json!({"podSelector": {}, "egress": []}), true, false);
    check(&json!({"podSelector": {}, "policyTypes": []}), true, false);
    check(&json!({"podSelector": {}, "policyTypes": [], "egress": [{}]}), true, true);
    check(&json!({"podSelector": {}, "policyTypes": null}), true, false);
    check(&json!({"podSelector": {}, "policyTypes": ["Egress"]}), false, true);
    check(&json!({"podSelector": {}, "policyTypes": ["Ingress"], "egress": [{}]}), true, false);
}

#[test]
fn a_policy_that_says_what_nobody_understands_is_refused() {
    let ingress = |rule: Value| json!({"podSelector": {}, "ingress": [rule]});
    // Read as no peers at all, these would open the pod to everyone.
    refused(&ingress(json!({"to": [{"podSelector": {}}]})), "unknown field `to`");
    refused(&json!({"podSelector": {}, "egress": [{"from": []}]}), "unknown field `from`");
    refused(&ingress(json!({"from": [{}]})), "a peer is empty");
    refused(
        &ingress(json!({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]})),
        "either ipBlock or selectors",
    );
    refused(&ingress(json!({"from": [{"ipBlock": {"cidr": "10.0.0.0"}}]})), "is not a range");
    refused(&ingress(json!({"ports": [{"port": 90, "endPort": 80}]})), "is before port 90");
    refused(&ingress(json!({"ports": [{"endPort": 80}]})), "endPort stands without port");
    refused(&ingress(json!({"ports": [{"port": "web", "endPort": 80}]})), "with the name");
}
