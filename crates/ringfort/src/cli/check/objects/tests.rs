//! Objects of a cluster become files that say what is judged and hold no secret; what was not listed is unknown.

use clap::Parser;
use ringfort_check::kinds::{POLICIES, of_clusters};
use ringfort_check::report::{Report, Verdict};
use ringfort_model::judgement::Gap;
use serde_json::{Value, json};

use super::super::tree::Tree;
use super::super::{CheckArgs, manifests};
use super::{Read, maker, name, written};

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
    let mut read = Read { objects: Vec::new(), unlisted };
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
    let kinds = of_clusters().filter_map(|(versions, kind)| Some((*versions.first()?, kind)));
    let mut names: Vec<_> =
        kinds.chain(POLICIES).map(|(version, kind)| named(version, kind)).collect();
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
fn what_a_controller_made_is_left_out_where_its_maker_is_judged() {
    let owned = |version: &str, kind: &str| {
        let owner = json!({"apiVersion": version, "kind": kind, "name": "o", "controller": true});
        let mut pod = pod();
        pod["metadata"]["ownerReferences"] = json!([owner]);
        pod
    };
    assert_eq!(maker(&pod()), None);
    assert_eq!(maker(&owned("apps/v1", "ReplicaSet")), Some("ReplicaSet"));
    assert_eq!(maker(&owned("v1", "ReplicationController")), Some("ReplicationController"));
    assert_eq!(maker(&owned("v1", "Node")), None);
    assert_eq!(maker(&owned("apps.kruise.io/v1beta1", "StatefulSet")), None);
    let objects = |unlisted: &[&'static str]| {
        judged(vec![owned("apps/v1", "ReplicaSet")], unlisted).0.objects
    };
    assert_eq!((objects(&[]), objects(&["ReplicaSet"])), (0, 1));
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
