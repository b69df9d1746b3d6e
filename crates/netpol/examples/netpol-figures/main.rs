//! What deciding costs, and what the kernel takes: run in a network namespace of its own by
//! `cargo xtask bench netpol`. Prints one JSON object.

#![allow(clippy::unwrap_used, reason = "a measurement ends at its first surprise")]

#[path = "../../tests/kernel/namespace.rs"]
mod namespace;
mod packets;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use ringfort_model::network_policy::{Defaults, Names};
use ringfort_policy::{
    Home, RuleSet, World, change, compile, labels, place, pod, policy, replace, with_name,
};
use serde_json::{Value, json};

const NAMESPACES: usize = 100;
const PODS: usize = 5_000;
const NODES: usize = 50;
const RUNS: usize = 9;

fn namespace(number: usize) -> Value {
    let team = format!("t{}", number % 10);
    json!({"metadata": {"name": format!("n{number}"), "labels": {"team": team}}})
}

fn a_pod(number: usize, app: usize) -> Value {
    let node = number % NODES;
    json!({
        "metadata": {
            "namespace": format!("n{}", number % NAMESPACES),
            "name": format!("p{number}"),
            "uid": format!("u{number}"),
            "labels": {"app": format!("a{app}"), "tier": format!("x{}", number % 3), "one": format!("p{number}")},
        },
        "spec": {
            "nodeName": format!("w{node}"),
            "containers": [{"ports": [{"name": "http", "containerPort": 8080}]}],
        },
        "status": {"podIP": format!("10.{}.{}.{}", 100 + node / 250, node % 250, 2 + number / NODES)},
    })
}

fn a_policy(number: usize, port: usize) -> Value {
    let app = number / NAMESPACES % 10;
    json!({
        "metadata": {"namespace": format!("n{}", number % NAMESPACES), "name": format!("np{number}")},
        "spec": {
            "podSelector": {"matchLabels": {"app": format!("a{app}")}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [
                        {"podSelector": {"matchLabels": {"tier": format!("x{}", number % 3)}}},
                        {
                            "namespaceSelector": {"matchLabels": {"team": format!("t{}", number % 10)}},
                            "podSelector": {"matchLabels": {"app": format!("a{}", (app + 1) % 10)}},
                        },
                    ],
                    "ports": [{"port": "http"}, {"port": 9000 + port}],
                },
                {"from": [{"ipBlock": {"cidr": format!("192.0.{}.0/24", number % 250)}}]},
            ],
            "egress": [{
                "to": [{"namespaceSelector": {"matchExpressions": [
                    {"key": "team", "operator": "NotIn", "values": [format!("t{}", number % 7)]},
                ]}}],
                "ports": [{"port": 5432}, {"port": 8000, "endPort": 8000 + number % 90}],
            }],
        },
    })
}

fn world(policies: usize) -> World {
    let mut world = World::new(Defaults {
        closed: true,
        dns: Some(Names {
            namespace: "n0".to_owned(),
            labels: BTreeMap::from([("app".to_owned(), "a0".to_owned())]),
            port: 53,
        }),
        ..Defaults::default()
    });
    for number in 0..NAMESPACES {
        let object = namespace(number);
        let name = place(&object).unwrap().name;
        world.namespaces.insert(name.clone(), with_name(labels(&object), &name));
    }
    for number in 0..PODS {
        put_pod(&mut world, &a_pod(number, number / NAMESPACES % 10));
    }
    for number in 0..policies {
        put_policy(&mut world, &a_policy(number, 0));
    }
    world
}

fn put_pod(world: &mut World, object: &Value) {
    world.pods.insert(place(object).unwrap(), pod(object));
}

fn put_policy(world: &mut World, object: &Value) {
    world.policies.insert(place(object).unwrap(), policy(object).unwrap());
}

fn home() -> Home {
    Home {
        node: "w7".to_owned(),
        ranges: vec!["10.100.7.0/24".parse().unwrap()],
        all: vec!["10.100.0.0/14".parse().unwrap()],
        attached: BTreeMap::new(),
    }
}

