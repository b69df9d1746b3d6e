//! An account or a ConfigMap is Kubernetes' own only where it says no more than Kubernetes writes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::tests::{changed, standing};
use super::super::{Own, Standing, UPSTREAM, Upstream};
use super::is_controller;

fn object(kind: &str, namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace,
        "uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}})
}

fn account() -> Value {
    object("ServiceAccount", "kube-system", "job-controller")
}

fn pod(namespace: &str, key: &str, account: &str) -> Value {
    let mut pod = object("Pod", namespace, "p");
    pod["spec"] = json!({key: account, "containers": [{"name": "c", "image": "i"}]});
    pod
}

#[test]
fn everybody_to_whom_a_role_of_controllers_is_bound_is_a_controller() {
    let forms = UPSTREAM.iter().filter(|(key, _)| key.contains("system:controller:"));
    let said = forms.flat_map(|(_, forms)| forms).flat_map(|form| &form.said);
    let bound: BTreeSet<&str> =
        said.filter_map(|it| it.strip_prefix("to ServiceAccount kube-system ")).collect();
    assert!(bound.len() > 40, "{bound:?}");
    let others: Vec<&str> = bound.into_iter().filter(|it| !is_controller(it)).collect();
    assert_eq!(others, ["cloud-provider"]);
    // What stands behind a gate is a controller's as well.
    assert!(is_controller("storage-version-garbage-collector"));
    for name in ["kube-scheduler", "leader-election-controller", "kube-dns", ""] {
        assert!(!is_controller(name), "{name}");
    }
}

#[test]
fn an_account_of_a_controller_is_own_in_its_namespace_and_under_its_name() {
    let own = Some(Standing::Own(Own::Account));
    assert_eq!(standing(&[account()]), own);
    let called = |namespace: &str, name: &str| object("ServiceAccount", namespace, name);
    assert_eq!(standing(&[called("shop", "job-controller")]), None);
    assert_eq!(standing(&[called("kube-system", "coredns")]), None);
    assert_eq!(standing(&[called("kube-system", "default")]), None);
}

#[test]
fn an_account_that_says_more_than_its_name_is_changed() {
    for (pointer, value) in [
        ("secrets", json!([{"name": "token"}])),
        ("imagePullSecrets", json!([{"name": "registry"}])),
        ("automountServiceAccountToken", json!(true)),
        ("metadata.annotations", json!({"eks.amazonaws.com/role-arn": "arn"})),
        ("metadata.labels", json!({"app": "x"})),
        ("metadata.ownerReferences", json!([{"name": "x"}])),
    ] {
        let mut account = account();
        match pointer.split_once('.') {
            Some((_, field)) => account["metadata"][field] = value,
            None => account[pointer] = value,
        }
        let said = changed(&[account]);
        assert_eq!(said, format!("this is not as Kubernetes makes it: it says {pointer}"));
    }
}

#[test]
fn an_account_that_something_runs_as_is_judged() {
    let used = "Kubernetes makes this for a controller, and something else runs as it";
    for key in ["serviceAccountName", "serviceAccount"] {
        assert_eq!(changed(&[account(), pod("kube-system", key, "job-controller")]), used);
    }
    let mut nightly = object("CronJob", "kube-system", "n");
    nightly["apiVersion"] = json!("batch/v1");
    let spec = json!({"serviceAccountName": "job-controller"});
    nightly["spec"] = json!({"jobTemplate": {"spec": {"template": {"spec": spec}}}});
    assert_eq!(changed(&[account(), nightly]), used);
    let elsewhere = pod("shop", "serviceAccountName", "job-controller");
    let other = pod("kube-system", "serviceAccountName", "coredns");
    assert_eq!(standing(&[account(), elsewhere, other]), Some(Standing::Own(Own::Account)));
}

#[test]
fn an_account_is_judged_where_pods_were_not_seen() {
    let mut upstream = Upstream::default();
    upstream.add("account", &account());
    upstream.add("map", &tracking("2026-01-31"));
    upstream.leave_users_open();
    let standings = upstream.standings();
    assert!(matches!(&standings["account"], Standing::Changed(how) if how.ends_with("not known")));
    assert_eq!(standings["map"], Standing::Own(Own::ConfigMap));
}

fn map(name: &str, data: &Value) -> Value {
    let mut map = object("ConfigMap", "kube-system", name);
    map["data"] = data.clone();
    map
}

fn tracking(since: &str) -> Value {
    map("kube-apiserver-legacy-service-account-token-tracking", &json!({"since": since}))
}

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIB+/==\n-----END CERTIFICATE-----\n";

fn authentication() -> Value {
    let two = format!("{CERTIFICATE}{CERTIFICATE}");
    let data = json!({"client-ca-file": two, "requestheader-client-ca-file": CERTIFICATE,
        "requestheader-allowed-names": "[\"front-proxy-client\"]",
        "requestheader-group-headers": "[\"X-Remote-Group\"]"});
    map("extension-apiserver-authentication", &data)
}

#[test]
fn a_config_map_of_api_servers_is_own_with_their_keys_alone() {
    let own = Some(Standing::Own(Own::ConfigMap));
    assert_eq!(standing(&[authentication()]), own);
    assert_eq!(standing(&[tracking("2026-01-31")]), own);
    let mut elsewhere = tracking("2026-01-31");
    elsewhere["metadata"]["namespace"] = json!("kube-public");
    assert_eq!(standing(&[elsewhere]), None);
    assert_eq!(standing(&[map("coredns", &json!({"since": "2026-01-31"}))]), None);

    let with = |key: &str, value: &str| {
        let mut map = authentication();
        map["data"][key] = json!(value);
        changed(&[map])
    };
    let says = |what: &str| format!("this is not as Kubernetes makes it: it says {what}");
    assert_eq!(with("password", "hunter2"), says("data.password"));
    assert_eq!(
        with("requestheader-allowed-names", "hunter2"),
        says("data.requestheader-allowed-names")
    );
    let key =
        format!("{CERTIFICATE}-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n");
    for text in
        ["hunter2", &key, "-----BEGIN CERTIFICATE-----\nMIIB", "x -----BEGIN CERTIFICATE-----"]
    {
        assert_eq!(with("client-ca-file", text), says("data.client-ca-file"), "{text}");
    }
    assert_eq!(changed(&[tracking("2026-01-3x")]), says("data.since"));
    let mut binary = authentication();
    binary["binaryData"] = json!({"x": "aHVudGVyMg=="});
    assert_eq!(changed(&[binary]), says("binaryData"));
}
