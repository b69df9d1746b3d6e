//! Objects of a cluster become files that say what is judged and hold no secret; what was not listed is unknown.

use clap::Parser;
use ringfort_check::kinds::{POLICIES, of_clusters};
use ringfort_check::report::{Report, Verdict, Why};
use ringfort_model::judgement::Gap;
use ringfort_model::network_policy::OWN;
use serde_json::{Value, json};

use super::super::tree::Tree;
use super::super::{CheckArgs, manifests};
use super::{Leaving, Read, name, written};

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

/// When objects are judged.
const NOW: &str = "2026-01-01T00:00:10Z";

/// Judges objects of a cluster that did not list these kinds.
fn judged(objects: Vec<Value>, unlisted: &[&'static str]) -> (Report, Tree) {
    let gap = || Gap { said: "it was refused".to_owned(), closes: "the right".to_owned() };
    let unlisted = unlisted.iter().map(|kind| (*kind, gap())).collect();
    let leaving = Leaving::new(NOW.parse().unwrap());
    let mut read = Read { unlisted, leaving, ..Read::default() };
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
fn a_cluster_that_closes_namespaces_by_itself_says_so() {
    let enforcer = "ringfort:network-policy";
    let given = json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": enforcer});
    let subjects = json!([{"apiGroup": RBAC, "kind": "User", "name": enforcer}]);
    let said = json!({"roleRef": given, "subjects": subjects});
    let right = of_cluster("ClusterRoleBinding", enforcer, &said);
    let notice = |closed: &str| {
        let meta = json!({"name": "network-default", "namespace": "kube-public"});
        let mut map = object("v1", "ConfigMap", &meta, &json!({}));
        map["data"] = json!({"closed": closed, "closedBy": OWN, "openNamespaces": ""});
        map
    };
    let (closed, open) = (notice("true"), notice("false"));
    assert_eq!(isolated(vec![closed.clone(), right.clone()], &[]), (Verdict::Pass, Vec::new()));
    assert_eq!(isolated(vec![open, right.clone()], &[]), (Verdict::Fail, Vec::new()));
    assert_eq!(isolated(vec![closed.clone()], &[]), (Verdict::Fail, Vec::new()), "nobody enforces");

    // Whoever writes manifests can write all of it.
    let files = tempfile::tempdir().unwrap();
    for (number, object) in [pod(), closed, right].iter().enumerate() {
        let file = files.path().join(format!("{number}.yaml"));
        std::fs::write(file, object.to_string()).unwrap();
    }
    let mut tree = Tree::read(&[files.path().to_owned()]).unwrap();
    let report = manifests::judge(&line(&[]).unwrap().check.manifests, &mut tree, None).unwrap();
    let row = report.row("network/pods-are-isolated").unwrap();
    assert_eq!(row.verdict, Verdict::Fail);
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

const RBAC: &str = "rbac.authorization.k8s.io";

/// A role or a binding of the whole cluster.
fn of_cluster(kind: &str, name: &str, said: &Value) -> Value {
    let mut object =
        json!({"apiVersion": format!("{RBAC}/v1"), "kind": kind, "metadata": {"name": name}});
    object.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    object
}

/// Every right there is.
fn everything() -> Value {
    json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}])
}

/// Counts what was left out because it is Kubernetes' own.
fn of_kubernetes(report: &Report) -> usize {
    let own = report.left_out.iter().filter(|it| matches!(it.why, Why::Own(_)));
    own.map(|it| it.objects).sum()
}

#[test]
fn what_servers_make_at_their_start_is_left_out_and_counted_unless_it_was_changed() {
    let role = of_cluster("ClusterRole", "cluster-admin", &json!({"rules": everything()}));
    let masters = json!({"apiGroup": RBAC, "kind": "Group", "name": "system:masters"});
    let ann = json!({"apiGroup": RBAC, "kind": "User", "name": "ann"});
    let given = json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"});
    let binding = |subjects: &[&Value]| {
        let said = json!({"roleRef": given, "subjects": subjects});
        of_cluster("ClusterRoleBinding", "cluster-admin", &said)
    };
    let (report, _) = judged(vec![role.clone(), binding(&[&masters])], &[]);
    assert_eq!((report.objects, of_kubernetes(&report), report.findings.len()), (0, 2, 0));
    assert!(report.in_a_line().contains("objects 0 (2 more are left out)"));

    let (report, _) = judged(vec![role, binding(&[&masters, &ann])], &[]);
    assert_eq!((report.objects, of_kubernetes(&report)), (1, 1));
    let control = "access/no-cluster-admin-binding";
    let found = report.findings.iter().find(|it| it.control == control).unwrap();
    assert!(found.fix.ends_with("it adds \"to User ann\""), "{}", found.fix);

    let other = of_cluster("ClusterRole", "everything", &json!({"rules": everything()}));
    let (report, _) = judged(vec![other], &[]);
    let said: Vec<_> = report.findings.iter().map(|it| &*it.fix).collect();
    assert!(of_kubernetes(&report) == 0 && !said.is_empty(), "{said:?}");
    assert!(!said.iter().any(|it| it.contains("Kubernetes")), "{said:?}");
}

