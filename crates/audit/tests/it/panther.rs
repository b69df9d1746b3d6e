//! Events that others labelled for their own rules: each rule is mapped to detections, and what we see
//! otherwise stands in a ledger with its reason.

use std::fs;

use ringfort_audit::detections::{DETECTIONS, find};
use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use ringfort_facts::manifest;
use serde_json::Value;

use crate::oracles::oracles;

/// Their rules, and the detections that are about the same.
const MAPPED: &[(&str, &[&str])] = &[
    ("gcp_k8s_new_daemonset_deployed", &["detect/daemon-set"]),
    ("gcp_k8s_pod_create_or_modify_host_path_vol_mount", &["detect/host-path"]),
    ("k8s_admission_controller_created", &["detect/webhook-changed"]),
    ("k8s_anonymous_api_access", &["detect/anonymous-access"]),
    ("k8s_client_certificate_created", &["detect/client-certificate-requested"]),
    ("k8s_cronjob_created_or_modified", &["detect/scheduled-job"]),
    ("k8s_daemonset_created", &["detect/daemon-set"]),
    ("k8s_exec_into_pod", &["detect/exec"]),
    ("k8s_kubectl_cp_operation", &["detect/exec-copies-out"]),
    ("k8s_pod_dangerous_capabilities", &["detect/capabilities"]),
    ("k8s_pod_host_ipc", &["detect/host-ipc"]),
    ("k8s_pod_host_network", &["detect/host-network"]),
    ("k8s_role_node_proxy_permissions", &["detect/node-proxy-role"]),
    ("k8s_role_pod_exec", &["detect/exec-role"]),
    ("k8s_secrets_dump_all_namespaces", &["detect/secrets-everywhere"]),
    ("k8s_service_nodeport", &["detect/node-port"]),
    ("k8s_serviceaccount_token_created", &["detect/token-requested"]),
    ("k8s_system_principal_public_ip", &["detect/component-from-public-address"]),
    ("k8s_system_role_modified", &["detect/system-role-changed"]),
];

/// What is seen otherwise, and why.
const LEDGER: &[(&str, &str, &str)] = &[
    (
        "gcp_k8s_new_daemonset_deployed",
        "privilege-escalation",
        "it is a request to the deployment manager, not to the API of Kubernetes",
    ),
    (
        "k8s_admission_controller_created",
        "Webhook Update (Not Create)",
        "an update weakens as well as a creation does",
    ),
    (
        "k8s_daemonset_created",
        "DaemonSet Update (Not Create)",
        "an update brings another image to every machine as well",
    ),
    (
        "k8s_kubectl_cp_operation",
        "EKS system namespace (excluded)",
        "what leaves a container of the system is worth more, not less",
    ),
    (
        "k8s_pod_host_ipc",
        "System Namespace with HostIPC (Excluded)",
        "an account in kube-system may have any name; only upstream's controllers are spared",
    ),
    ("k8s_role_node_proxy_permissions", "System principal creating role (excluded)", "the same"),
    (
        "k8s_role_node_proxy_permissions",
        "Updating existing role (not creating)",
        "a role gives what it says however it came to say it",
    ),
    (
        "k8s_role_pod_exec",
        "System principal creating role (excluded)",
        "an account in kube-system may have any name",
    ),
    (
        "k8s_role_pod_exec",
        "Updating existing role (not creating)",
        "a role gives what it says however it came to say it",
    ),
    (
        "k8s_secrets_dump_all_namespaces",
        "Kube-state-metrics listing secrets (excluded)",
        "a name that anybody may choose for an account spares nobody; it can be suppressed by its owner",
    ),
    (
        "k8s_system_principal_public_ip",
        "AKS CSI Disk Driver from Azure Node",
        "whose network an address is needs a list of networks",
    ),
    ("k8s_system_principal_public_ip", "AKS CSI File Driver from Azure Node", "the same"),
    (
        "k8s_system_principal_public_ip",
        "Pod with Mixed Public and Private IPs",
        "the last address is who was connected; those before it are what somebody claims",
    ),
    (
        "k8s_system_role_modified",
        "System:coredns modified (excluded - expected)",
        "who changes it at an upgrade can say so; others are found",
    ),
    (
        "k8s_system_role_modified",
        "System principal modifying system role (excluded)",
        "an account in kube-system may have any name",
    ),
];

#[test]
fn events_that_others_labelled_are_found() {
    let Some(directory) = oracles("panther-audit") else { return };
    let (mut positive, mut negative, mut differing) = (0, 0, Vec::new());
    for theme in ["kubernetes_rules", "gcp_k8s_rules"] {
        let mut files: Vec<_> =
            fs::read_dir(directory.join(theme)).unwrap().map(|it| it.unwrap().path()).collect();
        files.sort();
        for file in files {
            let rule = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let (_, mapped) = MAPPED
                .iter()
                .find(|(name, _)| *name == rule)
                .unwrap_or_else(|| panic!("{rule} is not mapped"));
            assert!(mapped.iter().all(|id| find(id).is_some()), "{mapped:?}");
            let text = fs::read_to_string(&file).unwrap();
            let documents = manifest::read(&text).unwrap();
            for test in documents[0].value()["Tests"].as_array().unwrap() {
                let expected = test["ExpectedResult"].as_bool().unwrap();
                *(if expected { &mut positive } else { &mut negative }) += 1;
                let found = judge(&test["Log"]);
                if mapped.iter().any(|id| found.contains(id)) != expected {
                    differing.push((
                        rule.clone(),
                        test["Name"].as_str().unwrap().to_owned(),
                        found,
                    ));
                }
            }
        }
    }
    let is_known = |(rule, name, _): &&(String, String, Vec<&str>)| {
        LEDGER.iter().any(|(of, event, _)| of == rule && event == name)
    };
    let unknown: Vec<_> = differing.iter().filter(|one| !is_known(one)).collect();
    println!(
        "{} events: {positive} positive, {negative} negative; {} differ, of them {} in the ledger",
        positive + negative,
        differing.len(),
        differing.len() - unknown.len()
    );
    assert!(positive > 0 && negative > 0);
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert_eq!(differing.len(), LEDGER.len(), "the ledger holds what does not differ any more");
}

fn judge(log: &Value) -> Vec<&'static str> {
    let (mut engine, mut findings) = (Engine::new(DETECTIONS), Vec::new());
    each(log.to_string().as_bytes(), &mut |found| match found {
        Found::Event(event) => drop(engine.judge(event, &mut findings)),
        Found::Other => {}
        Found::Fault(why) => panic!("{why}: {log}"),
    });
    findings.iter().map(|finding| find(&finding.detection).unwrap().id).collect()
}
