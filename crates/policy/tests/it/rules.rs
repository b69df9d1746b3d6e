use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringfort_model::network_policy::Defaults;
use ringfort_policy::{
    Allowed, Connection, Direction, End, Place, PortWanted, Protocol, Question, Why, World, change,
    compile, explain, place, pod, policy,
};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::model::{Asked, By, Closed};
use crate::objects::Cluster;
use crate::random::{NODES, PORTS, cluster};
use crate::world::{home, world};

/// Addresses that are no pods', some of them machines' own in the ranges of their pods.
const OUTSIDE: [&str; 9] = [
    "10.0.0.11",
    "10.0.0.200",
    "192.0.2.1",
    "2001:db8::7",
    "10.1.0.0",
    "10.1.0.1",
    "10.1.1.1",
    "10.1.2.1",
    "fd00:2::1",
];
const PROTOCOLS: [(&str, Protocol); 3] =
    [("TCP", Protocol::Tcp), ("UDP", Protocol::Udp), ("SCTP", Protocol::Sctp)];

/// The ends that connections go between: addresses, and the pods that have them.
fn ends(cluster: &Cluster) -> Vec<(IpAddr, Option<&Value>)> {
    let mut ends: Vec<(IpAddr, Option<&Value>)> =
        OUTSIDE.iter().map(|ip| (ip.parse().unwrap(), None)).collect();
    for pod in &cluster.pods {
        let own = pod["spec"]["hostNetwork"] == true;
        if pod["status"]["phase"] == "Succeeded" {
            continue;
        }
        for ip in pod["status"]["podIPs"].as_array().unwrap() {
            let ip = ip["ip"].as_str().unwrap().parse().unwrap();
            ends.push((ip, (!own).then_some(pod)));
        }
    }
    ends
}

fn is_on(pod: Option<&Value>, node: &str) -> bool {
    pod.is_some_and(|pod| pod["spec"]["nodeName"] == node)
}

