//! Activities that are known to be suspicious, and what looks for each: whole, half with what is missing, or nothing
//! with why. What somebody else can look for and this room does not is never left out here.

use std::collections::BTreeSet;

use ringfort_audit::detections::{self, find};

/// A number that stays, the activity, the detections without what their ids begin with, and what is missing.
type Row = (usize, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (1, "an anonymous request is allowed", "anonymous-access", ""),
    (2, "pods are written anonymously", "anonymous-write", ""),
    (3, "paths are enumerated anonymously", "anonymous-probing", ""),
    (4, "a call out of Tor", "tor-exit", ""),
    (5, "a call from an address on a list", "listed-address", ""),
    (6, "an identity comes from a new network", "new-network", ""),
    (7, "a name of the system comes from a public address", "component-from-public-address", ""),
    (8, "an identity has a new program", "new-agent", ""),
    (9, "the program of an attacker says its name", "attack-tool", ""),
    (10, "a credential of system:masters is used", "masters-used", ""),
    (11, "the token of a pod is used off its node", "token-outside", "within the networks of the cluster another node or pod is not told from its own"),
    (12, "one credential is used from two sources", "credential-from-two-addresses", ""),
    (13, "a token is used that nobody saw issued, or whose pod is gone", "", "tokens that were issued before the log begins would all be findings; where a token is used is looked at by token-outside"),
    (14, "an old, invalidated or stale token is used", "legacy-token-used", ""),
    (15, "many answers 401", "login-failures", ""),
    (16, "many answers 403", "refusals", ""),
    (17, "refused, then allowed", "refused-then-allowed", ""),
    (18, "a privileged identity is impersonated", "privileged-impersonation", ""),
    (19, "impersonation without limits where limits are the rule", "unconstrained-impersonation", ""),
    (20, "a bootstrap token is made", "bootstrap-token-made", ""),
    (21, "a bootstrap identity strays", "bootstrap-identity-strays", ""),
    (22, "a known tool is exposed", "tool-exposed", "Services are looked at, and no Ingress or route that leads to them"),
    (23, "exec", "exec", ""),
    (24, "exec or attach in the system", "exec-in-system", ""),
    (25, "a first exec in a namespace", "first-exec", ""),
    (26, "exec reads tokens or keys", "exec-reads-token", ""),
    (27, "exec asks the metadata of the cloud", "exec-asks-metadata", ""),
    (28, "exec opens a reverse shell", "exec-opens-reverse-shell", ""),
    (29, "exec downloads a tool", "exec-downloads", ""),
    (30, "files are copied out", "exec-copies-out", ""),
    (31, "attach", "attach", ""),
    (32, "port-forward", "port-forward", ""),
    (33, "an ephemeral container", "ephemeral-container", ""),
    (34, "nodes/proxy is used", "node-proxy", ""),
    (35, "pods or Services are reached through the API", "service-proxy", ""),
    (36, "a pod opens a reverse shell", "pod-opens-reverse-shell", ""),
    (37, "a miner", "miner", ""),
    (38, "a pod has the name of a tool of attackers", "attack-pod", ""),
    (39, "an image of a registry that is not approved, or by a tag that moves", "unlisted-image", "registries are looked at, and not whether a tag may move"),
    (40, "an identity brings a first image", "first-image", ""),
    (41, "a naked pod where controllers make pods", "naked-pod", ""),
    (42, "a pod names its node, or is bound by hand", "pinned-to-node bound-by-hand", ""),
    (43, "a pod tolerates every taint", "tolerates-everything", ""),
    (44, "a Job or CronJob is written", "scheduled-job", "a Job that runs at once is a workload like others"),
    (45, "a DaemonSet is written", "daemon-set", ""),
    (46, "an identity changes workloads it did not change before", "first-change", ""),
    (47, "a workload among those of the system", "workload-in-system", ""),
    (48, "a pod looks like a part of the system", "lookalike", ""),
    (49, "a mirror pod that nobody declared", "mirror-pod", ""),
    (50, "image, command or containers of a live workload are changed", "program-changed", "by people alone; an object that is not known and is sent as a whole is not compared, nor are environment and volumes"),
    (51, "a command in a hook or probe", "command-in-hook", ""),
    (52, "a webhook is written", "webhook-changed", ""),
    (53, "a webhook is weakened", "webhook-weakened", "another CA is only found as a change, by webhook-changed, and other selectors where the configuration was known before"),
    (54, "an admission policy is changed", "admission-policy-changed", ""),
    (55, "an APIService is changed", "api-service-changed", ""),
    (56, "a kind is converted by a webhook", "conversion-webhook", ""),
    (57, "an account among those of the system", "account-in-system", ""),
    (58, "a token is requested by a person or another account", "token-requested", "how long it lasts stands in a body that is never written down"),
    (59, "a token of an account without an end", "long-lived-token", "ringfort's policy never writes bodies of Secrets down, so only logs of other policies show it"),
    (60, "a client certificate is requested", "client-certificate-requested", ""),
    (61, "a certificate of a privileged name is requested", "privileged-certificate-requested", ""),
    (62, "a certificate is approved by a person, by whom asked for it, or in vain", "certificate-approved own-request-approved", "an approval that was refused is not found by itself"),
    (63, "a request for a certificate is deleted", "request-deleted", ""),
    (64, "PodCertificateRequests or ClusterTrustBundles are changed", "trust-changed", "bundles alone: kubelets make requests for pods all the time"),
    (65, "the names of the cluster are changed", "dns-changed", ""),
    (66, "who of the cloud is who in the cluster is changed", "cloud-users-changed", "access entries of EKS are changed in Amazon's API, which this log does not tell of"),
    (67, "a NodePort or a hostPort", "node-port host-port", ""),
    (68, "addresses from outside are taken", "external-addresses", ""),
    (69, "endpoints are written by hand", "endpoints-by-hand", ""),
    (70, "an Ingress without TLS, with a snippet, or for another's host", "ingress-snippet", "snippets alone: whose a host is, and where TLS ends, an Ingress does not say"),
    (71, "a namespace that is not planned", "unlisted-namespace", ""),
    (72, "credentials in a ConfigMap", "", "bodies of ConfigMaps are never written down, since they hold credentials"),
    (73, "a privileged container", "privileged-container", ""),
    (74, "hostPID", "host-processes", ""),
    (75, "hostIPC", "host-ipc", ""),
    (76, "hostNetwork", "host-network", ""),
    (77, "a sensitive hostPath", "host-path", ""),
    (78, "the same by a PersistentVolume", "host-path-volume", ""),
    (79, "dangerous capabilities", "capabilities", ""),
    (80, "processes are shared in a pod", "shared-processes", ""),
    (81, "root, or the way to it", "root", ""),
    (82, "not confined: seccomp, AppArmor, procMount, sysctls, hostProcess, hostUsers", "unconfined", "hostUsers says what is usual, so that nothing is found by it"),
    (83, "cluster-admin is bound", "cluster-admin-bound", ""),
    (84, "everybody is bound", "everyone-bound", ""),
    (85, "a default account is bound", "default-account-bound", ""),
    (86, "a role with stars", "wildcard-role", ""),
    (87, "escalate, bind or impersonate", "escalating-role", ""),
    (88, "a role for exec, nodes/proxy, tokens or Secrets", "exec-role node-proxy-role secrets-role", ""),
    (89, "a role of the system is changed", "system-role-changed", ""),
    (90, "a role is aggregated into one that everybody is given", "aggregated-role", ""),
    (91, "the role of a controller is bound", "controller-role-bound", ""),
    (92, "an account gives rights", "rights-by-account", ""),
    (93, "an identity gives rights for the first time", "first-rights", ""),
    (94, "a pod runs as an account of a controller", "account-of-controller", ""),
    (95, "rights, then a workload", "rights-then-workload", ""),
    (96, "a way to cluster-admin opens", "path-to-admin", ""),
    (97, "the level of Pod Security is lowered", "pod-security-lowered", "baseline in the place of restricted only where that was known; a label that is taken away leaves the cluster's default; audit and warn are not looked at"),
    (98, "exempt from Pod Security, or many violations", "pod-security-exempt pod-security-violations", ""),
    (99, "a NetworkPolicy is deleted or opened", "network-policy-deleted network-policy-opened", "a policy that no longer chooses its pods, and other kinds than NetworkPolicy that are opened, are not found"),
    (100, "a quota, a limit or a budget is deleted", "limits-deleted", ""),
    (101, "a guard is deleted, scaled to nothing or changed", "guard-removed", "guards are known by usual names; one that is not known and is sent as a whole is not compared"),
    (102, "events are deleted", "events-deleted", ""),
    (103, "there is a gap in the log", "", "no event tells of it: the collector compares with what servers count, and `ringfort audit verify` says where the log is not whole"),
    (104, "an event was too large for the log", "truncated", ""),
    (105, "an Audit-ID twice, or a strange one", "audit-id-reused", "any name may be given to a request, so that only its second use says something"),
    (106, "a request that never ends, or a panic", "server-panic", "that a request came is not written down by ringfort's policy, so that one without an end leaves nothing"),
    (107, "the policy is narrower than detections need", "", "it is no event: `ringfort audit policy --explain` names blind spots, audit/policy-is-set holds the policy, and events without bodies are counted"),
    (108, "a forged chain of addresses", "claimed-addresses", ""),
    (109, "a node joins or is edited", "node-edited", "who joins is looked at by certificate-approved and bootstrap-token-made alone"),
    (110, "a node acts beyond itself", "node-strays", ""),
    (111, "Secrets everywhere or of the system", "secrets-everywhere secrets-of-system", ""),
    (112, "many Secrets", "many-secrets", ""),
    (113, "an unusual reader of Secrets", "new-reader", ""),
    (114, "names of Secrets are tried", "secrets-guessed", ""),
    (115, "Secrets are changed", "secret-changed", ""),
    (116, "a decoy is touched", "decoy-touched", "decoys are whatever the file names: ringfort makes none"),
    (117, "what a server says of itself is read", "debug-paths", ""),
    (118, "logs of many pods are read", "many-logs", ""),
    (119, "a program asks what it may do", "own-rights-listed", ""),
    (120, "many kinds are listed", "enumeration", ""),
    (121, "a first list across namespaces", "first-list-everywhere", ""),
    (122, "much is deleted", "mass-deletion", ""),
    (123, "a namespace is deleted", "namespace-deleted", ""),
    (124, "storage is deleted or copied", "storage-deleted", "copies are not looked at"),
    (125, "deleted by force, or without finalizers", "deleted-by-force finalizers-removed", "finalizers of volumes, claims and namespaces alone"),
    (126, "machines are drained", "eviction-wave node-edited", ""),
    (127, "pods or accelerators surge", "surge", "by fixed bounds, and not by what is usual for somebody"),
    (128, "a change by whom or when nobody said", "unmeant-change kept-object-changed", ""),
];

