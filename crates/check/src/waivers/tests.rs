//! What waivers are read from, and what each covers.

use std::sync::Arc;

use jiff::civil::date;
use serde_json::json;

use super::{Only, Scope, Unclear, Waiver, Waivers, read};
use crate::report::{InObject, OnNode, Place, Whose};

const KNOWN: [&str; 2] = ["workload/non-root", "workload/quota"];

fn of_object(kind: &str, namespace: Option<&str>, name: &str, container: Option<&str>) -> Place {
    let object =
        Whose { kind: kind.into(), namespace: namespace.map(Into::into), name: name.into() };
    let at = InObject {
        object: Arc::new(object),
        container: container.map(Arc::from),
        pointer: "".into(),
        field: "".into(),
        missing: None,
        named: "".into(),
    };
    Place::Api(at)
}

fn waiver(scope: Option<Scope>) -> Waiver {
    Waiver {
        control: KNOWN[0].to_owned(),
        scope,
        reason: "moves in May".to_owned(),
        owner: "ann".to_owned(),
        expires: date(2026, 5, 31),
    }
}

fn only(container: Option<&str>) -> Scope {
    let only = Only {
        kind: "Deployment".to_owned(),
        namespace: Some("shop".to_owned()),
        name: "web".to_owned(),
        container: container.map(Into::into),
    };
    Scope { objects: vec![only], ..Scope::default() }
}

#[test]
fn a_scope_goes_down_to_a_container() {
    let web = |container| of_object("Deployment", Some("shop"), "web", container);
    let other = of_object("Deployment", Some("shop"), "db", Some("a"));
    let elsewhere = of_object("Deployment", None, "web", Some("a"));
    let node = Place::Node(OnNode { node: "cp1".into(), file: None, line: None, field: "".into() });
    let namespaces = Scope { namespaces: vec!["shop".to_owned()], ..Scope::default() };
    let nodes = Scope { nodes: vec!["cp1".to_owned()], ..Scope::default() };
    let places = [web(None), web(Some("a")), web(Some("b")), other, elsewhere, node];
    for (scope, expected) in [
        (None, [true; 6]),
        (Some(only(None)), [true, true, true, false, false, false]),
        (Some(only(Some("a"))), [false, true, false, false, false, false]),
        (Some(namespaces), [true, true, true, true, false, false]),
        (Some(nodes), [false, false, false, false, false, true]),
    ] {
        let waiver = waiver(scope);
        let covered: Vec<bool> = places.iter().map(|place| waiver.covers(place)).collect();
        assert_eq!(covered, expected, "{waiver:?}");
    }
}

#[test]
fn a_waiver_holds_through_its_last_day_and_for_its_control_alone() {
    let place = of_object("Deployment", Some("shop"), "web", None);
    for (today, control, expected) in [
        (date(2026, 5, 31), KNOWN[0], Some(0)),
        (date(2026, 6, 1), KNOWN[0], None),
        (date(2026, 5, 31), KNOWN[1], None),
    ] {
        let waivers = Waivers { all: vec![(place.clone(), waiver(None))], today };
        assert_eq!(waivers.of(control, &place), expected, "{today} {control}");
    }
}

#[test]
fn waivers_are_read_as_cluster_yaml_writes_them() {
    let good = json!({"control": KNOWN[0], "reason": "r", "owner": "o", "expires": "2026-05-31",
        "scope": {"objects": [{"kind": "Pod", "name": "a", "container": "b"}]}});
    let read_one = read(&json!({"waivers": [good]}), &KNOWN).unwrap();
    assert_eq!((read_one.len(), read_one[0].0.as_str()), (1, "/waivers/0"));
    let made = json!({"control": "access/pod-security", "reason": "r", "owner": "o", "expires": "2026-05-31",
        "scope": {"namespaceLabel": "a/b", "user": "u"}});
    let cluster = json!({"kind": "Cluster", "waivers": [made, good]});
    assert_eq!(read(&cluster, &KNOWN).unwrap()[0].0, "/waivers/1");
    assert_eq!(read(&json!({"kind": "Cluster"}), &KNOWN), Ok(Vec::new()));
}

#[test]
fn what_is_wrong_with_a_waiver_is_said_at_its_place() {
    let with = |key: &str, value| {
        let mut waiver =
            json!({"control": KNOWN[0], "reason": "r", "owner": "o", "expires": "2026-05-31"});
        waiver[key] = value;
        json!({"waivers": [waiver]})
    };
    for (document, pointer, word) in [
        (json!({}), "", "no waivers"),
        (json!({"waivers": 1}), "/waivers", "list"),
        (json!({"waivers": ["x"]}), "/waivers/0", "cannot be read"),
        (with("expires", json!("soon")), "/waivers/0", "cannot be read"),
        (with("scoop", json!(1)), "/waivers/0", "scoop"),
        (with("control", json!("workload/none")), "/waivers/0/control", "workload/none"),
        (with("owner", json!(" ")), "/waivers/0/owner", "owner"),
        (with("scope", json!({})), "/waivers/0/scope", "limit"),
        (with("scope", json!({"namespaces": ["a"], "nodes": ["b"]})), "/waivers/0/scope", "limit"),
    ] {
        let wrong: Vec<Unclear> = read(&document, &KNOWN).unwrap_err();
        assert_eq!(wrong[0].pointer, pointer, "{document}");
        assert!(wrong[0].why.contains(word), "{document}: {}", wrong[0].why);
    }
}
