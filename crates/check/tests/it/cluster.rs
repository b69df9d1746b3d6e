//! A cluster that ringfort made, whole: every row is decided, what the profile does on purpose is told as waived,
//! and what somebody does beside it is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use jiff::civil::date;
use ringfort_check::admission::Admitting;
use ringfort_check::benchmark::{
    Intent, Judged, Looked, Members, Needs, Tally, judge, rows, waive,
};
use ringfort_check::waivers::{Scope, Waiver};
use ringfort_check::world::{Objects, Origin, World};
use ringfort_facts::machine::Machine;
use ringfort_facts::manifest;
use ringfort_model::judgement::{Gap, Verdict};
use serde_json::{Value, json};

use crate::machine::Facts;

const GOLDEN: &str = "../forge/tests/golden/1.36";
const SYSTEM: &str = "kube-system";

fn read(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    manifest::read(&text).unwrap().into_iter().map(manifest::Document::into_value).collect()
}

/// What an API server makes at its start: a role and its binding.
fn own(name: &str, rules: &Value, subject: &Value) -> [Value; 2] {
    let metadata = json!({
        "name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    });
    let version = "rbac.authorization.k8s.io/v1";
    let role =
        json!({"apiVersion": version, "kind": "ClusterRole", "metadata": metadata, "rules": rules});
    let binding = json!({
        "apiVersion": version, "kind": "ClusterRoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [subject],
    });
    [role, binding]
}

/// Some of what API servers make at their start, each right as they give it.
fn of_servers() -> Vec<Value> {
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    let everything = json!([rule("*", &["*"], &["*"]), {"nonResourceURLs": ["*"], "verbs": ["*"]}]);
    let namespaces = json!([
        rule("", &["namespaces"], &["get", "list", "watch", "delete"]),
        rule("", &["namespaces/finalize", "namespaces/status"], &["update"]),
        rule("*", &["*"], &["delete", "deletecollection", "get", "list", "watch"]),
    ]);
    let below = ["configz", "healthz", "log", "metrics", "pods", "proxy", "stats"]
        .map(|it| format!("nodes/{it}"));
    let kubelets = json!([
        rule("", &["nodes"], &["get", "list", "watch", "proxy"]),
        {"apiGroups": [""], "resources": below, "verbs": ["*"]},
    ]);
    let group = "rbac.authorization.k8s.io";
    let masters = json!({"apiGroup": group, "kind": "Group", "name": "system:masters"});
    let account =
        json!({"kind": "ServiceAccount", "namespace": SYSTEM, "name": "namespace-controller"});
    let nobody = json!({"apiGroup": group, "kind": "User", "name": "system:nobody"});
    let mut all = Vec::from(own("cluster-admin", &everything, &masters));
    all.extend(own("system:controller:namespace-controller", &namespaces, &account));
    all.extend(own("system:kubelet-api-admin", &kubelets, &nobody).into_iter().take(1));
    all
}

/// What the API of such a cluster lists.
pub(crate) fn objects() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    let mut files: Vec<_> =
        fs::read_dir(root.join("objects")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut all: Vec<Value> = files.iter().flat_map(|path| read(path)).collect();
    for namespace in ["default", "kube-node-lease", "kube-public", SYSTEM] {
        let object = |kind: &str, name: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}});
        all.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
        all.push(object("ConfigMap", "kube-root-ca.crt"));
        let mut account = object("ServiceAccount", "default");
        account["automountServiceAccountToken"] = false.into();
        all.push(account);
    }
    all.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kubernetes", "namespace": "default"}}));
    all.extend(of_servers());
    let manifests = root.join("nodes/cp-10-0-0-11/etc/kubernetes/manifests");
    for file in fs::read_dir(manifests).unwrap() {
        let mut pod = read(&file.unwrap().path()).remove(0);
        pod["metadata"]["annotations"]["kubernetes.io/config.mirror"] = "digest".into();
        pod["metadata"]["name"] =
            format!("{}-cp1", pod["metadata"]["name"].as_str().unwrap()).into();
        pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "Node", "name": "cp1", "uid": "a", "controller": true}]);
        all.push(pod);
    }
    let deployment = all.iter().find(|it| it["kind"] == "Deployment").unwrap();
    all.push(with_token(&deployment["spec"]["template"], "coredns-1"));
    all
}