fn nft(script: &str) {
    let mut child = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn millis(times: &mut [f64]) -> Value {
    times.sort_by(f64::total_cmp);
    json!({"median": times[times.len() / 2], "most": times[times.len() - 1]})
}

/// Changes the world, decides anew and tells the kernel; gives the milliseconds of both together.
fn changed(world: &mut World, rules: &mut RuleSet, it: impl FnOnce(&mut World)) -> f64 {
    it(world);
    let start = Instant::now();
    let new = compile(world, &home());
    if let Some(script) = change(rules, &new) {
        nft(&script);
    }
    *rules = new;
    start.elapsed().as_secs_f64() * 1e3
}

fn of(policies: usize) -> Value {
    let mut world = world(policies);
    let mut full = Vec::new();
    let mut rules = RuleSet::default();
    for _ in 0..RUNS {
        let start = Instant::now();
        rules = compile(&world, &home());
        full.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let start = Instant::now();
    nft(&replace(&rules));
    let loaded = start.elapsed().as_secs_f64() * 1e3;
    // A pod of this node, one of another, and a policy that concerns this node.
    let (mut own, mut other, mut one_policy) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=RUNS {
        own.push(changed(&mut world, &mut rules, |it| put_pod(it, &a_pod(7, run % 10))));
        other.push(changed(&mut world, &mut rules, |it| put_pod(it, &a_pod(8, run % 10))));
        one_policy.push(changed(&mut world, &mut rules, |it| put_policy(it, &a_policy(7, run))));
    }
    json!({
        "policies": policies,
        "pods": PODS,
        "own_pods": rules.sets["egress4_pods"].elements.len() - 1,
        "sets": rules.sets.len(),
        "elements": rules.sets.values().map(|set| set.elements.len()).sum::<usize>(),
        "decide_ms": millis(&mut full),
        "load_all_ms": loaded,
        "own_pod_changed_ms": millis(&mut own),
        "other_pod_changed_ms": millis(&mut other),
        "policy_changed_ms": millis(&mut one_policy),
    })
}

/// Opens the way between the two pods that packets are sent between.
fn with_a_way(mut world: World) -> World {
    for (namespace, way, field) in [("n7", "egress", "Egress"), ("n57", "ingress", "Ingress")] {
        let object = json!({
            "metadata": {"namespace": namespace, "name": "way"},
            "spec": {
                "podSelector": {},
                "policyTypes": [field],
                way: [{"ports": [{"port": packets::PORT}]}],
            },
        });
        put_policy(&mut world, &object);
    }
    world
}

/// Measures what packets cost under no rules, under few policies and under many, in turn.
fn of_packets() -> Value {
    const ROUNDS: usize = 5;
    let pair = packets::Pair::new();
    let none = "add table inet ringfort-policy\ndelete table inet ringfort-policy\n".to_owned();
    let under = |policies| replace(&compile(&with_a_way(world(policies)), &home()));
    let tables = [("none", none), ("10", under(10)), ("1000", under(1_000))];
    let mut found: BTreeMap<&str, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for (policies, table) in &tables {
            nft(table);
            let (connection_us, gbit_s) = pair.measure();
            let of = found.entry(policies).or_default();
            of.0.push(connection_us);
            of.1.push(gbit_s);
        }
    }
    let median = |mut of: Vec<f64>| {
        of.sort_by(f64::total_cmp);
        of[of.len() / 2]
    };
    let one = |(policies, (us, gbit)): (&str, (Vec<f64>, Vec<f64>))| json!({"policies": policies, "connection_us": median(us), "gbit_s": median(gbit)});
    found.into_iter().map(one).collect()
}

fn memory_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn main() {
    if packets::plays_a_part() {
        return;
    }
    let few = of(10);
    let many = of(1_000);
    let memory_mb = memory_mb();
    println!(
        "{}",
        json!({"measured": [few, many], "memory_mb": memory_mb, "packets": of_packets()})
    );
}
