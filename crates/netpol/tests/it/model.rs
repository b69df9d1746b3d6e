//! What Kubernetes says of policies, read from the objects themselves, one connection at a time.

use std::net::IpAddr;

use serde_json::Value;

use crate::random::Cluster;

/// A connection, and the ends that are pods.
pub(crate) struct Asked<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) client: Option<&'a Value>,
    pub(crate) client_ip: IpAddr,
    pub(crate) server: Option<&'a Value>,
    pub(crate) server_ip: IpAddr,
    pub(crate) protocol: &'a str,
    pub(crate) port: u16,
}

/// What holds without a policy: closed but for DNS, or open.
#[derive(Clone, Copy)]
pub(crate) struct Closed(pub(crate) bool);

impl Asked<'_> {
    pub(crate) fn egress(&self, closed: Closed) -> bool {
        let Some(pod) = self.client else { return true };
        self.judge(pod, "Egress", closed)
    }

    pub(crate) fn ingress(&self, closed: Closed) -> bool {
        let Some(pod) = self.server else { return true };
        self.judge(pod, "Ingress", closed)
    }

    fn judge(&self, pod: &Value, way: &str, closed: Closed) -> bool {
        let namespace = &pod["metadata"]["namespace"];
        if self.client_ip == self.server_ip {
            return true;
        }
        let mut isolated = false;
        if closed.0 && self.namespace(namespace)["metadata"]["labels"]["opened"].is_null() {
            isolated = true;
            if way == "Egress" && self.is_dns() {
                return true;
            }
        }
        for policy in &self.cluster.policies {
            let spec = &policy["spec"];
            if policy["metadata"]["namespace"] != *namespace
                || !selects(&spec["podSelector"], pod)
                || !is_of_way(spec, way)
            {
                continue;
            }
            isolated = true;
            let (rules, peers) =
                if way == "Egress" { (&spec["egress"], "to") } else { (&spec["ingress"], "from") };
            for rule in list(rules) {
                let any_peer = list(&rule[peers]).is_empty();
                let any_port = list(&rule["ports"]).is_empty();
                let peer = any_peer
                    || list(&rule[peers]).iter().any(|it| self.is_peer(it, way, namespace));
                let port = any_port || list(&rule["ports"]).iter().any(|it| self.is_port(it));
                if peer && port {
                    return true;
                }
            }
        }
        !isolated
    }

    fn namespace(&self, name: &Value) -> &Value {
        self.cluster.namespaces.iter().find(|it| it["metadata"]["name"] == *name).unwrap()
    }

    fn is_dns(&self) -> bool {
        self.server.is_some_and(|pod| {
            pod["metadata"]["namespace"] == "kube-system" && pod["metadata"]["labels"]["app"] == "x"
        }) && self.port == 53
            && self.protocol != "SCTP"
    }

    fn is_peer(&self, peer: &Value, way: &str, own: &Value) -> bool {
        let (other, ip) = match way {
            "Egress" => (self.server, self.server_ip),
            _ => (self.client, self.client_ip),
        };
        if !peer["ipBlock"].is_null() {
            let within = |range: &Value| within(range.as_str().unwrap(), ip);
            return within(&peer["ipBlock"]["cidr"])
                && !list(&peer["ipBlock"]["except"]).iter().any(within);
        }
        let Some(other) = other else { return false };
        let namespace = &other["metadata"]["namespace"];
        let of_namespace = match peer.get("namespaceSelector") {
            None => namespace == own,
            Some(selector) => selects(selector, self.namespace(namespace)),
        };
        of_namespace && peer.get("podSelector").is_none_or(|selector| selects(selector, other))
    }

    fn is_port(&self, port: &Value) -> bool {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        if protocol != self.protocol {
            return false;
        }
        match &port["port"] {
            Value::Null => true,
            Value::Number(number) => {
                let first = number.as_u64().unwrap();
                let last = port["endPort"].as_u64().unwrap_or(first);
                (first..=last).contains(&self.port.into())
            }
            name => self.server.is_some_and(|pod| {
                list(&pod["spec"]["containers"][0]["ports"]).iter().any(|it| {
                    it["name"] == *name
                        && it["containerPort"] == self.port
                        && it["protocol"].as_str().unwrap_or("TCP") == protocol
                })
            }),
        }
    }
}

fn is_of_way(spec: &Value, way: &str) -> bool {
    match spec["policyTypes"].as_array() {
        Some(types) => types.iter().any(|it| it == way),
        None => way == "Ingress" || !spec["egress"].is_null(),
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn selects(selector: &Value, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    let wanted = selector["matchLabels"].as_object();
    wanted.into_iter().flatten().all(|(key, value)| labels[key] == *value)
        && list(&selector["matchExpressions"]).iter().all(|it| {
            let label = labels.get(it["key"].as_str().unwrap());
            let held = label.is_some_and(|label| list(&it["values"]).contains(label));
            match it["operator"].as_str().unwrap() {
                "In" => held,
                "NotIn" => !held,
                "Exists" => label.is_some(),
                _ => label.is_none(),
            }
        })
}

fn within(range: &str, ip: IpAddr) -> bool {
    let (base, prefix) = range.split_once('/').unwrap();
    let prefix: usize = prefix.parse().unwrap();
    let bits = |ip: IpAddr| -> Vec<u8> {
        match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        }
    };
    let (base, ip) = (bits(base.parse().unwrap()), bits(ip));
    let bit = |bytes: &[u8], at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    base.len() == ip.len() && (0..prefix).all(|at| bit(&base, at) == bit(&ip, at))
}