/// A pod of a template as it runs, with the token that admission mounts.
fn with_token(template: &Value, name: &str) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]});
    pod["metadata"]["name"] = name.into();
    pod["metadata"]["namespace"] = SYSTEM.into();
    pod["metadata"]["creationTimestamp"] = "2026-11-27T10:00:00Z".into();
    pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a", "uid": "a", "controller": true}]);
    let token = json!({"name": "kube-api-access", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}});
    pod["spec"]["volumes"].as_array_mut().unwrap().push(token);
    pod
}

/// Counts what the API lists, and which kinds it did not.
pub(crate) fn tally(documents: &[Value], unlisted: Vec<(&'static str, Gap)>) -> Tally {
    let mut all = Objects::new(World::Closed, None);
    for (kind, gap) in unlisted {
        all.add_unlisted(kind, gap);
    }
    for (document, object) in documents.iter().enumerate() {
        all.add(Origin { file: 0, document }, object);
    }
    let is_one = |it: &&Value| {
        let version = it["apiVersion"].as_str().unwrap_or_default();
        version.starts_with("admissionregistration.k8s.io/")
    };
    let objects = documents.iter().filter(is_one).cloned().collect();
    let mut tally = Tally::of(&all, &Admitting { objects, unlisted: Vec::new() });
    tally.members = members(&["cp1"]);
    tally
}

/// What an API tells of machines that all run an API server.
pub(crate) fn members(names: &[&str]) -> Members {
    let node = |name: &&str| json!({"kind": "Node", "metadata": {"name": name}});
    let endpoints: Vec<Value> =
        (1..=names.len()).map(|at| json!({"addresses": [format!("10.0.0.{at}")]})).collect();
    Members::of(Ok(names.iter().map(node).collect()), Ok(vec![json!({"endpoints": endpoints})]))
}

pub(crate) fn intent() -> Intent {
    Intent { machines: BTreeSet::from(["cp1".to_owned()]), ..Intent::default() }
}

pub(crate) fn caller(user: &str, more: &Value) -> Value {
    let mut caller = json!({
        "user": user, "credential": "certificate", "masters": false, "pod": null, "agent": "a",
        "local": false, "requests": 7,
    });
    caller.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    caller
}

/// Who asks on such a cluster, and these besides.
pub(crate) fn audit(more: &[Value]) -> Value {
    let token = |agent: &str| json!({"credential": "token", "agent": agent});
    let mut callers = vec![
        caller("", &json!({"credential": "unsaid"})),
        caller(
            "system:apiserver",
            &json!({"credential": "unsaid", "masters": true, "local": true}),
        ),
        caller("system:kube-controller-manager", &json!({})),
        caller("system:node:cp1", &json!({})),
        caller("ringfort:network-policy", &json!({})),
        caller("ringfort:witness:cp1", &json!({})),
        caller("ringfort:keeper", &json!({"masters": true})),
        caller("ringfort:admin", &json!({"agent": "kubectl"})),
        caller(
            "system:serviceaccount:kube-system:namespace-controller",
            &token("kube-controller-manager"),
        ),
        caller("system:serviceaccount:ringfort-canary-0123:default", &token("ringfort")),
        caller(
            "system:serviceaccount:kube-system:coredns",
            &json!({"credential": "token", "pod": "coredns-1"}),
        ),
    ];
    callers.extend(more.iter().cloned());
    json!({
        "path": "/var/log/kubernetes/audit.log", "from": "2026-11-27T09:00:00.000000Z",
        "until": "2026-11-27T12:00:00.000000Z", "events": 100, "unread": 0, "callers": callers,
    })
}

/// What is changed of a cluster before it is judged.
struct Case {
    objects: Vec<Value>,
    callers: Vec<Value>,
    intent: Option<Intent>,
    waivers: Vec<Waiver>,
    /// Whether ringfort left nothing running on the machines.
    is_of_others: bool,
}

impl Default for Case {
    fn default() -> Self {
        let (objects, intent) = (objects(), Some(intent()));
        Self { objects, callers: Vec::new(), intent, waivers: Vec::new(), is_of_others: false }
    }
}

impl Case {
    fn words(&self) -> Words {
        let mut facts = Facts::of_blueprint();
        facts.0["audit"] = json!({"known": audit(&self.callers)});
        if self.is_of_others {
            // Facts are gathered by the same program.
            facts.0["components"]["ringfort"]["processes"]["known"][0]["arguments"]["known"] =
                json!(["/tmp/ringfort", "gather"]);
        }
        let facts = facts.read();
        let machines = [Machine::new(&facts, None)];
        let tally = tally(&self.objects, Vec::new());
        let looked = Looked {
            machines: &machines,
            objects: Some(&tally),
            intent: self.intent.as_ref(),
            ..Looked::default()
        };
        words(&looked, &self.waivers)
    }

    fn check(&self, id: &str, expected: &str) {
        let words = self.words();
        assert_eq!(words[id].0, expected, "{id}: {}", words[id].1);
    }
}

/// By row: what it comes to, in a word, and what is said of it.
pub(crate) type Words = BTreeMap<&'static str, (&'static str, String)>;

