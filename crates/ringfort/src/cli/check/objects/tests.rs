//! Objects of a cluster become files that say what is judged and hold no secret; what was not listed is unknown.

use clap::Parser;
use ringfort_check::kinds::{POLICIES, of_clusters};
use ringfort_check::report::{Report, Verdict};
use ringfort_model::judgement::Gap;
use serde_json::{Value, json};

use super::super::tree::Tree;
use super::super::{CheckArgs, manifests};
use super::{Read, name, written};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    check: CheckArgs,
}

fn line(more: &[&str]) -> Result<Line, clap::Error> {
    let words = ["check", "--kubeconfig", "admin.conf", "--objects"];
    Line::try_parse_from(words.iter().chain(more))
}

fn object(version: &str, kind: &str, metadata: &Value, spec: &Value) -> Value {
    json!({"metadata": metadata, "spec": spec, "status": {}, "apiVersion": version, "kind": kind})
}

fn pod() -> Value {
    let spec = json!({"containers": [{"name": "web", "image": "web:1"}]});
    object("v1", "Pod", &json!({"name": "web", "namespace": "shop"}), &spec)
}

/// Judges objects of a cluster that did not list these kinds.
fn judged(objects: Vec<Value>, unlisted: &[&'static str]) -> (Report, Tree) {
    let gap = || Gap { said: "it was refused".to_owned(), closes: "the right".to_owned() };
    let unlisted = unlisted.iter().map(|kind| (*kind, gap())).collect();
    let mut read = Read { unlisted, ..Read::default() };
    objects.into_iter().for_each(|it| read.add(it));
    let mut tree = read.tree();
    let report = manifests::judge(&line(&[]).unwrap().check.manifests, &mut tree, None).unwrap();
    (report, tree)
}

#[test]
fn an_object_is_called_by_its_path_and_no_two_by_one() {
    let meta = json!({"name": "web", "namespace": "shop"});
    let named = |version: &str, kind: &str| name(&object(version, kind, &meta, &Value::Null));
    assert_eq!(named("apps/v1", "Deployment"), "shop/Deployment/web");
    assert_eq!(named("networking.k8s.io/v1", "NetworkPolicy"), "shop/NetworkPolicy/web");
    let role = object("rbac.authorization.k8s.io/v1", "ClusterRole", &json!({"name": "x"}), &meta);
    assert_eq!(name(&role), "ClusterRole/x");
    let kinds = of_clusters().chain(POLICIES);
    let mut names: Vec<_> =
        kinds.filter_map(|(versions, kind)| Some(named(versions.first()?, kind))).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
}

#[test]
fn a_file_says_what_it_is_first_and_nothing_of_what_a_secret_holds() {
    let copy = json!({"kubectl.kubernetes.io/last-applied-configuration": "hunter2", "a": "b"});
    let metadata = json!({"name": "x", "uid": "u", "managedFields": [], "annotations": copy});
    let whole = object("v1", "Service", &metadata, &json!({"type": "ClusterIP"}));
    let expected = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "x", "annotations": {"a": "b"}}, "spec": {"type": "ClusterIP"}});
    assert_eq!(written(whole).to_string(), expected.to_string());

    let mut secret = object("v1", "Secret", &metadata, &Value::Null);
    secret["data"] = json!({"password": "aHVudGVyMg=="});
    secret["stringData"] = json!({"password": "hunter2"});
    let expected = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}});
    assert_eq!(written(secret).to_string(), expected.to_string());

    let mut node = object("v1", "Node", &json!({"name": "n"}), &Value::Null);
    node["status"] = json!({"nodeInfo": {"kubeletVersion": "v1.36.2", "machineID": "m"}});
    assert_eq!(written(node)["status"], json!({"nodeInfo": {"kubeletVersion": "v1.36.2"}}));
}

#[test]
fn what_a_controller_made_is_left_out_where_its_maker_was_listed_and_says_the_same() {
    let spec = pod()["spec"].clone();
    let labels = json!({"labels": {"app": "web"}});
    let template = json!({"template": {"metadata": labels, "spec": spec}});
    let meta = json!({"name": "web", "namespace": "shop", "uid": "u"});
    let set = object("apps/v1", "ReplicaSet", &meta, &template);
    let mut made = pod();
    made["metadata"]["labels"] = json!({"app": "web", "pod-template-hash": "5d"});
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u"});
    made["metadata"]["ownerReferences"] = json!([owner]);
    made["metadata"]["ownerReferences"][0]["controller"] = json!(true);
    let objects = |all: Vec<Value>| judged(all, &[]).0.objects;
    assert_eq!(objects(vec![set.clone(), made.clone()]), 1);
    assert_eq!(objects(vec![made.clone()]), 1);
    made["spec"]["hostPID"] = json!(true);
    assert_eq!(objects(vec![set, made]), 2);
}

