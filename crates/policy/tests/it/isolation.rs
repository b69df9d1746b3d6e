//! Which pods are cut where more is closed than before: the same reading of policies as everywhere.

use ringfort_model::network_policy::Defaults;
use ringfort_policy::{
    Cut, Direction, PolicyName, WiderKind, World, cut, labels, place, pod, policy, wider, with_name,
};
use serde_json::{Value, json};

/// Pods of two namespaces, one of which has a label that opens it.
fn world(defaults: Defaults, pods: &[Value], policies: &[Value]) -> World {
    let mut world = World::new(defaults);
    for (name, label) in [("a", "plain"), ("b", "opened")] {
        let object = json!({"metadata": {"name": name, "labels": {label: "yes"}}});
        world.namespaces.insert(name.to_owned(), with_name(labels(&object), name));
    }
    world.pods = pods.iter().map(|it| (place(it).unwrap(), pod(it))).collect();
    for object in policies {
        world.policies.insert(place(object).unwrap(), policy(object).unwrap());
    }
    world
}

fn closed() -> Defaults {
    Defaults { closed: true, open_labels: ["opened".to_owned()].into(), ..Defaults::default() }
}

fn of(namespace: &str, name: &str, spec: &Value, status: &Value) -> Value {
    let metadata = json!({"namespace": namespace, "name": name, "labels": {"app": name}});
    json!({"metadata": metadata, "spec": spec, "status": status})
}

fn running(namespace: &str, name: &str) -> Value {
    of(namespace, name, &json!({"nodeName": "n1"}), &json!({"podIP": "10.1.1.5"}))
}

fn written(name: &str, spec: &Value) -> Value {
    json!({"metadata": {"namespace": "a", "name": name}, "spec": spec})
}

/// Gives each pod that is cut, with the ways.
fn told(cuts: &[Cut]) -> Vec<(String, Vec<Direction>)> {
    let ways = |it: &Cut| it.ways.iter().map(|(direction, _)| *direction).collect();
    cuts.iter().map(|it| (it.pod.to_string(), ways(it))).collect()
}

fn both(pod: &str) -> (String, Vec<Direction>) {
    (pod.to_owned(), Direction::BOTH.to_vec())
}

#[test]
fn pods_that_no_policy_opens_are_cut_where_nothing_was_enforced() {
    let host = of("a", "host", &json!({"nodeName": "n1", "hostNetwork": true}), &json!({}));
    let ended = of("a", "ended", &json!({"nodeName": "n1"}), &json!({"phase": "Succeeded"}));
    let pods = [running("a", "web"), running("b", "web"), host, ended];
    let after = world(closed(), &pods, &[]);
    assert_eq!(
        told(&cut(None, &after)),
        [both("a/web")],
        "b is open, and the others are no subjects"
    );
    assert_eq!(cut(None, &after)[0].ways[0].1, [PolicyName::Default]);
    assert!(cut(Some(&after), &after).is_empty(), "nothing changed");
    let before = after.clone().under(Defaults::default());
    assert_eq!(told(&cut(Some(&before), &after)), [both("a/web")], "the waiver for all ended");
    let later = after.clone().under(Defaults { closed: true, ..Defaults::default() });
    assert_eq!(told(&cut(Some(&after), &later)), [both("b/web")], "the waiver for a label ended");
}

#[test]
fn each_way_is_judged_by_itself_and_by_every_operator() {
    let pods = [running("a", "web"), running("a", "db")];
    let ways = |selector: Value, rest: Value| {
        let mut spec = json!({"podSelector": selector});
        for (key, value) in rest.as_object().unwrap() {
            spec[key] = value.clone();
        }
        let after = world(closed(), &pods, &[written("p", &spec)]);
        let of_web = |it: &Cut| it.pod.name == "web";
        let found = cut(None, &after).into_iter().find(of_web);
        found.map(|it| it.ways.iter().map(|(way, _)| *way).collect::<Vec<_>>()).unwrap_or_default()
    };
    let (out, back) = (Direction::Egress, Direction::Ingress);
    let expression = |operator: &str, values: Value| {
        let mut it = json!({"key": "app", "operator": operator});
        if !values.is_null() {
            it["values"] = values;
        }
        json!({"matchExpressions": [it]})
    };
    let ingress = json!({"ingress": [{}]});
    for (selector, is_selected) in [
        (json!({}), true),
        (json!({"matchLabels": {"app": "web"}}), true),
        (json!({"matchLabels": {"app": "db"}}), false),
        (expression("In", json!(["web", "db"])), true),
        (expression("In", json!(["db"])), false),
        (expression("NotIn", json!(["db"])), true),
        (expression("NotIn", json!(["web"])), false),
        (expression("Exists", Value::Null), true),
        (expression("DoesNotExist", Value::Null), false),
    ] {
        let expected = if is_selected { vec![out] } else { vec![out, back] };
        assert_eq!(ways(selector.clone(), ingress.clone()), expected, "{selector}");
    }
    // Without policyTypes a policy is about what comes in, and about what goes out where it has rules for that.
    let all = || json!({});
    assert_eq!(ways(all(), json!({"egress": [{}]})), [back], "what comes in is closed by it");
    assert_eq!(ways(all(), json!({"egress": [{}], "policyTypes": ["Egress"]})), [back]);
    assert!(ways(all(), json!({"egress": [{}], "ingress": [{}]})).is_empty());
    assert_eq!(ways(all(), json!({"policyTypes": ["Ingress", "Egress"]})), [out, back]);
}

#[test]
fn a_policy_without_rules_cuts_where_it_was_not_enforced_and_is_named() {
    let deny = written("deny", &json!({"podSelector": {}, "policyTypes": ["Ingress"]}));
    let after = world(Defaults::default(), &[running("a", "web")], &[deny]);
    let cuts = cut(None, &after);
    let by = PolicyName::Object(ringfort_policy::Place::new("a", "deny"));
    assert_eq!(cuts[0].ways, [(Direction::Ingress, vec![by])]);
    assert!(cut(Some(&after.clone().under(Defaults::default())), &after).is_empty());
}

#[test]
fn what_a_cluster_wide_policy_accepts_opens() {
    let mut after = world(closed(), &[running("a", "web")], &[]);
    assert_eq!(ingress_shut_by(&after), Some(vec![PolicyName::Default]));
    for (action, is_open) in [("Deny", false), ("Pass", false), ("Accept", true)] {
        let rule = json!({"action": action, "from": [{"namespaces": {}}]});
        let spec = json!({"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, "ingress": [rule]});
        let object = json!({"metadata": {"name": "w"}, "spec": spec});
        after.wider.extend(wider(WiderKind::Cluster, &object));
        let shut = ingress_shut_by(&after);
        assert_eq!(shut.is_none(), is_open, "{action}: {shut:?}");
    }
}

fn ingress_shut_by(world: &World) -> Option<Vec<PolicyName>> {
    world.shut_by(world.pods.iter().next().unwrap(), Direction::Ingress)
}
