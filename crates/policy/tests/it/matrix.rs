//! The matrix that is tried on machines, on invented addresses first: it says both, often, and the rules agree.

use std::collections::BTreeMap;

use ringfort_policy::{Connection, Direction, Home, Protocol, compile};
use serde_json::{Value, json};

use crate::objects::Cluster;
use crate::pairs::{Machine, Machines, ON_MACHINES, OPEN, Tries, Try, tries};
use crate::world::world;

fn machine(name: &str, address: &str) -> Machine {
    Machine { name: name.to_owned(), address: address.parse().unwrap() }
}

/// A pod on a worker's network, which all of its kind are called after.
fn on_machine(machine: &Machine) -> Value {
    json!({
        "kind": "Pod",
        "metadata": {
            "namespace": ON_MACHINES.0, "name": format!("on-{}", machine.name),
            "labels": {"app": "agent"},
        },
        "spec": {"nodeName": machine.name, "hostNetwork": true, "containers": [{"name": "agent"}]},
        "status": {"podIP": machine.address.to_string()},
    })
}

/// What addresses of machines, pods and Services begin with, and the ranges of pods of a worker and of all.
struct Addresses {
    machines: &'static str,
    pods: fn(&str) -> String,
    services: &'static str,
    of_worker: fn(usize) -> String,
    of_all: &'static str,
}

const IPV4: Addresses = Addresses {
    machines: "10.0.0.",
    pods: |worker| format!("10.1.{worker}."),
    services: "10.96.0.",
    of_worker: |worker| format!("10.1.{worker}.0/24"),
    of_all: "10.1.0.0/16",
};

const IPV6: Addresses = Addresses {
    machines: "fd00:10::",
    pods: |worker| format!("fd00:1:0:{worker}::"),
    services: "fd00:96::",
    of_worker: |worker| format!("fd00:1:0:{worker}::/64"),
    of_all: "fd00:1::/48",
};

/// The machines, the cluster as its API would tell of it, and its Services.
fn lab() -> (Machines, Cluster, Vec<Value>) {
    lab_of(&IPV4)
}

fn lab_of(addresses: &Addresses) -> (Machines, Cluster, Vec<Value>) {
    let machine = |name: &str, end: &str| machine(name, &format!("{}{end}", addresses.machines));
    let machines = Machines {
        control_plane: machine("cp1", "11"),
        workers: [machine("w1", "21"), machine("w2", "22")],
    };
    let mut by_kind: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (number, mut object) in machines.objects("probe").into_iter().enumerate() {
        match object["kind"].as_str().unwrap() {
            "Pod" => {
                let on = object["spec"]["nodeName"].as_str().unwrap().trim_start_matches('w');
                let begins = (addresses.pods)(on);
                object["status"] = json!({"podIP": format!("{begins}{}", number + 2)});
            }
            "Service" => {
                object["spec"]["clusterIP"] = json!(format!("{}{number}", addresses.services));
                let ports = object["spec"]["ports"].as_array_mut().unwrap();
                for (of, port) in ports.iter_mut().enumerate() {
                    port["nodePort"] = json!(30_000 + 10 * number + of);
                }
            }
            _ => {}
        }
        by_kind.entry(object["kind"].as_str().unwrap().to_owned()).or_default().push(object);
    }
    let (name, team) = ON_MACHINES;
    let namespace = json!({"metadata": {"name": name, "labels": {"team": team}}});
    by_kind.get_mut("Namespace").unwrap().push(namespace);
    by_kind.get_mut("Pod").unwrap().extend(machines.workers.iter().map(on_machine));
    let mut of = |kind: &str| by_kind.remove(kind).unwrap();
    let cluster = Cluster {
        namespaces: of("Namespace"),
        pods: of("Pod"),
        policies: of("NetworkPolicy"),
        wider: Vec::new(),
    };
    let services = of("Service");
    assert!(by_kind.is_empty());
    (machines, cluster, services)
}

#[test]
fn the_matrix_for_machines_says_both_often_and_rules_agree() {
    [IPV4, IPV6].iter().for_each(says_both_and_rules_agree);
}

fn says_both_and_rules_agree(addresses: &Addresses) {
    let (machines, cluster, services) = lab_of(addresses);
    let found = tries(&cluster, &services, &machines);
    let tries = &found.all;
    let allowed = tries.iter().filter(|it| it.is_allowed).count();
    let share = |count: usize| count * 3 >= tries.len();
    assert!(tries.len() >= 100 && share(allowed) && share(tries.len() - allowed), "{allowed}");
    let of = |protocol: &str, is_allowed: bool| {
        tries.iter().filter(|it| it.protocol == protocol && it.is_allowed == is_allowed).count()
    };
    assert!(of("UDP", true) > 20 && of("UDP", false) > 20);
    let mut world = world(&cluster, true);
    let range = |worker: usize| vec![(addresses.of_worker)(worker).parse().unwrap()];
    world.ranges = [1, 2].map(|worker| (format!("w{worker}"), range(worker))).into();
    for worker in [1, 2] {
        let home = Home {
            node: format!("w{worker}"),
            ranges: range(worker),
            all: vec![addresses.of_all.parse().unwrap()],
            attached: BTreeMap::new(),
        };
        let rules = compile(&world, &home);
        let is_own = |address| home.ranges[0].contains(address);
        for it in tries {
            let server = cluster.pods.iter().find(|pod| {
                let name = &pod["metadata"]["name"];
                it.to.0
                    == format!(
                        "{}/{}",
                        pod["metadata"]["namespace"].as_str().unwrap(),
                        name.as_str().unwrap()
                    )
            });
            let server = match server {
                Some(pod) => pod["status"]["podIP"].as_str().unwrap().parse().unwrap(),
                None => it.target.0,
            };
            let protocol = if it.protocol == "UDP" { Protocol::Udp } else { Protocol::Tcp };
            let (client, port) = (it.from_address, Some((protocol, it.to.1)));
            let connection = Connection { client, server, port };
            let own_machine = machines.workers[worker - 1].address;
            for (direction, own) in [(Direction::Egress, client), (Direction::Ingress, server)] {
                if is_own(own) && it.is_allowed && client != own_machine {
                    assert!(rules.lets(direction, &connection), "{}: {it:?}, {direction}", it.from);
                }
            }
            // Where both ends are here, one of them refuses.
            if is_own(client) && is_own(server) && !it.is_allowed {
                let lets = |direction| rules.lets(direction, &connection);
                assert!(!(lets(Direction::Egress) && lets(Direction::Ingress)), "{it:?}");
            }
        }
    }
}

