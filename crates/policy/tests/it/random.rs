//! Clusters as they come: objects in the API's own shape.

use serde_json::{Map, Value, json};

use crate::chance::Chance;
use crate::objects::Cluster;

pub(crate) const NODES: [&str; 3] = ["n0", "n1", "n2"];
pub(crate) const PORTS: [u16; 5] = [53, 80, 81, 443, 8080];
const NAMESPACES: [&str; 4] = ["a", "b", "c", "kube-system"];
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

pub(crate) fn cluster(chance: &mut Chance) -> Cluster {
    let namespaces = NAMESPACES.iter().map(|name| {
        let mut labels = labels(chance);
        labels.insert("kubernetes.io/metadata.name".into(), json!(name));
        if chance.once_in(6) {
            labels.insert("opened".into(), json!("yes"));
        }
        json!({"metadata": {"name": name, "labels": labels}})
    });
    let namespaces = namespaces.collect();
    let pods = (0..14).map(|number| pod(chance, number)).collect();
    let many = chance.below(9);
    let policies = (0..many).map(|number| policy(chance, number)).collect();
    let many = chance.below(6);
    let wider = (0..many).map(|number| wider(chance, number)).collect();
    Cluster { namespaces, pods, policies, wider }
}

fn labels(chance: &mut Chance) -> Map<String, Value> {
    let mut labels = Map::new();
    for key in ["app", "tier"] {
        if !chance.once_in(3) {
            labels.insert(key.to_owned(), json!(chance.pick(&["x", "y", "z"])));
        }
    }
    labels
}

fn pod(chance: &mut Chance, number: usize) -> Value {
    let node = chance.below(3);
    let named = chance.pick(&["web", "dns", "other"]);
    let ports = json!([
        {"name": named, "containerPort": chance.pick(&PORTS), "protocol": chance.pick(&PROTOCOLS)},
        {"containerPort": 9},
    ]);
    let own_network = chance.once_in(10);
    let v4 =
        if own_network { format!("10.0.0.1{node}") } else { format!("10.1.{node}.{}", number + 2) };
    let mut ips = vec![json!({"ip": v4})];
    if chance.once_in(2) && !own_network {
        ips.push(json!({"ip": format!("fd00:{node}::{}", number + 2)}));
    }
    let mut object = json!({
        "metadata": {
            "name": format!("p{number}"),
            "namespace": chance.pick(&NAMESPACES),
            "uid": format!("u{number}"),
            "labels": labels(chance),
        },
        "spec": {"nodeName": NODES[node], "containers": [{"name": "c", "ports": ports}]},
        "status": {"phase": chance.pick(&["Running", "Running", "Running", "Succeeded"]), "podIPs": ips},
    });
    if own_network {
        object["spec"]["hostNetwork"] = json!(true);
    }
    if chance.once_in(6) {
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    }
    object
}

fn selector(chance: &mut Chance) -> Value {
    let key = chance.pick(&["app", "tier"]);
    let values = json!([chance.pick(&["x", "y"]), chance.pick(&["y", "z"])]);
    match chance.below(7) {
        0 | 1 => json!({}),
        2 => json!({"matchLabels": {key: chance.pick(&["x", "y", "z"])}}),
        3 => json!({"matchExpressions": [{"key": key, "operator": "In", "values": values}]}),
        4 => json!({"matchExpressions": [{"key": key, "operator": "NotIn", "values": values}]}),
        5 => json!({"matchExpressions": [{"key": key, "operator": "Exists"}]}),
        _ => json!({
            "matchLabels": {"app": "x"},
            "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}],
        }),
    }
}

