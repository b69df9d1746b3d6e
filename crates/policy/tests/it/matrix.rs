//! The matrix that is tried on machines, on invented addresses first: it says both, often, and the rules agree.

use std::collections::BTreeMap;

use ringfort_policy::{Connection, Direction, Home, Protocol, compile};
use serde_json::{Value, json};

use crate::objects::Cluster;
use crate::pairs::{Machine, Machines, tries};
use crate::world::world;

fn machine(name: &str, address: &str) -> Machine {
    Machine { name: name.to_owned(), address: address.parse().unwrap() }
}

/// The machines, the cluster as its API would tell of it, and its Services.
fn lab() -> (Machines, Cluster, Vec<Value>) {
    let machines = Machines {
        control_plane: machine("cp1", "10.0.0.11"),
        workers: [machine("w1", "10.0.0.21"), machine("w2", "10.0.0.22")],
    };
    let mut by_kind: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (number, mut object) in machines.objects("probe").into_iter().enumerate() {
        match object["kind"].as_str().unwrap() {
            "Pod" => {
                let on = object["spec"]["nodeName"].as_str().unwrap().trim_start_matches('w');
                object["status"] = json!({"podIP": format!("10.1.{on}.{}", number + 2)});
            }
            "Service" => object["spec"]["clusterIP"] = json!(format!("10.96.0.{number}")),
            _ => {}
        }
        by_kind.entry(object["kind"].as_str().unwrap().to_owned()).or_default().push(object);
    }
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
    let (machines, cluster, services) = lab();
    let tries = tries(&cluster, &services, &machines);
    let allowed = tries.iter().filter(|it| it.is_allowed).count();
    let share = |count: usize| count * 3 >= tries.len();
    assert!(tries.len() >= 100 && share(allowed) && share(tries.len() - allowed), "{allowed}");
    let of = |protocol: &str, is_allowed: bool| {
        tries.iter().filter(|it| it.protocol == protocol && it.is_allowed == is_allowed).count()
    };
    assert!(of("UDP", true) > 20 && of("UDP", false) > 20);
    let mut world = world(&cluster, true);
    let range = |worker: usize| vec![format!("10.1.{worker}.0/24").parse().unwrap()];
    world.ranges = [1, 2].map(|worker| (format!("w{worker}"), range(worker))).into();
    for worker in [1, 2] {
        let home = Home {
            node: format!("w{worker}"),
            ranges: range(worker),
            all: vec!["10.1.0.0/16".parse().unwrap()],
            attached: BTreeMap::new(),
        };
        let rules = compile(&world, &home);
        let is_own = |address| home.ranges[0].contains(address);
        for it in &tries {
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