/// Judges every row and applies waivers.
pub(crate) fn words(looked: &Looked<'_>, waivers: &[Waiver]) -> Words {
    let mut judged = judge(looked);
    waive(&mut judged, looked, waivers, date(2026, 11, 27));
    judged.iter().map(|one| (one.row.id, (word(one), format!("{:?}", one.whole)))).collect()
}

fn word(judged: &Judged) -> &'static str {
    match (Verdict::from(&judged.whole), &judged.waived) {
        (Verdict::Failed, Some(_)) => "waived",
        (Verdict::Failed, None) => "fail",
        (Verdict::Proved, _) => "pass",
        (Verdict::Unknown, _) => "unknown",
        (Verdict::NotApplicable, _) => "not-applicable",
    }
}

#[test]
fn every_row_is_decided_and_none_fails_without_somebody_who_answers_for_it() {
    let words = Case::default().words();
    assert_eq!(words.len(), 131);
    let wrong: Vec<_> =
        words.iter().filter(|(_, (word, _))| matches!(*word, "unknown" | "fail")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let waived: Vec<_> =
        words.iter().filter(|(_, (word, _))| *word == "waived").map(|(id, _)| *id).collect();
    assert_eq!(waived, ["3.1.1", "5.1.7", "5.4.2", "5.5.1"]);
}

#[test]
fn without_a_declaration_nobody_knows_what_is_meant_and_nothing_is_waived() {
    let words = Case { intent: None, ..Case::default() }.words();
    let of = |wanted: &'static str| words.iter().filter(move |(_, (word, _))| *word == wanted);
    assert_eq!(of("waived").count(), 0);
    let unknown: BTreeSet<&str> = of("unknown").map(|(id, _)| *id).collect();
    let intent = rows().filter(|row| row.needs() == Needs::Intent).map(|row| row.id);
    // Which machines there are, the API tells.
    assert_eq!(unknown, intent.collect());
    for id in ["3.1.1", "3.1.2", "5.1.7", "5.5.1"] {
        assert_eq!(words[id].0, "fail", "{id}");
    }
}

#[test]
fn what_ringfort_does_on_purpose_is_nobodys_waiver_on_a_cluster_of_others() {
    let words = Case { is_of_others: true, ..Case::default() }.words();
    assert!(words.values().all(|(word, _)| *word != "waived"), "{words:#?}");
    for (id, expected) in [("5.1.7", "fail"), ("5.4.2", "unknown"), ("5.5.1", "fail")] {
        assert_eq!(words[id].0, expected, "{id}: {}", words[id].1);
    }
}

/// A role that reads secrets, and who gets it.
fn reader(kind: &str, name: &str) -> [Value; 2] {
    let version = "rbac.authorization.k8s.io/v1";
    let role = json!({"apiVersion": version, "kind": "ClusterRole", "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]});
    let binding = json!({"apiVersion": version, "kind": "ClusterRoleBinding", "metadata": {"name": "readers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"kind": kind, "name": name, "namespace": "shop"}]});
    [role, binding]
}

#[test]
fn who_holds_a_right_without_being_meant_to_is_named() {
    let mut case = Case::default();
    case.objects.extend(reader("ServiceAccount", "cart"));
    case.check("5.1.2", "fail");
    assert!(
        case.words()["5.1.2"].1.contains("ServiceAccount shop/cart by ClusterRoleBinding readers")
    );
    let [role, binding] = reader("ServiceAccount", "cart");
    let name = |it: &Value| {
        format!("{} {}", it["kind"].as_str().unwrap(), it["metadata"]["name"].as_str().unwrap())
    };
    let addons = [&role, &binding].map(|it| (name(it), it.clone())).into();
    case.intent = Some(Intent { addons, ..intent() });
    case.check("5.1.2", "pass");
    // What was done to it since, nobody declared.
    let changed = |change: fn(&mut Value, &mut Value)| {
        let [mut role, mut binding] = [role.clone(), binding.clone()];
        change(&mut role, &mut binding);
        let mut case = Case { intent: case.intent.clone(), ..Case::default() };
        case.objects.extend([role, binding]);
        case
    };
    let more = changed(|_, binding| {
        binding["subjects"].as_array_mut().unwrap().push(json!({"kind": "User", "name": "ann"}));
    });
    more.check("5.1.2", "fail");
    assert!(more.words()["5.1.2"].1.contains("User ann by ClusterRoleBinding readers"));
    changed(|role, _| role["rules"][0]["verbs"] = json!(["get", "list"])).check("5.1.2", "fail");
    changed(|role, _| {
        let rule = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["watch"]});
        role["rules"].as_array_mut().unwrap().push(rule);
    })
    .check("5.1.2", "fail");
    changed(|role, _| role["rules"][0]["resourceNames"] = json!([])).check("5.1.2", "pass");
    changed(|role, binding| {
        role["metadata"]["name"] = "other".into();
        binding["roleRef"]["name"] = "other".into();
    })
    .check("5.1.2", "fail");
    // Whoever is called as a part of Kubernetes is none for that.
    let mut case = Case::default();
    case.objects.extend(reader("User", "system:kube-controller-manager"));
    case.check("5.1.2", "fail");
    let mut case = Case::default();
    case.objects.push(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "wide"}, "rules": [{"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}]}));
    case.check("5.1.3", "fail");
}

/// Whoever adds a right to a role of Kubernetes' own leaves its name and its labels as they are.
#[test]
fn a_role_of_kubernetes_that_was_changed_is_its_own_no_more() {
    let check = |name: &str, resource: &str, id: &str| {
        let mut case = Case::default();
        case.check(id, "pass");
        let is_it = |it: &&mut Value| it["kind"] == "ClusterRole" && it["metadata"]["name"] == name;
        let role = case.objects.iter_mut().find(is_it).unwrap();
        let rule = json!({"apiGroups": [""], "resources": [resource], "verbs": ["get"]});
        role["rules"].as_array_mut().unwrap().push(rule);
        case.check(id, "fail");
    };
    check("system:controller:namespace-controller", "secrets", "5.1.2");
    check("system:kubelet-api-admin", "*", "5.1.3");
}

#[test]
fn who_may_have_the_token_of_one_account_is_that_account() {
    let [mut role, binding] = reader("ServiceAccount", "cart");
    role["rules"] = json!([{"apiGroups": [""], "resources": ["serviceaccounts/token"],
        "verbs": ["create"], "resourceNames": ["generic-garbage-collector"]}]);
    let mut case = Case::default();
    case.objects.extend([role, binding]);
    case.check("5.1.13", "fail");
}

fn waiver(control: &str, scope: Option<Scope>) -> Waiver {
    Waiver {
        control: control.to_owned(),
        scope,
        reason: "r".to_owned(),
        owner: "ann".to_owned(),
        expires: date(2027, 1, 1),
    }
}

#[test]
fn rows_are_waived_by_name_guideline_and_control_within_limits_and_never_beyond() {
    let check = |waiver: Waiver, expected: &str| {
        let mut case = Case { waivers: vec![waiver], ..Case::default() };
        case.objects.extend(reader("ServiceAccount", "cart"));
        case.check("5.1.2", expected);
    };
    check(waiver("cis-2.0.1/5.1.2", None), "waived");
    check(waiver("access/no-secret-reading", None), "waived");
    check(waiver("access/no-escalating-roles", None), "waived");
    check(waiver("cis-2.0.1/5.1.3", None), "fail");
    check(
        waiver(
            "cis-2.0.1/5.1.2",
            Some(Scope { nodes: vec!["cp1".to_owned()], ..Scope::default() }),
        ),
        "fail",
    );
    check(Waiver { expires: date(2026, 11, 26), ..waiver("cis-2.0.1/5.1.2", None) }, "fail");
    // A failure in another namespace is not covered.
    let pod = |namespace: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": namespace},
            "spec": {"hostPID": true, "serviceAccountName": "b", "containers": [{"name": "a", "image": "a"}]}})
    };
    let scope = || Some(Scope { namespaces: vec!["shop".to_owned()], ..Scope::default() });
    for (namespaces, expected) in [(vec!["shop"], "waived"), (vec!["shop", "bank"], "fail")] {
        let waivers = vec![waiver("workload/own-process-namespace", scope())];
        let mut case = Case { waivers, ..Case::default() };
        case.objects.extend(namespaces.into_iter().map(pod));
        case.check("5.2.3", expected);
    }
}

/// Who answers for what fails answers for nothing that could not be read beside it.
#[test]
fn what_cannot_be_read_beside_a_failure_is_not_waived() {
    let check = |id: &str, failing: &[Value], unread: Value| {
        let waivers = vec![waiver(&format!("cis-2.0.1/{id}"), None)];
        let mut case = Case { waivers, ..Case::default() };
        case.objects.extend(failing.iter().cloned());
        case.check(id, "waived");
        case.objects.push(unread);
        case.check(id, "unknown");
    };
    let no_role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "odd"}, "subjects": []});
    check("5.1.2", &reader("ServiceAccount", "cart"), no_role);
    let mut config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    let nowhere = config.clone();
    config["metadata"]["namespace"] = "default".into();
    check("5.6.4", &[config], nowhere);
}