pub(crate) fn each_connection(
    cluster: &Cluster,
    by: By,
    mut check: impl FnMut(&Asked<'_>, Connection),
) {
    let ends = ends(cluster);
    for (client_ip, client) in &ends {
        for (server_ip, server) in &ends {
            if client_ip.is_ipv4() != server_ip.is_ipv4() {
                continue;
            }
            for (word, protocol) in PROTOCOLS {
                for port in PORTS {
                    let asked = Asked {
                        cluster,
                        client: *client,
                        client_ip: *client_ip,
                        server: *server,
                        server_ip: *server_ip,
                        protocol: word,
                        port,
                        by,
                    };
                    let connection = Connection {
                        client: *client_ip,
                        server: *server_ip,
                        port: Some((protocol, port)),
                    };
                    check(&asked, connection);
                }
            }
        }
    }
}

#[test]
fn rules_let_through_what_policies_allow_and_nothing_else() {
    let mut seen = BTreeMap::new();
    for seed in 0..150 {
        let mut chance = Chance::new(seed);
        let cluster = cluster(&mut chance);
        let closed = chance.once_in(2);
        let world = world(&cluster, closed);
        let rules: Vec<_> = (0..3).map(|node| compile(&world, &home(node))).collect();
        for rules in &rules {
            assert_eq!(rules.unreached(), BTreeSet::new(), "seed {seed}");
        }
        each_connection(&cluster, By::Service, |asked, connection| {
            for (node, rules) in NODES.iter().zip(&rules) {
                let ways = [
                    (Direction::Egress, asked.client, asked.egress(Closed(closed))),
                    (Direction::Ingress, asked.server, asked.ingress(Closed(closed))),
                ];
                for (direction, own, expected) in ways {
                    if !is_on(own, node) {
                        continue;
                    }
                    *seen.entry((direction, expected)).or_insert(0) += 1;
                    let got = rules.lets(direction, &connection);
                    assert_eq!(got, expected, "seed {seed}, {node}, {direction}: {connection:?}");
                }
            }
        });
    }
    // Both answers must have been met often, or this test shows nothing.
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert!(seen.values().all(|count| *count > 20_000), "{seen:?}");
}

#[test]
fn explanations_agree_with_policies() {
    let (mut own, mut unknown) = (0, 0);
    for seed in 1_000..1_100 {
        let mut chance = Chance::new(seed);
        let cluster = cluster(&mut chance);
        let closed = chance.once_in(2);
        let world = world(&cluster, closed);
        let end = |pod: Option<&Value>, ip| match pod {
            Some(pod) => End::Pod(place(pod).unwrap()),
            None => End::Address(ip),
        };
        each_connection(&cluster, By::Address, |asked, connection| {
            let (protocol, port) = connection.port.unwrap();
            let question = Question {
                from: end(asked.client, asked.client_ip),
                to: end(asked.server, asked.server_ip),
                protocol,
                port: PortWanted::Number(port),
            };
            let both = |pod: Option<&Value>| {
                pod.is_some_and(|pod| pod["status"]["podIPs"].as_array().unwrap().len() > 1)
            };
            // Of a pod with addresses of both families a block may hold either.
            if both(asked.client) || both(asked.server) {
                return;
            }
            let answer = explain(&world, &question).unwrap();
            // A pod's own machine reaches it whatever policies say; rules never see that.
            if answer.ingress.verdict == Allowed::Yes(Why::OwnMachine) {
                let machine = asked.server.unwrap()["spec"]["nodeName"].as_str().unwrap();
                let address = format!("10.0.0.1{}", machine.trim_start_matches('n'));
                let number = machine.trim_start_matches('n');
                let bridges = [format!("10.1.{number}.1"), format!("fd00:{number}::1")];
                let known = [[address].as_slice(), &bridges].concat();
                assert!(known.contains(&asked.client_ip.to_string()), "seed {seed}: {known:?}");
                own += 1;
                return;
            }
            let expected = asked.egress(Closed(closed)) && asked.ingress(Closed(closed));
            // What cannot be read is decided all the same, and nobody can say what was meant.
            if let Allowed::Unknown(why) = answer.verdict() {
                let known = ["domainNames", "fromTheFuture"];
                assert!(known.iter().any(|it| why.contains(it)), "seed {seed}: {why}");
                unknown += 1;
                return;
            }
            let got = matches!(answer.verdict(), Allowed::Yes(_));
            assert_eq!(got, expected, "seed {seed}: {question:?}: {answer:?}");
        });
    }
    assert!(own > 1_000, "{own} connections came from a pod's own machine");
    assert!(unknown > 1_000, "{unknown} connections met what is not known");
}

#[test]
fn a_pod_that_is_not_known_gets_nothing() {
    let mut chance = Chance::new(5);
    let rules = compile(&world(&cluster(&mut chance), false), &home(1));
    let stranger: IpAddr = "10.1.1.250".parse().unwrap();
    let other: IpAddr = "192.0.2.1".parse().unwrap();
    let port = Some((Protocol::Tcp, 80));
    assert!(!rules.lets(Direction::Egress, &Connection { client: stranger, server: other, port }));
    assert!(!rules.lets(Direction::Ingress, &Connection { client: other, server: stranger, port }));
    // The machine's own end of the bridge is no pod.
    let bridge: IpAddr = "10.1.1.1".parse().unwrap();
    assert!(rules.lets(Direction::Egress, &Connection { client: bridge, server: other, port }));
}

#[test]
fn who_is_meant_by_all_pods_is_let_in_before_anyone_has_heard_of_it() {
    let mut world = World::new(Defaults { closed: true, ..Defaults::default() });
    let object = json!({
        "metadata": {"namespace": "a", "name": "p"},
        "spec": {"nodeName": "n1"},
        "status": {"podIP": "10.1.1.5"},
    });
    world.pods.insert(place(&object).unwrap(), pod(&object));
    let object = json!({
        "metadata": {"namespace": "a", "name": "all"},
        "spec": {"podSelector": {}, "ingress": [{
            "from": [{"namespaceSelector": {}}],
            "ports": [{"port": 53, "protocol": "UDP"}],
        }]},
    });
    world.policies.insert(place(&object).unwrap(), policy(&object).unwrap());
    let rules = compile(&world, &home(1));
    let lets = |client: &str, port| {
        let (client, server) = (client.parse().unwrap(), "10.1.1.5".parse().unwrap());
        let port = Some((Protocol::Udp, port));
        rules.lets(Direction::Ingress, &Connection { client, server, port })
    };
    assert!(lets("10.1.2.77", 53));
    assert!(!lets("10.1.2.77", 54));
    assert!(!lets("10.0.0.11", 53));
    // What machines have in ranges of pods is no pod's.
    assert!(lets("10.1.2.1", 53), "whose 10.1.2.0/24 is was not told");
    world.ranges.insert("n2".to_owned(), vec!["10.1.2.0/24".parse().unwrap()]);
    let rules = compile(&world, &home(1));
    for (client, expected) in [("10.1.2.0", false), ("10.1.2.1", false), ("10.1.2.2", true)] {
        let (client, server) = (client.parse().unwrap(), "10.1.1.5".parse().unwrap());
        let port = Some((Protocol::Udp, 53));
        let connection = Connection { client, server, port };
        assert_eq!(rules.lets(Direction::Ingress, &connection), expected, "{client}");
    }
}

#[test]
fn a_pod_that_has_ended_is_judged_as_if_it_ran() {
    let mut world = World::new(Defaults { closed: true, ..Defaults::default() });
    for (name, phase) in [("own", "Succeeded"), ("other", "Running")] {
        let object = json!({
            "metadata": {"namespace": "a", "name": name}, "spec": {"nodeName": "n1"},
            "status": {"phase": phase, "podIP": "10.1.1.5"},
        });
        world.pods.insert(place(&object).unwrap(), pod(&object));
    }
    let end = |name: &str| End::Pod(Place::new("a", name));
    let verdict = |world: &World, from, to| {
        let (protocol, port) = (Protocol::Tcp, PortWanted::Number(80));
        explain(world, &Question { from, to, protocol, port }).unwrap().verdict()
    };
    let outside = || End::Address("192.0.2.1".parse().unwrap());
    assert_eq!(verdict(&world, outside(), end("own")), Allowed::No);
    assert_eq!(verdict(&world, end("own"), outside()), Allowed::No);
    let object = json!({
        "metadata": {"namespace": "a", "name": "all"},
        "spec": {
            "podSelector": {}, "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"podSelector": {}}]}], "egress": [{}],
        },
    });
    world.policies.insert(place(&object).unwrap(), policy(&object).unwrap());
    assert_eq!(verdict(&world, end("own"), end("other")), Allowed::Yes(Why::Rule));
    assert_eq!(verdict(&world, outside(), end("own")), Allowed::No);
}

#[test]
fn what_did_not_change_is_not_written() {
    for seed in 0..20 {
        let rules = compile(&world(&cluster(&mut Chance::new(seed)), true), &home(0));
        assert_eq!(change(&rules, &rules), None);
    }
}

/// Ten thousand pods of which no two are labelled alike, and selectors that are as long.
#[test]
fn labels_and_selectors_of_ill_will_make_no_more_rules_than_others() {
    const PODS: usize = 10_000;
    // One of them is in the range of n1, and all others are not.
    let address = |number: usize| match number {
        250 => "10.1.1.2".to_owned(),
        _ => format!("10.1.{}.{}", 2 + number / 250, 2 + number % 250),
    };
    let mut world = World::new(Defaults { closed: true, ..Defaults::default() });
    world.namespaces.insert("a".to_owned(), [("team".to_owned(), "a".to_owned())].into());
    for number in 0..PODS {
        let object = json!({
            "metadata": {"namespace": "a", "name": format!("p{number}"), "labels": {
                "one": format!("v{number}"),
                format!("key{number}"): "x",
            }},
            "spec": {"nodeName": if number == 250 { "n1" } else { "n2" }},
            "status": {"podIP": address(number)},
        });
        world.pods.insert(place(&object).unwrap(), pod(&object));
    }
    let all: Vec<String> = (0..PODS).map(|number| format!("v{number}")).collect();
    let one = |key: &str, operator: &str, values: &[String]| match values {
        [] => json!({"key": key, "operator": operator}),
        values => json!({"key": key, "operator": operator, "values": values}),
    };
    let few = ["v250".to_owned()];
    let contradictory =
        [one("one", "In", &few), one("one", "NotIn", &few), one("one", "DoesNotExist", &[])];
    let enormous = [one("one", "In", &all), one("key250", "DoesNotExist", &[])];
    let object = json!({
        "metadata": {"namespace": "a", "name": "all"},
        "spec": {"podSelector": {"matchExpressions": [one("one", "In", &few)]}, "ingress": [
            {"from": [{"podSelector": {"matchExpressions": contradictory}}], "ports": [{"port": 1}]},
            {"from": [{"podSelector": {"matchExpressions": enormous}}], "ports": [{"port": 2}]},
            {"from": [{"namespaceSelector": {}, "podSelector": {"matchExpressions": []}}], "ports": [{"port": 3}]},
        ]},
    });
    world.policies.insert(place(&object).unwrap(), policy(&object).unwrap());
    let rules = compile(&world, &home(1));
    let lets = |client: usize, port| {
        let (client, server) = (address(client).parse().unwrap(), address(250).parse().unwrap());
        let port = Some((Protocol::Tcp, port));
        rules.lets(Direction::Ingress, &Connection { client, server, port })
    };
    for client in [0, 1, 249, 251, PODS - 1] {
        assert!(!lets(client, 1), "nobody is and is not labelled so");
        assert!(lets(client, 2), "{client} is among them");
        assert!(lets(client, 3) && !lets(client, 4), "everyone means every port that is named");
    }
    // All who are granted the same are one class, however many say so.
    let chains = rules.chains.len();
    assert!(chains < 10, "{chains} chains");
    let elements: usize = rules.sets.values().map(|set| set.elements.len()).sum();
    assert!(elements < PODS + 50, "{elements} elements");
}
