//! Which pods nothing isolates: by policies with all that selectors can say, and by what a cluster says of itself.

use ringfort_check::guidelines::find;
use ringfort_check::judge::judge;
use ringfort_check::judgement::Judgement;
use ringfort_check::world::{Objects, Origin, World};
use ringfort_model::judgement::Gap;
use serde_json::{Value, json};

/// Says in a word what comes of the pod, which is the first object.
fn isolated(objects: &[Value]) -> String {
    of(Objects::new(World::Closed, None).with_notice(), objects)
}

fn of<'a>(mut all: Objects<'a>, objects: &'a [Value]) -> String {
    for (document, object) in objects.iter().enumerate() {
        all.add(Origin { file: 0, document }, object);
    }
    let asked = [find("network/pods-are-isolated").unwrap()];
    let (_, judgement) = judge(&all, 0, &asked).judgements.remove(0);
    match judgement {
        Judgement::Pass(_) => "pass".to_owned(),
        Judgement::Fail(findings) => format!("fails {}", findings.len()),
        Judgement::NotApplicable(why) => why.to_owned(),
        Judgement::Unknown(missing) => missing[0].gap.said.clone(),
    }
}

fn pod(more: &Value) -> Value {
    let mut spec = json!({"containers": [{"name": "c", "image": "c:1"}]});
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    let metadata =
        json!({"name": "web", "namespace": "shop", "labels": {"app": "web", "tier": "front"}});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

fn policy(spec: &Value) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": "shop"}, "spec": spec})
}

fn notice(more: &Value) -> Value {
    let mut data = json!({"closed": "true", "closedBy": "ringfort on every machine, without any object",
        "openNamespaces": "", "openNamespaceLabels": ""});
    for (key, value) in more.as_object().into_iter().flatten() {
        data[key] = value.clone();
    }
    let metadata = json!({"name": "network-default", "namespace": "kube-public"});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
}

/// The right of the enforcers, as it is given to somebody.
fn right(user: &str) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "ringfort:network-policy"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "ringfort:network-policy"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]})
}

/// The same where enforcers have their right.
fn enforced(objects: &[Value]) -> String {
    isolated(&[objects, &[right("ringfort:network-policy")]].concat())
}

fn namespace(labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}})
}

#[test]
fn every_operator_selects_as_it_does_for_the_enforcer() {
    let by = |key: &str, operator: &str, values: &[&str]| match values {
        [] => json!({"matchExpressions": [{"key": key, "operator": operator}]}),
        values => {
            json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]})
        }
    };
    let both = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
        {"key": "tier", "operator": "In", "values": ["back"]},
    ]});
    for (selector, expected) in [
        (json!({}), "pass"),
        (json!({"matchLabels": {"app": "web", "tier": "front"}}), "pass"),
        (json!({"matchLabels": {"app": "web", "tier": "back"}}), "fails 2"),
        (by("app", "In", &["db", "web"]), "pass"),
        (by("app", "In", &["db"]), "fails 2"),
        (by("app", "NotIn", &["db"]), "pass"),
        (by("app", "NotIn", &["web"]), "fails 2"),
        (by("other", "NotIn", &["web"]), "pass"),
        (by("app", "Exists", &[]), "pass"),
        (by("other", "Exists", &[]), "fails 2"),
        (by("other", "DoesNotExist", &[]), "pass"),
        (by("app", "DoesNotExist", &[]), "fails 2"),
        (both, "fails 2"),
    ] {
        let spec = json!({"podSelector": selector, "policyTypes": ["Ingress", "Egress"]});
        assert_eq!(isolated(&[pod(&json!({})), policy(&spec)]), expected, "{spec}");
    }
}

#[test]
fn each_way_counts_by_itself_as_policy_types_say_or_leave_unsaid() {
    let rule = json!([{}]);
    for (rest, expected) in [
        (json!({}), "fails 1"),
        (json!({"ingress": rule}), "fails 1"),
        (json!({"egress": rule}), "pass"),
        (json!({"egress": rule, "policyTypes": ["Egress"]}), "fails 1"),
        (json!({"ingress": rule, "egress": rule, "policyTypes": ["Ingress"]}), "fails 1"),
        (json!({"policyTypes": ["Ingress", "Egress"]}), "pass"),
    ] {
        let mut spec = rest.clone();
        spec["podSelector"] = json!({});
        assert_eq!(isolated(&[pod(&json!({})), policy(&spec)]), expected, "{rest}");
    }
}

#[test]
fn nothing_is_asked_of_a_pod_on_its_node_s_network() {
    let said = "on its node's network no policy reaches it";
    let host = pod(&json!({"hostNetwork": true}));
    assert_eq!(isolated(std::slice::from_ref(&host)), said);
    assert_eq!(enforced(&[host, notice(&json!({}))]), said);
}

