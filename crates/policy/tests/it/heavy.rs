//! Policies of ill will: as long as an object may be, and written so that each of their words costs.

use std::time::{Duration, Instant};

use ringfort_model::network_policy::Defaults;
use ringfort_policy::{
    Allowed, BUDGET, Connection, Direction, ENTRIES, End, Place, PortWanted, Protocol, Question,
    RuleSet, World, compile, explain, outgrown, place, pod, policy, shut,
};
use serde_json::{Value, json};

use crate::world::home;

/// How long deciding may take. It takes a tenth of that; what went over each block for each pod took hours.
const PATIENCE: Duration = Duration::from_secs(20);

/// A hundred pods of node n1, and thousands of another.
fn world(elsewhere: usize) -> World {
    let mut world = World::new(Defaults { closed: true, ..Defaults::default() });
    world.namespaces.insert("a".to_owned(), [].into());
    let mut put = |node: &str, number: usize, address: String| {
        let object = json!({
            "metadata": {"namespace": "a", "name": format!("{node}-{number}"), "labels": {
                "app": "x", "name": format!("{node}-{number}"),
            }},
            "spec": {"nodeName": node},
            "status": {"podIP": address},
        });
        world.pods.insert(place(&object).unwrap(), pod(&object));
    };
    (0..100).for_each(|number| put("n1", number, format!("10.1.1.{}", number + 2)));
    for number in 0..elsewhere {
        put("n2", number, format!("10.1.{}.{}", 2 + number / 250, 2 + number % 250));
    }
    world
}

fn put_policy(world: &mut World, name: &str, rules: &Value) {
    let object = json!({
        "metadata": {"namespace": "a", "name": name},
        "spec": {"podSelector": {}, "ingress": rules},
    });
    world.policies.insert(place(&object).unwrap(), policy(&object).unwrap());
}

fn decide(world: &World) -> RuleSet {
    let begun = Instant::now();
    let rules = compile(world, &home(1));
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    rules
}

fn reaches(rules: &RuleSet, client: &str, port: u16) -> bool {
    let (client, server) = (client.parse().unwrap(), "10.1.1.2".parse().unwrap());
    let port = Some((Protocol::Tcp, port));
    rules.lets(Direction::Ingress, &Connection { client, server, port })
}

fn elements(rules: &RuleSet) -> usize {
    rules.sets.values().map(|set| set.elements.len()).sum()
}

/// Blocks that share nothing and touch nowhere: every other address.
fn blocks(count: usize) -> Value {
    let block = |number: usize| {
        let at = 2 * number;
        json!({"ipBlock": {"cidr": format!("172.16.{}.{}/32", at / 256, at % 256)}})
    };
    (0..count).map(block).collect()
}

#[test]
fn many_blocks_are_cut_once_for_all_pods_that_they_are_for() {
    let mut world = world(0);
    // Each block lies in a wider one, so that what is meant changes at each of its edges.
    let wide = json!([{"ipBlock": {"cidr": "172.16.0.0/12"}}]);
    let rules = json!([
        {"from": blocks(BUDGET - 1), "ports": [{"port": 80}]},
        {"from": wide, "ports": [{"port": 90}]},
    ]);
    put_policy(&mut world, "blocks", &rules);
    let rules = decide(&world);
    assert!(reaches(&rules, "172.16.3.8", 80) && !reaches(&rules, "172.16.3.7", 80));
    assert!(reaches(&rules, "172.16.3.8", 90) && reaches(&rules, "172.16.3.7", 90));
    // Each pod stands in a few maps; pieces of blocks stand once, and not once for each pod.
    assert!(elements(&rules) < 3 * BUDGET + 1_000, "{} elements", elements(&rules));
}

#[test]
fn many_ports_of_many_pods_are_few_classes() {
    let mut world = world(5_000);
    let rule = |number: usize| {
        let from = json!([{"podSelector": {"matchLabels": {"app": "x"}}}]);
        json!({"from": from, "ports": [{"port": 1 + 2 * number}]})
    };
    put_policy(&mut world, "ports", &(0..1_000).map(rule).collect());
    let rules = decide(&world);
    assert!(reaches(&rules, "10.1.2.7", 1_999) && !reaches(&rules, "10.1.2.7", 2_000));
    assert!(rules.chains.len() < 10, "{} chains", rules.chains.len());
}

/// Ports that touch nowhere.
fn ports(count: usize) -> Value {
    (0..count).map(|number| json!({"port": 1 + 2 * number})).collect()
}