/// Says whether what goes from somebody to a port of an address is tried, and what should come of it.
fn said(tries: &Tries<'_>, from: &str, target: (&str, u16)) -> Option<bool> {
    of(&tries.all, from, target)
}

fn of(tries: &[Try], from: &str, target: (&str, u16)) -> Option<bool> {
    let target = (target.0.parse().unwrap(), target.1);
    tries.iter().find(|it| it.from == from && it.target == target).map(|it| it.is_allowed)
}

#[test]
fn what_upstream_leaves_open_is_counted_apart_with_what_ringfort_makes_of_it() {
    let (machines, cluster, services) = lab();
    let tries = tries(&cluster, &services, &machines);
    for open in OPEN {
        let count = tries.left_open.get(open).copied().unwrap_or_default();
        assert!((10..tries.all.len() / 4).contains(&count), "{open}: {count}");
    }
    let address = |name: &str| {
        let pod = cluster.pods.iter().find(|pod| pod["metadata"]["name"] == name).unwrap();
        pod["status"]["podIP"].as_str().unwrap().to_owned()
    };
    let (web, idle) = (address("web-2"), address("idle-2"));
    // A policy selects the team of the pod on w1's network, and says nothing of w1.
    assert_eq!(said(&tries, "matrix-h/on-w1", (web.as_str(), 8080)), None);
    assert_eq!(said(&tries, "matrix-h/on-w1", (web.as_str(), 8085)), Some(false), "whatever it is");
    assert_eq!(said(&tries, "matrix-h/on-w2", (idle.as_str(), 8080)), None, "or its own machine");
    assert_eq!(said(&tries, "matrix-a/web-1", ("10.0.0.22", 8080)), Some(false), "w2 is left out");
    assert_eq!(said(&tries, "matrix-a/web-2", ("10.0.0.21", 8080)), Some(true));
    let db = services.iter().find(|it| it["metadata"]["name"] == "db").unwrap();
    let port =
        |at: usize| u16::try_from(db["spec"]["ports"][at]["nodePort"].as_u64().unwrap()).unwrap();
    // The pod behind it is on w1. By its address cp1 is let in, at TCP alone.
    assert_eq!(said(&tries, "cp1", ("10.0.0.21", port(0))), Some(true));
    assert_eq!(
        said(&tries, "w2", ("10.0.0.21", port(0))),
        None,
        "w2 is not, and w1 is its own machine"
    );
    assert_eq!(said(&tries, "w2", ("10.0.0.22", port(0))), Some(false));
    assert_eq!(said(&tries, "w2", ("10.0.0.11", port(0))), None, "cp1 is let in, and w2 is not");
    assert_eq!(said(&tries, "w2", ("10.0.0.11", port(1))), Some(false), "not with datagrams");
    assert_eq!(said(&tries, "matrix-a/web-2", ("10.0.0.11", port(0))), Some(true));
    assert_eq!(
        said(&tries, "matrix-c/idle-1", ("10.0.0.21", port(0))),
        Some(false),
        "it is closed"
    );

    let own = |from: &str, target: (&str, u16)| of(&tries.own, from, target);
    assert_eq!(
        own("matrix-h/on-w1", (web.as_str(), 8080)),
        Some(false),
        "as w1, which is not let in"
    );
    assert_eq!(own("matrix-h/on-w2", (idle.as_str(), 8080)), Some(true), "as its own machine");
    assert_eq!(own("w2", ("10.0.0.21", port(0))), Some(false), "on w1 it is w2");
    assert_eq!(own("w2", ("10.0.0.11", port(0))), Some(true), "on w1 it is cp1");
    assert_eq!(tries.own.len(), tries.left_open.values().sum::<usize>());
}

#[test]
fn what_differs_by_who_began_is_not_put_down_to_translation() {
    let (machines, mut cluster, services) = lab();
    let counted = |cluster: &Cluster| {
        let tries = tries(cluster, &services, &machines);
        let straight = tries.own.iter().filter(|it| it.target.1 < 30_000).count();
        (OPEN.map(|open| tries.left_open.get(open).copied().unwrap_or_default()), straight)
    };
    let ([of_hosts, _], straight) = counted(&cluster);
    assert!(of_hosts > straight, "{of_hosts}: some go through NodePorts");
    cluster.pods.retain(|pod| pod["spec"]["hostNetwork"] != true);
    let ([of_hosts, of_translation], straight) = counted(&cluster);
    assert!(of_hosts == 0 && straight == 0 && of_translation > 0, "{of_hosts}, {of_translation}");
}