fn peer(chance: &mut Chance) -> Value {
    match chance.below(5) {
        0 => json!({"podSelector": selector(chance)}),
        1 => json!({"namespaceSelector": selector(chance)}),
        2 => json!({"podSelector": selector(chance), "namespaceSelector": selector(chance)}),
        3 => {
            let block = chance.pick(&["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "192.0.2.0/24"]);
            json!({"ipBlock": {
                "cidr": block,
                "except": match chance.below(3) {
                    0 => json!(null),
                    1 => json!(["10.1.1.0/24"]),
                    _ => json!(["10.1.0.0/29", "10.1.0.4/30", "10.0.0.200/32"]),
                },
            }})
        }
        _ => json!({"ipBlock": {"cidr": chance.pick(&["::/0", "fd00:1::/64", "2001:db8::/32"])}}),
    }
}

fn port(chance: &mut Chance) -> Value {
    let protocol = chance.pick(&PROTOCOLS);
    match chance.below(5) {
        0 => json!({"protocol": protocol}),
        1 => json!({"port": chance.pick(&PORTS)}),
        2 => json!({"protocol": protocol, "port": chance.pick(&PORTS)}),
        3 => json!({"protocol": protocol, "port": 80, "endPort": chance.pick(&[80, 90, 443])}),
        _ => json!({"protocol": protocol, "port": chance.pick(&["web", "dns"])}),
    }
}

fn rules(chance: &mut Chance, peers: &str) -> Value {
    let many = chance.below(4);
    let rule = |chance: &mut Chance| {
        let mut rule = json!({});
        if !chance.once_in(4) {
            let many = 1 + chance.below(2);
            rule[peers] = (0..many).map(|_| peer(chance)).collect();
        }
        if !chance.once_in(3) {
            let many = 1 + chance.below(3);
            rule["ports"] = (0..many).map(|_| port(chance)).collect();
        }
        rule
    };
    (0..many).map(|_| rule(chance)).collect()
}

fn policy(chance: &mut Chance, number: usize) -> Value {
    let mut spec = json!({"podSelector": selector(chance)});
    if !chance.once_in(3) {
        spec["ingress"] = rules(chance, "from");
    }
    if !chance.once_in(3) {
        spec["egress"] = rules(chance, "to");
    }
    match chance.below(4) {
        0 => spec["policyTypes"] = json!(["Ingress", "Egress"]),
        1 => spec["policyTypes"] = json!(["Egress"]),
        2 => spec["policyTypes"] = json!(["Ingress"]),
        _ if number.is_multiple_of(2) => spec["policyTypes"] = json!([]),
        _ => {}
    }
    json!({
        "metadata": {"name": format!("np{number}"), "namespace": chance.pick(&NAMESPACES)},
        "spec": spec,
    })
}

fn wider_selectors(chance: &mut Chance) -> Value {
    match chance.once_in(2) {
        true => json!({"namespaces": selector(chance)}),
        false => json!({"pods": {
            "namespaceSelector": selector(chance), "podSelector": selector(chance),
        }}),
    }
}

fn wider_peer(chance: &mut Chance, way: &str) -> Value {
    match chance.below(6) {
        0 if way == "egress" => json!({"networks": [
            chance.pick(&["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "192.0.2.0/24", "10.1.1.0/28"]),
            chance.pick(&["::/0", "fd00:1::/64", "2001:db8::/32"]),
        ]}),
        1 if way == "egress" => json!({"networks": [chance.pick(&["10.0.0.0/24", "fd00::/16"])]}),
        2 => json!({"namespaces": {}}),
        _ => wider_selectors(chance),
    }
}

fn wider_number(chance: &mut Chance) -> Value {
    match chance.once_in(3) {
        true => {
            json!({"range": {"start": chance.pick(&[1, 53, 80]), "end": chance.pick(&[90, 443, 65535])}})
        }
        false => json!({"number": chance.pick(&PORTS)}),
    }
}

/// Ports as the newer kind writes them, and as the older ones do.
fn wider_port(chance: &mut Chance, kind: &str, of_pods: bool) -> Value {
    let name = chance.pick(&["web", "dns"]);
    let by_name = chance.once_in(4) && of_pods;
    if kind == "ClusterNetworkPolicy" {
        return match by_name {
            true => json!({"destinationNamedPort": name}),
            false => {
                let protocol = chance.pick(&["tcp", "udp", "sctp"]);
                json!({protocol: {"destinationPort": wider_number(chance)}})
            }
        };
    }
    let protocol = chance.pick(&PROTOCOLS);
    match (by_name, chance.once_in(3)) {
        (true, _) => json!({"namedPort": name}),
        (false, true) => json!({"portRange": {"protocol": protocol, "start": 53, "end": 443}}),
        (false, false) => {
            json!({"portNumber": {"protocol": protocol, "port": chance.pick(&PORTS)}})
        }
    }
}

fn wider_rule(chance: &mut Chance, kind: &str, way: &str) -> Value {
    let accept = if kind == "ClusterNetworkPolicy" { "Accept" } else { "Allow" };
    let pass = if kind == "BaselineAdminNetworkPolicy" { "Deny" } else { "Pass" };
    let mut rule = json!({"action": chance.pick(&[accept, "Deny", pass])});
    let many = 1 + chance.below(2);
    let mut peers: Vec<Value> = (0..many).map(|_| wider_peer(chance, way)).collect();
    if chance.once_in(12) {
        peers.push(match way {
            "egress" => json!({"domainNames": ["example.org"]}),
            _ => json!({"fromTheFuture": {}}),
        });
    }
    let of_pods = peers.iter().all(|peer| peer["networks"].is_null());
    rule[if way == "egress" { "to" } else { "from" }] = json!(peers);
    if !chance.once_in(3) {
        let many = 1 + chance.below(3);
        let key = if kind == "ClusterNetworkPolicy" { "protocols" } else { "ports" };
        rule[key] = (0..many).map(|_| wider_port(chance, kind, of_pods)).collect();
    }
    rule
}

fn wider(chance: &mut Chance, number: usize) -> Value {
    let newer = "ClusterNetworkPolicy";
    let kind =
        chance.pick(&[newer, newer, newer, "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"]);
    let mut spec = json!({"subject": wider_selectors(chance)});
    for way in ["ingress", "egress"] {
        if !chance.once_in(3) {
            let many = chance.below(4);
            spec[way] = (0..many).map(|_| wider_rule(chance, kind, way)).collect();
        }
    }
    if kind == newer {
        spec["tier"] = json!(chance.pick(&["Admin", "Admin", "Baseline"]));
    }
    if kind != "BaselineAdminNetworkPolicy" {
        // Few numbers, so that some are the same.
        spec["priority"] = json!(chance.below(4) * 7);
    }
    json!({"kind": kind, "metadata": {"name": format!("wide{number}")}, "spec": spec})
}