#[test]
fn who_uses_the_api_otherwise_than_meant_is_seen_in_the_log() {
    let check = |user: &str, more: &Value, id: &str, expected: &str| {
        Case { callers: vec![caller(user, more)], ..Case::default() }.check(id, expected);
    };
    check("ann", &json!({}), "3.1.1", "fail");
    check("ann", &json!({"credential": "token"}), "3.1.1", "waived");
    // Who may be one more is covered by nobody.
    check("ann", &json!({"credential": "unsaid"}), "3.1.1", "fail");
    let account = "system:serviceaccount:kube-system:namespace-controller";
    check(account, &json!({"credential": "token", "agent": "kubectl"}), "3.1.2", "fail");
    check(account, &json!({"credential": "token", "pod": "p"}), "3.1.2", "pass");
    check("system:bootstrap:abcdef", &json!({"credential": "unsaid"}), "3.1.3", "fail");
    check("ann", &json!({"masters": true}), "5.1.7", "fail");
    check("system:apiserver", &json!({"masters": true}), "5.1.7", "fail");
}

/// Only parts of the cluster are no people: no other name of the system, and no name of an account on a certificate.
#[test]
fn a_name_of_the_system_makes_nobody_a_part_of_it() {
    for (user, expected) in [
        ("system:admin", "fail"),
        ("system:serviceaccount:shop:cart", "fail"),
        ("system:bootstrap:abcdef", "fail"),
        ("system:kube-scheduler", "waived"),
        ("system:node:w7", "waived"),
    ] {
        let callers = vec![caller(user, &json!({}))];
        Case { callers, ..Case::default() }.check("3.1.1", expected);
    }
}