#[test]
fn a_pod_that_stands_for_a_program_of_a_control_plane_is_judged_on_its_machine() {
    let stands = |name: &str| {
        let mut pod = pod();
        pod["metadata"] = json!({"name": name, "namespace": "kube-system",
            "annotations": {"kubernetes.io/config.mirror": "a"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "cp1", "controller": true}]});
        judged(vec![pod], &[]).0.objects
    };
    assert_eq!(stands("etcd-cp1"), 0);
    assert_eq!(stands("helper-cp1"), 1);
}

#[test]
fn pods_of_one_controller_do_not_share_its_account() {
    let shared = |names: &[(&str, &str)], unlisted: &[&'static str]| {
        let made = names.iter().enumerate().map(|(number, (kind, owner))| {
            let mut pod = pod();
            pod["metadata"]["name"] = json!(format!("web-{number}"));
            pod["spec"]["serviceAccountName"] = json!("web");
            if !owner.is_empty() {
                pod["metadata"]["ownerReferences"] =
                    json!([{"apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": owner, "controller": true}]);
            }
            pod
        });
        let (report, _) = judged(made.collect(), unlisted);
        report.row("workload/account-not-shared").unwrap().verdict
    };
    assert_eq!(shared(&[("ReplicaSet", "a"), ("ReplicaSet", "a")], &[]), Verdict::Pass);
    assert_eq!(shared(&[("ReplicaSet", "a"), ("ReplicaSet", "b")], &[]), Verdict::Unknown);
    let refused = ["ReplicaSet"];
    assert_eq!(shared(&[("", ""), ("ReplicaSet", "a")], &refused), Verdict::Unknown);
    assert_eq!(shared(&[("", ""), ("", "")], &refused), Verdict::Fail);
}

#[test]
fn what_a_server_holds_is_no_template() {
    let row = |spec: &Value, control: &str| {
        let mut pod = pod();
        pod["spec"]["containers"][0] = spec.clone();
        judged(vec![pod], &[]).0.row(control).unwrap().verdict
    };
    let args = json!({"name": "web", "image": "web:1", "args": ["--ip=${POD_IP}"]});
    assert_eq!(row(&args, "workload/no-sudo"), Verdict::Pass);
    let env = json!({"name": "web", "image": "web:1", "env": [{"name": "DB_PASSWORD", "value": "p${x}q"}]});
    assert_eq!(row(&env, "data/no-secrets-in-environment"), Verdict::Fail);
}

/// Says what a pod's isolation comes to beside something else.
fn isolated(beside: Vec<Value>, unlisted: &[&'static str]) -> (Verdict, Vec<String>) {
    let (report, _) = judged([vec![pod()], beside].concat(), unlisted);
    (report.row("network/pods-are-isolated").unwrap().verdict, report.unread)
}

#[test]
fn what_a_cluster_has_not_is_not_there_and_what_it_did_not_list_is_unknown() {
    assert_eq!(isolated(Vec::new(), &[]), (Verdict::Fail, Vec::new()));
    let said = vec!["it was refused: it needs the right".to_owned()];
    assert_eq!(isolated(Vec::new(), &["NetworkPolicy"]), (Verdict::Unknown, said));

    let meta = json!({"name": "p", "namespace": "shop"});
    let all = json!({"endpointSelector": {}, "ingress": [{}], "egress": [{}]});
    let cilium = object("cilium.io/v2", "CiliumNetworkPolicy", &meta, &all);
    assert_eq!(isolated(vec![cilium], &[]), (Verdict::Pass, Vec::new()));
    let calico = object("projectcalico.org/v3", "NetworkPolicy", &meta, &json!({}));
    assert_eq!(isolated(vec![calico], &[]), (Verdict::Unknown, Vec::new()));
}

#[test]
fn findings_stand_in_objects_and_no_excerpt_shows_what_a_config_map_holds() {
    let mut map = object("v1", "ConfigMap", &json!({"name": "c", "namespace": "shop"}), &json!({}));
    map["data"] = json!({"password": "hunter2", "port": "80"});
    let (report, mut tree) = judged(vec![map], &[]);
    let control = "data/no-secrets-in-config-maps";
    let found = report.findings.iter().find(|it| it.control == control).unwrap();
    assert_eq!(found.place.file(), Some("shop/ConfigMap/c"));
    assert_eq!(found.place.whose(), "ConfigMap shop/c");
    let before = tree.files[0].text.clone();
    tree.cover(&report);
    assert_eq!(tree.files[0].text, before.replace("\"hunter2\"", "*********"));
}

#[test]
fn what_says_nothing_of_a_cluster_is_refused() {
    let is_taken = |more: &[&str]| {
        line(more).is_ok_and(|it| it.check.manifests.refuse_what_is_of_files().is_ok())
    };
    assert!(is_taken(&["--format", "sarif", "--severity", "high", "--passed", "--spec", "a.yaml"]));
    for more in [
        &["--world", "open"][..],
        &["--namespace", "shop"],
        &["deploy"],
        &["--try-pods"],
        &["--cluster", "cluster.yaml"],
        &["--kubernetes", "1.36"],
    ] {
        assert!(!is_taken(more), "{more:?}");
    }
}