#[test]
fn what_is_not_known_of_a_changed_object_says_how_it_was_changed() {
    let role = of_cluster("ClusterRole", "cluster-admin", &json!({"rules": {}}));
    let (report, _) = judged(vec![role], &[]);
    let how = "; this says what Kubernetes' own never does, in rules";
    assert!(!report.unknown.is_empty());
    assert!(report.unknown.iter().all(|it| it.said.ends_with(how)), "{:?}", report.unknown);
}

#[test]
fn what_else_kubernetes_makes_is_left_out_by_reason_unless_something_uses_it() {
    let made = |kind: &str, name: &str| {
        let metadata = json!({"name": name, "namespace": "kube-system"});
        json!({"apiVersion": "v1", "kind": kind, "metadata": metadata})
    };
    let mut tracking = made("ConfigMap", "kube-apiserver-legacy-service-account-token-tracking");
    tracking["data"] = json!({"since": "2026-01-31"});
    let own = vec![made("ServiceAccount", "job-controller"), tracking];
    let (report, _) = judged(own.clone(), &[]);
    assert_eq!((report.objects, of_kubernetes(&report), report.findings.len()), (0, 2, 0));
    assert_eq!(report.left_out.iter().map(|it| it.objects).collect::<Vec<_>>(), [1, 1]);

    let mut cuckoo = pod();
    cuckoo["metadata"]["namespace"] = json!("kube-system");
    cuckoo["spec"]["serviceAccountName"] = json!("job-controller");
    let (report, _) = judged([own.clone(), vec![cuckoo]].concat(), &[]);
    assert_eq!((report.objects, of_kubernetes(&report)), (2, 1));
    let row = |report: &Report, control: &str| report.row(control).unwrap().verdict;
    assert_eq!(row(&report, "access/no-controller-accounts"), Verdict::Fail);
    assert_eq!(row(&report, "access/accounts-mount-no-token"), Verdict::Fail);
    let of_account =
        report.findings.iter().find(|it| it.control == "access/accounts-mount-no-token");
    assert!(of_account.unwrap().fix.ends_with("something else runs as it"));

    // Where pods were not listed, nobody knows whether one uses it.
    assert_eq!(of_kubernetes(&judged(own, &["Pod"]).0), 1);
}

#[test]
fn what_is_being_deleted_is_counted_and_not_judged_unless_it_is_kept() {
    let at = json!("2026-01-01T00:00:00Z");
    let mut namespace = object("v1", "Namespace", &json!({"name": "shop"}), &json!({}));
    namespace["metadata"]["deletionTimestamp"] = at;
    let meta = json!({"name": "web", "namespace": "shop", "uid": "u"});
    let template = json!({"template": {"metadata": {"labels": {}}, "spec": pod()["spec"]}});
    let mut set = object("apps/v1", "ReplicaSet", &meta, &template);
    let mut made = pod();
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u"});
    made["metadata"]["ownerReferences"] = json!([owner]);
    made["metadata"]["ownerReferences"][0]["controller"] = json!(true);
    let (report, _) = judged(vec![namespace.clone(), set.clone(), made.clone()], &[]);
    assert_eq!((report.objects, of_kubernetes(&report), report.findings.len()), (0, 0, 0));
    assert_eq!(report.left_out.iter().map(|it| it.objects).collect::<Vec<_>>(), [3]);

    // Its maker leaves, and tells nothing of it any more.
    made["metadata"]["finalizers"] = json!(["example.com/kept"]);
    assert_eq!(judged(vec![namespace, set.clone(), made], &[]).0.objects, 1);

    // It should have been gone for a day.
    set["metadata"]["deletionTimestamp"] = json!("2025-12-31T00:00:00Z");
    assert_eq!(judged(vec![set], &[]).0.objects, 1);
}

/// Whoever adds a right to a role of Kubernetes' own leaves the binding to everybody as it is.
#[test]
fn what_a_changed_role_gives_everybody_is_found_by_its_binding() {
    let everybody = json!({"apiGroup": RBAC, "kind": "Group", "name": "system:authenticated"});
    let given = json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": "system:basic-user"});
    let said = json!({"roleRef": given, "subjects": [everybody]});
    let binding = of_cluster("ClusterRoleBinding", "system:basic-user", &said);
    let review = |group: &str, resources: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": ["create"]});
    let own = [
        review("authentication.k8s.io", &["selfsubjectreviews"]),
        review("authorization.k8s.io", &["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
    ];
    let found = |more: &[Value]| {
        let rules = [own.as_slice(), more].concat();
        let role = of_cluster("ClusterRole", "system:basic-user", &json!({"rules": rules}));
        let (report, _) = judged(vec![role, binding.clone()], &[]);
        let control = "access/everyone-cannot-take-over";
        (of_kubernetes(&report), report.findings.iter().filter(|it| it.control == control).count())
    };
    assert_eq!(found(&[]), (2, 0));
    let secrets = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]});
    assert_eq!(found(&[secrets]), (0, 1));
}

#[test]
fn a_role_that_gathers_what_was_left_out_is_judged_by_what_it_holds() {
    let all = json!({"clusterRoleSelectors": [{"matchLabels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}]});
    let row = |rules: &Value| {
        let said = json!({"aggregationRule": all, "rules": rules});
        let (report, _) = judged(vec![of_cluster("ClusterRole", "all", &said)], &[]);
        report.row("access/no-secret-reading").unwrap().verdict
    };
    assert_eq!(row(&everything()), Verdict::Fail);
    assert_eq!(row(&json!([])), Verdict::NotApplicable);
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