#[test]
fn every_activity_is_looked_for_or_says_why_not() {
    let numbers: Vec<usize> = ROWS.iter().map(|row| row.0).collect();
    assert_eq!(numbers, (1..=128).collect::<Vec<_>>());
    let [mut whole, mut half, mut none] = [0; 3];
    for (number, activity, looked_for_by, missing) in ROWS {
        assert!(!activity.is_empty(), "{number}");
        for name in looked_for_by.split_whitespace() {
            assert!(
                find(&format!("detect/{name}")).is_some(),
                "{number}: there is no detect/{name}"
            );
        }
        match (looked_for_by.is_empty(), missing.is_empty()) {
            (true, true) => panic!("{number} is looked for by nothing, and nobody says why"),
            (true, false) => none += 1,
            (false, false) => half += 1,
            (false, true) => whole += 1,
        }
    }
    println!("{} activities: {whole} whole, {half} half, {none} not by an event", ROWS.len());
    assert_eq!((whole, half, none), (WHOLE, HALF, NONE));
}

/// How many are looked for as a whole, by half, and not: whoever changes a row looks at it again.
const WHOLE: usize = 101;
const HALF: usize = 23;
const NONE: usize = 4;

/// A detection that looks for none of them is a row that was forgotten.
#[test]
fn every_detection_is_in_a_row() {
    let named: BTreeSet<String> = ROWS
        .iter()
        .flat_map(|(_, _, names, _)| names.split_whitespace())
        .map(|name| format!("detect/{name}"))
        .collect();
    let forgotten: Vec<&str> =
        detections::all().map(|it| it.id).filter(|id| !named.contains(*id)).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}
