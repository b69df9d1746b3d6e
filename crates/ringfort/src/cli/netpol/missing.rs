//! The policy that would let a refused connection through at one end, and nothing else. Pure.

use std::net::IpAddr;

use ringfort_model::controllers::LABELS;
use ringfort_model::network_policy::Names;
use ringfort_policy::{Direction, Labels, NAME_LABEL, Place, Pod, Protocol};
use serde_json::{Map, Value, json};

/// The longest part of a policy's name that is made of the other end's.
const LONGEST_NAME: usize = 200;

/// Where a policy's first rule lists its peers, below its spec.
const PEERS: [&str; 2] = ["/egress/0/to", "/ingress/0/from"];

/// The other end of a connection, as a policy can mean it.
pub enum Other<'a> {
    /// A pod.
    Pod(&'a Place, &'a Pod),
    /// Addresses of what is no pod, or of a pod that no selector means.
    Addresses(&'a [IpAddr]),
}

/// A connection that is refused at one end.
pub struct Refused<'a> {
    /// The way, seen from the end that refuses.
    pub direction: Direction,
    /// Where the end that refuses is.
    pub place: &'a Place,
    /// The pod there.
    pub pod: &'a Pod,
    /// The other end.
    pub other: Other<'a>,
    /// How the other end is called.
    pub name: &'a str,
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// Where the pod may ask for names until a NetworkPolicy selects it, if it may.
    pub dns: Option<&'a Names>,
}

impl Refused<'_> {
    /// Writes the policy; none where the other end has nothing that a policy could mean.
    pub fn policy(&self) -> Option<Value> {
        let peers: Vec<Value> = match self.other {
            Other::Pod(place, pod) => vec![json!({
                "namespaceSelector": {"matchLabels": {NAME_LABEL: place.namespace}},
                "podSelector": selector(&pod.labels),
            })],
            Other::Addresses(addresses) => addresses.iter().map(block).collect(),
        };
        if peers.is_empty() {
            return None;
        }
        let (way, peers_key, kind) = match self.direction {
            Direction::Egress => ("egress", "to", "Egress"),
            Direction::Ingress => ("ingress", "from", "Ingress"),
        };
        let port = json!({"protocol": self.protocol.to_string(), "port": self.port});
        let mut rules = vec![json!({peers_key: peers, "ports": [port]})];
        rules.extend(self.dns.map(name_servers));
        Some(json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": self.policy_name(peers_key), "namespace": self.place.namespace},
            "spec": {
                "podSelector": selector(&self.pod.labels),
                "policyTypes": [kind],
                way: rules,
            },
        }))
    }

    fn policy_name(&self, towards: &str) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = self.name.chars().map(letter).take(LONGEST_NAME).collect();
        format!("allow-{towards}-{name}-{}-{}", self.protocol.word(), self.port)
    }
}

/// The rule without which the policy would close DNS, which the pod has had without any.
fn name_servers(dns: &Names) -> Value {
    json!({
        "to": [{
            "namespaceSelector": {"matchLabels": {NAME_LABEL: dns.namespace}},
            "podSelector": {"matchLabels": dns.labels},
        }],
        "ports": [{"protocol": "UDP", "port": dns.port}, {"protocol": "TCP", "port": dns.port}],
    })
}

fn selector(labels: &Labels) -> Value {
    let lasting = |(key, _): &(&String, &String)| !LABELS.contains(&key.as_str());
    let mut kept: Map<String, Value> = labels.iter().filter(lasting).map(entry).collect();
    if kept.is_empty() {
        kept = labels.iter().map(entry).collect();
    }
    if kept.is_empty() { json!({}) } else { json!({"matchLabels": kept}) }
}

fn entry((key, value): (&String, &String)) -> (String, Value) {
    (key.clone(), value.as_str().into())
}

/// Puts policies into one as far as they differ in nothing but the peers of their first rule. Gives it, and which of
/// them it stands for: the first, and those that are like it.
pub fn joined(policies: &[&Value]) -> Option<(Value, Vec<usize>)> {
    let mut policy = (*policies.first()?).clone();
    let (spec, mut peers) = parted(&policy);
    let (own, mut joined) = (peers.len(), Vec::new());
    for (at, other) in policies.iter().enumerate() {
        let (its_spec, its_peers) = parted(other);
        if its_spec != spec {
            continue;
        }
        joined.push(at);
        for peer in its_peers {
            if !peers.contains(&peer) {
                peers.push(peer);
            }
        }
    }
    if peers.len() > own {
        let name = policy["metadata"]["name"].as_str().map(|name| format!("{name}-and-others"));
        policy["metadata"]["name"] = name.into();
        for at in PEERS {
            if let Some(list) = policy["spec"].pointer_mut(at) {
                *list = Value::Array(peers.clone());
            }
        }
    }
    Some((policy, joined))
}

/// Parts a policy's spec from the peers of its first rule.
fn parted(policy: &Value) -> (Value, Vec<Value>) {
    let (mut spec, mut peers) = (policy["spec"].clone(), Vec::new());
    for at in PEERS {
        if let Some(Value::Array(list)) = spec.pointer_mut(at).map(Value::take) {
            peers.extend(list);
        }
    }
    (spec, peers)
}

fn block(address: &IpAddr) -> Value {
    let prefix = if address.is_ipv4() { 32 } else { 128 };
    json!({"ipBlock": {"cidr": format!("{address}/{prefix}")}})
}