#[test]
fn a_pod_that_never_used_its_token_is_named() {
    let mut case = Case::default();
    let mut idle = case.objects.last().unwrap().clone();
    idle["metadata"]["name"] = "coredns-2".into();
    case.objects.push(idle);
    case.check("5.1.6", "fail");
    // It may have used it before the log begins, or may do so yet.
    for since in ["2026-11-27T08:00:00Z", "2026-11-27T11:55:00Z"] {
        case.objects.last_mut().unwrap()["metadata"]["creationTimestamp"] = since.into();
        case.check("5.1.6", "unknown");
    }
}

#[test]
fn what_is_put_among_others_is_seen() {
    let config = |namespace: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": namespace}});
    let job = |namespace: &str| json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a", "namespace": namespace}, "spec": {"template": {"spec": {"containers": [{"name": "a", "image": "a"}]}}}});
    let check = |object: Value, id: &str, expected: &str| {
        let mut case = Case::default();
        case.objects.push(object);
        case.check(id, expected);
    };
    check(config("default"), "5.6.4", "fail");
    check(config("shop"), "5.6.4", "pass");
    check(job(SYSTEM), "5.6.1", "fail");
    check(job("shop"), "5.6.1", "pass");
}

/// A static pod that is none of the components is judged like any other.
#[test]
fn what_else_a_machine_runs_from_a_file_is_judged() {
    let check = |name: &str, namespace: &str, expected: [&str; 3]| {
        let mut case = Case::default();
        let mirror = |it: &&Value| it["metadata"]["name"] == "etcd-cp1";
        let mut pod = case.objects.iter().find(mirror).unwrap().clone();
        pod["metadata"]["name"] = name.into();
        pod["metadata"]["namespace"] = namespace.into();
        pod["spec"]["hostPID"] = true.into();
        case.objects.push(pod);
        for (id, expected) in ["5.2.3", "5.6.1", "5.6.4"].into_iter().zip(expected) {
            case.check(id, expected);
        }
    };
    check("kube-scheduler-cp1", SYSTEM, ["pass", "pass", "pass"]);
    check("helper-cp1", SYSTEM, ["fail", "fail", "pass"]);
    check("helper-cp1", "default", ["fail", "fail", "fail"]);
}