#[test]
fn a_cluster_that_closes_by_itself_needs_no_policy_but_where_it_is_open() {
    let pod = || pod(&json!({}));
    assert_eq!(isolated(&[pod()]), "fails 2", "another cluster");
    assert_eq!(enforced(&[pod()]), "fails 2", "it says nothing");
    assert_eq!(enforced(&[pod(), notice(&json!({}))]), "pass");
    for (more, expected) in [
        (json!({"closed": "false"}), "fails 2"),
        (json!({"closed": "perhaps"}), "fails 2"),
        (json!({"closed": "{{ .Values.closed }}"}), "fails 2"),
        (json!({"openNamespaces": "den, shop"}), "fails 2"),
        (json!({"openNamespaces": "den"}), "pass"),
        (
            json!({"closedBy": "the add-on that brings the network, by a policy for all pods of its own kind"}),
            "fails 2",
        ),
        (json!({"closedBy": ""}), "fails 2"),
    ] {
        assert_eq!(enforced(&[pod(), notice(&more)]), expected, "{more}");
    }
    let by_label = notice(&json!({"openNamespaceLabels": "agents"}));
    let with = |labels: Value| enforced(&[pod(), by_label.clone(), namespace(&labels)]);
    assert_eq!(with(json!({"agents": "yes"})), "fails 2");
    assert_eq!(with(json!({"team": "shop"})), "pass");
    assert_eq!(with(json!(null)), "pass");
    let unknown = "whether a label opens the namespace shop is not known";
    assert_eq!(enforced(&[pod(), by_label.clone()]), unknown);
    assert_eq!(with(json!({"{{ x }}": "yes"})), unknown);
    let spec = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    assert_eq!(enforced(&[pod(), by_label, policy(&spec)]), "pass", "a policy needs no label");
}

#[test]
fn what_a_cluster_says_counts_only_where_that_is_wanted_and_it_says_one_thing() {
    let right = right("ringfort:network-policy");
    let objects = [pod(&json!({})), notice(&json!({})), right];
    assert_eq!(of(Objects::new(World::Closed, None), &objects), "fails 2", "machines are asked");
    for other in [
        json!({"openNamespaces": "den"}),
        json!({"closed": "perhaps"}),
        json!({"closed": "{{ .Values.closed }}"}),
        json!({"closedBy": "the add-on that brings the network, by a policy for all pods of its own kind"}),
    ] {
        let both = [&objects[..], &[notice(&other)]].concat();
        assert_eq!(isolated(&both), "fails 2", "{other}");
    }
    assert_eq!(isolated(&[&objects[..], &[notice(&json!({}))]].concat()), "pass", "twice the same");
}

#[test]
fn a_notice_without_those_who_enforce_it_closes_nothing_and_a_pass_names_the_notice() {
    let objects = [pod(&json!({})), notice(&json!({}))];
    assert_eq!(isolated(&objects), "fails 2", "whoever may write a ConfigMap may write this one");
    let others = [&objects[..], &[right("ann")]].concat();
    assert_eq!(isolated(&others), "fails 2", "somebody else has the right");
    let objects = [&objects[..], &[right("ringfort:network-policy")]].concat();
    let mut all = Objects::new(World::Closed, None).with_notice();
    for (document, object) in objects.iter().enumerate() {
        all.add(Origin { file: 0, document }, object);
    }
    let asked = [find("network/pods-are-isolated").unwrap()];
    let (_, judgement) = judge(&all, 0, &asked).judgements.remove(0);
    let Judgement::Pass(rests) = judgement else { panic!("it does not pass") };
    let rests: Vec<_> = rests.spots().iter().map(|it| (it.object, it.pointer.as_str())).collect();
    assert_eq!(rests, [(0, "/metadata/namespace"), (1, "/data")]);
}

#[test]
fn what_was_not_listed_is_unknown_only_where_it_would_decide() {
    let gap = |kind: &str| Gap { said: format!("no {kind}"), closes: "the right".to_owned() };
    let without = |kind: &'static str, objects: &[Value]| {
        let mut all = Objects::new(World::Closed, None).with_notice();
        all.add_unlisted(kind, gap(kind));
        of(all, objects)
    };
    let (pod, notice, right) =
        (pod(&json!({})), notice(&json!({})), right("ringfort:network-policy"));
    assert_eq!(without("ConfigMap", &[pod.clone(), right]), "no ConfigMap");
    assert_eq!(without("ConfigMap", std::slice::from_ref(&pod)), "fails 2", "no enforcer is there");
    assert_eq!(without("ClusterRoleBinding", &[pod.clone(), notice]), "no ClusterRoleBinding");
    assert_eq!(without("ClusterRoleBinding", &[pod]), "fails 2", "nothing says that it is closed");
}
