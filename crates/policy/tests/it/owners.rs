//! Whose an address is: what the network plugin says goes before what the API says, and what two claim is
//! nobody's.

use std::net::IpAddr;

use ringfort_model::network_policy::Defaults;
use ringfort_policy::{
    Attached, Connection, Direction, Home, Place, Protocol, World, compile, disputed, place, pod,
    policy,
};
use serde_json::{Value, json};

use crate::world::home;

/// A pod of node n1 that is called after its label, which its own policy opens a port for.
fn put(world: &mut World, name: &str, address: &str, more: &Value) {
    let mut object = json!({
        "metadata": {"namespace": "a", "name": name, "uid": format!("of {name}"), "labels": {"is": name}},
        "spec": {"nodeName": "n1"},
        "status": {"podIP": address},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        object["metadata"][key] = value.clone();
    }
    world.pods.insert(place(&object).unwrap(), pod(&object));
}

/// Pods of a closed namespace, to each of which a port of its own is open.
fn world(pods: &[(&str, &str, Value)]) -> World {
    let mut world = World::new(Defaults { closed: true, ..Defaults::default() });
    for (number, (name, address, more)) in pods.iter().enumerate() {
        put(&mut world, name, address, more);
        let object = json!({
            "metadata": {"namespace": "a", "name": name},
            "spec": {
                "podSelector": {"matchLabels": {"is": name}},
                "ingress": [{"ports": [{"port": number + 1}]}],
            },
        });
        world.policies.insert(place(&object).unwrap(), policy(&object).unwrap());
    }
    world
}

/// Gives the ports of an address that are open.
fn open(world: &World, home: &Home, address: &str) -> Vec<u16> {
    let (client, server) = ("192.0.2.1".parse().unwrap(), address.parse().unwrap());
    let rules = compile(world, home);
    let lets = |port: &u16| {
        let port = Some((Protocol::Tcp, *port));
        rules.lets(Direction::Ingress, &Connection { client, server, port })
    };
    (1..=3).filter(lets).collect()
}

fn attached(address: &str, name: &str, uid: &str) -> Home {
    let whose = Attached { place: Place::new("a", name), uid: uid.to_owned() };
    let address: IpAddr = address.parse().unwrap();
    Home { attached: [(address, whose)].into(), ..home(1) }
}

const ONE: &str = "10.1.1.5";
const OTHER: &str = "10.1.1.6";

#[test]
fn an_address_that_two_claim_is_nobody_s() {
    let none = Value::Null;
    let alone = world(&[("one", ONE, none.clone()), ("two", OTHER, none.clone())]);
    assert_eq!(open(&alone, &home(1), ONE), [1]);
    let both = world(&[("one", ONE, none.clone()), ("two", ONE, none.clone())]);
    assert!(open(&both, &home(1), ONE).is_empty());
    let ending = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
    let ends = world(&[("one", ONE, ending.clone()), ("two", ONE, none)]);
    assert_eq!(open(&ends, &home(1), ONE), [2], "one of them is ending");
    let end = world(&[("one", ONE, ending.clone()), ("two", ONE, ending)]);
    assert!(open(&end, &home(1), ONE).is_empty());
}

#[test]
fn an_address_is_claimed_only_where_its_range_is() {
    let mut world = world(&[("one", ONE, Value::Null), ("two", OTHER, Value::Null)]);
    let far = json!({
        "metadata": {"namespace": "a", "name": "two", "uid": "of two", "labels": {"is": "two"}},
        "spec": {"nodeName": "n2"},
        "status": {"podIP": ONE},
    });
    world.pods.insert(place(&far).unwrap(), pod(&far));
    // It lies in the node's own range, which no pod of another node has addresses of.
    assert_eq!(open(&world, &home(1), ONE), [1]);
    assert!(disputed(&world, &home(1)).is_empty());
    // Nor elsewhere, where it is known whose the range is.
    let is_disputed = |world: &World| !disputed(world, &home(0)).is_empty();
    assert!(is_disputed(&world));
    world.ranges.insert("n1".to_owned(), home(1).ranges);
    assert!(!is_disputed(&world));
    put(&mut world, "two", ONE, &Value::Null);
    let both = [Place::new("a", "one"), Place::new("a", "two")];
    let expected = vec![(ONE.parse().unwrap(), both.iter().collect())];
    assert_eq!(disputed(&world, &home(1)), expected);
}

#[test]
fn whoever_says_to_have_an_address_of_another_node_does_not_hold_it() {
    let mut world = world(&[("one", ONE, Value::Null)]);
    let far = json!({
        "metadata": {"namespace": "a", "name": "far"},
        "spec": {"nodeName": "n2"},
        "status": {"podIP": ONE},
    });
    world.pods.insert(place(&far).unwrap(), pod(&far));
    let holder = |world: &World| {
        let (place, _) = world.holder(ONE.parse().unwrap()).unwrap();
        place.name.clone()
    };
    assert_eq!(holder(&world), "far", "nobody told whose the range is");
    world.ranges.insert("n1".to_owned(), home(1).ranges);
    assert_eq!(holder(&world), "one");
}

#[test]
fn what_the_plugin_says_goes_before_what_the_api_says() {
    let none = || Value::Null;
    let world = world(&[("one", ONE, none()), ("two", OTHER, none()), ("new", "", none())]);
    // The API has not heard of an address yet.
    let home = attached("10.1.1.7", "new", "of new");
    assert_eq!(open(&world, &home, "10.1.1.7"), [3]);
    // The API has not heard yet that an address went to another.
    let home = attached(ONE, "two", "of two");
    assert_eq!((open(&world, &home, ONE), open(&world, &home, OTHER)), (vec![2], vec![2]));
    // A pod of the same name that the API has not heard of is another pod: nobody's policies are its own.
    let home = attached(ONE, "one", "of the next one");
    assert!(open(&world, &home, ONE).is_empty());
}