const ADMISSION: &str = "/etc/kubernetes/admission/config/admission.yaml";

/// Facts of a control plane whose `PodSecurity` is configured otherwise.
pub(crate) fn configured(change: impl Fn(&mut Value)) -> Facts {
    let mut facts = Facts::of_blueprint();
    facts.0["audit"] = json!({"known": audit(&[])});
    let text = &facts.0["components"]["kube-apiserver"]["texts"][ADMISSION]["known"];
    let mut document: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
    let plugins = document["plugins"].as_array_mut().unwrap();
    change(
        &mut plugins.iter_mut().find(|it| it["name"] == "PodSecurity").unwrap()["configuration"],
    );
    facts.text("kube-apiserver", ADMISSION, &document);
    facts
}

/// Every namespace carries the label `restricted`.
pub(crate) fn labelled() -> Vec<Value> {
    let mut documents = objects();
    for object in documents.iter_mut().filter(|it| it["kind"] == "Namespace") {
        object["metadata"]["labels"] = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    }
    documents
}

/// What a server exempts it lets in, whatever labels say; and what its plugin does not refuse a policy may.
#[test]
fn who_and_what_is_exempt_comes_in_past_every_label() {
    let check = |facts: &Facts, id: &str, expected: Verdict, said: &str| {
        let tally = tally(&labelled(), Vec::new());
        let judged = &facts.judged_with(Some(&tally), Some(&intent()))[id];
        assert_eq!(Verdict::from(judged), expected, "{id}: {judged:?}");
        assert!(format!("{judged:?}").contains(said), "{id}: {judged:?}");
    };
    check(&configured(|_| ()), "5.2.3", Verdict::Proved, "Pod Security (restricted)");
    let exempt = |what: &'static str, who: &'static str| {
        configured(move |it| it["exemptions"][what] = json!([who]))
    };
    let namespace = exempt("namespaces", "default");
    for id in ["5.2.3", "5.2.4", "5.2.5", "5.2.6", "5.2.9", "5.2.12"] {
        check(&namespace, id, Verdict::Failed, "default (the server's admission configuration");
    }
    // Nobody makes a pod there at all, so that nothing is learnt of the fault.
    let closed = exempt("namespaces", "kube-public");
    check(&closed, "5.2.3", Verdict::Unknown, "system-namespaces.ringfort.dev");
    check(&exempt("runtimeClasses", "fast"), "5.2.3", Verdict::Failed, "the runtime class fast");
    check(&exempt("usernames", "ann"), "5.2.3", Verdict::Failed, "the user ann");
    // Of a machine's own pods its kubelet tells.
    check(&exempt("usernames", "system:node:cp1"), "5.2.3", Verdict::Proved, "");
    let mut off = configured(|_| ());
    off.drop_words("kube-apiserver", "--enable-admission-plugins");
    off.add_words("kube-apiserver", &["--disable-admission-plugins=PodSecurity"]);
    check(&off, "5.2.3", Verdict::Failed, "PodSecurity does not run");
    check(&off, "5.2.7", Verdict::Proved, "ValidatingAdmissionPolicy non-root-pods.ringfort.dev");
    off.add_words(
        "kube-apiserver",
        &["--disable-admission-plugins=PodSecurity,ValidatingAdmissionPolicy"],
    );
    check(&off, "5.2.7", Verdict::Failed, "PodSecurity does not run");
}