#[test]
fn ports_stand_once_for_all_pods_that_are_granted_the_same() {
    let from = json!([{"podSelector": {"matchLabels": {"app": "x"}}}]);
    for rules in
        [json!([{"ports": ports(BUDGET)}]), json!([{"from": from, "ports": ports(BUDGET)}])]
    {
        let mut world = world(5_000);
        put_policy(&mut world, "ports", &rules);
        let rules = decide(&world);
        assert!(reaches(&rules, "10.1.2.7", 19_999) && !reaches(&rules, "10.1.2.7", 20_000));
        // The ports once, all peers once, and each own pod in a few sets.
        assert!(elements(&rules) < BUDGET + 5_000 + 1_000, "{} elements", elements(&rules));
        assert!(outgrown(&world, &home(1)).is_empty());
    }
}

/// Rules that each part one pod from all others: as many classes as pods, and each of them is granted nearly all.
fn parting(count: usize) -> Value {
    let rule = |number: usize| {
        let not = json!([{"key": "name", "operator": "NotIn", "values": [format!("n2-{number}")]}]);
        json!({"from": [{"podSelector": {"matchExpressions": not}}], "ports": [{"port": 1 + 2 * number}]})
    };
    (0..count).map(rule).collect()
}

#[test]
fn what_comes_to_more_than_a_node_takes_closes_and_opens_nothing() {
    // One block at half of the ports, and inside of it as many that are more: each piece has all ports.
    let nested = json!([
        {"from": [{"ipBlock": {"cidr": "172.16.0.0/12"}}], "ports": ports(BUDGET / 2)},
        {"from": blocks(BUDGET / 2 - 1), "ports": [{"port": 2}]},
    ]);
    for rules in [parting(900), parting(5_000), nested] {
        let mut world = world(5_000);
        let open = json!({
            "metadata": {"namespace": "b", "name": "open"}, "spec": {"podSelector": {}, "ingress": [{}]},
        });
        world.policies.insert(place(&open).unwrap(), policy(&open).unwrap());
        let other = json!({
            "metadata": {"namespace": "b", "name": "other"}, "spec": {"nodeName": "n1"},
            "status": {"podIP": "10.1.1.250"},
        });
        world.pods.insert(place(&other).unwrap(), pod(&other));
        put_policy(&mut world, "heavy", &rules);
        assert!(world.beyond_budget("a").is_empty(), "its words are few enough");
        let rules = decide(&world);
        assert!(!reaches(&rules, "10.1.2.7", 1) && !reaches(&rules, "172.16.0.2", 1));
        let (client, server) = ("192.0.2.1".parse().unwrap(), "10.1.1.250".parse().unwrap());
        let port = Some((Protocol::Tcp, 80));
        let other = Connection { client, server, port };
        assert!(rules.lets(Direction::Ingress, &other), "another namespace is as it was");
        assert!(elements(&rules) < ENTRIES, "{} elements", elements(&rules));
        let beyond = outgrown(&world, &home(1));
        assert_eq!(beyond, ["a".to_owned()].into());
        let shut = shut(&world, beyond);
        assert!(shut.beyond_budget("a").is_empty(), "no single one of them is too long");
        assert!(outgrown(&world, &home(0)).is_empty(), "a node without its pods has nothing of it");
    }
}

#[test]
fn a_policy_beyond_the_budget_closes_and_opens_nothing_and_says_so() {
    let mut world = world(0);
    let large = json!([{"from": blocks(BUDGET / 4 + 1), "ports": [{"port": 80}, {"port": 90}, {"port": 100}, {"port": 110}]}]);
    let small = json!([{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]);
    put_policy(&mut world, "large", &large);
    put_policy(&mut world, "small", &small);
    let rules = decide(&world);
    assert!(!reaches(&rules, "172.16.3.8", 80));
    assert!(reaches(&rules, "192.0.2.1", 80), "one that is too long leaves room for others");
    assert_eq!(world.beyond_budget("a"), [&Place::new("a", "large")]);
    let question = Question {
        from: End::Address("172.16.3.8".parse().unwrap()),
        to: End::Pod(Place::new("a", "n1-0")),
        protocol: Protocol::Tcp,
        port: PortWanted::Number(80),
    };
    assert_eq!(explain(&world, &question).unwrap().verdict(), Allowed::No);
    // In another namespace it is as before.
    assert!(world.beyond_budget("b").is_empty());
}
