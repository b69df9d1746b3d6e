//! What Kubernetes says of policies, read from the objects themselves, one connection at a time.

use std::net::IpAddr;

use serde_json::Value;

use crate::objects::Cluster;

/// A connection, and the ends that are pods.
pub(crate) struct Asked<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) client: Option<&'a Value>,
    pub(crate) client_ip: IpAddr,
    pub(crate) server: Option<&'a Value>,
    pub(crate) server_ip: IpAddr,
    pub(crate) protocol: &'a str,
    pub(crate) port: u16,
    pub(crate) by: By,
}

/// How a pod reaches itself: packets to its own address stay within it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum By {
    Address,
    Service,
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
        let itself = self.client_ip == self.server_ip;
        if itself && self.by == By::Address {
            return true;
        }
        match self.tier(pod, way, "Admin") {
            Some("Accept" | "Allow") => return true,
            Some("Deny") => return false,
            _ => {}
        }
        let is_selected = self.cluster.policies.iter().any(|it| is_for(it, pod, way));
        if !is_selected {
            match self.tier(pod, way, "Baseline") {
                Some("Accept" | "Allow") => return true,
                Some("Deny") => return false,
                _ => {}
            }
        }
        itself || self.judge_by_network_policies(pod, way, closed)
    }

    /// Gives what the first rule of a tier says that means this connection.
    fn tier(&self, pod: &Value, way: &str, tier: &str) -> Option<&'static str> {
        let kinds = ["ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"];
        let tier_of = |it: &Value| match it["kind"].as_str().unwrap() {
            "AdminNetworkPolicy" => "Admin".to_owned(),
            "BaselineAdminNetworkPolicy" => "Baseline".to_owned(),
            _ => it["spec"]["tier"].as_str().unwrap().to_owned(),
        };
        let mut policies: Vec<&Value> = self.cluster.wider.iter().collect();
        policies.retain(|it| tier_of(it) == tier && self.is_any_of(&it["spec"]["subject"], pod));
        policies.sort_by_key(|it| {
            let kind = kinds.iter().position(|kind| it["kind"] == *kind);
            let name = it["metadata"]["name"].as_str().unwrap().to_owned();
            (it["spec"]["priority"].as_u64().unwrap_or(0), kind, name)
        });
        let (rules, peers) = if way == "Egress" { ("egress", "to") } else { ("ingress", "from") };
        for rule in policies.iter().flat_map(|it| list(&it["spec"][rules])) {
            let action = ["Accept", "Allow", "Deny", "Pass"];
            let action = *action.iter().find(|it| rule["action"] == **it).unwrap();
            let peers = list(&rule[peers]);
            let odd =
                |peer: &Value| peer.get("domainNames").or(peer.get("fromTheFuture")).is_some();
            if peers.iter().any(odd) {
                match action {
                    "Accept" | "Allow" => continue,
                    _ => return Some("Deny"),
                }
            }
            let ports = [list(&rule["protocols"]), list(&rule["ports"])].concat();
            if peers.iter().any(|it| self.is_wider_peer(it, way))
                && (ports.is_empty() || ports.iter().any(|it| self.is_wider_port(it)))
            {
                return Some(action);
            }
        }
        None
    }

    fn is_any_of(&self, selectors: &Value, pod: &Value) -> bool {
        let namespace = self.namespace(&pod["metadata"]["namespace"]);
        match selectors.get("pods") {
            Some(both) => {
                selects(&both["namespaceSelector"], namespace) && selects(&both["podSelector"], pod)
            }
            None => selects(&selectors["namespaces"], namespace),
        }
    }

    fn is_wider_peer(&self, peer: &Value, way: &str) -> bool {
        let (other, ip) = match way {
            "Egress" => (self.server, self.server_ip),
            _ => (self.client, self.client_ip),
        };
        match peer.get("networks") {
            Some(all) => list(all).iter().any(|range| within(range.as_str().unwrap(), ip)),
            None => other.is_some_and(|pod| self.is_any_of(peer, pod)),
        }
    }

    fn is_wider_port(&self, port: &Value) -> bool {
        let named = port.get("destinationNamedPort").or(port.get("namedPort"));
        if let Some(name) = named {
            return self.server.is_some_and(|pod| {
                list(&pod["spec"]["containers"][0]["ports"]).iter().any(|it| {
                    it["name"] == *name
                        && it["containerPort"] == self.port
                        && it["protocol"].as_str().unwrap_or("TCP") == self.protocol
                })
            });
        }
        let within = |range: &Value| {
            (range["start"].as_u64().unwrap()..=range["end"].as_u64().unwrap())
                .contains(&self.port.into())
        };
        if let Some(older) = port.get("portNumber").or(port.get("portRange")) {
            return older["protocol"] == self.protocol
                && (older["port"] == self.port || older.get("start").is_some() && within(older));
        }
        let Some(newer) = port.get(self.protocol.to_lowercase()) else { return false };
        let wanted = &newer["destinationPort"];
        wanted["number"] == self.port || wanted.get("range").is_some_and(within)
    }

    fn judge_by_network_policies(&self, pod: &Value, way: &str, closed: Closed) -> bool {
        let namespace = &pod["metadata"]["namespace"];
        let mut isolated = false;
        if closed.0 && self.namespace(namespace)["metadata"]["labels"]["opened"].is_null() {
            isolated = true;
            // Whom a policy selects has what policies list.
            let is_selected = self.cluster.policies.iter().any(|it| is_for(it, pod, way));
            if way == "Egress" && !is_selected && self.is_dns() {
                return true;
            }
        }
        for policy in &self.cluster.policies {
            let spec = &policy["spec"];
            if !is_for(policy, pod, way) {
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

    pub(crate) fn is_dns(&self) -> bool {
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

fn is_for(policy: &Value, pod: &Value, way: &str) -> bool {
    policy["metadata"]["namespace"] == pod["metadata"]["namespace"]
        && selects(&policy["spec"]["podSelector"], pod)
        && is_of_way(&policy["spec"], way)
}

fn is_of_way(spec: &Value, way: &str) -> bool {
    match list(&spec["policyTypes"]).as_slice() {
        [] => way == "Ingress" || !list(&spec["egress"]).is_empty(),
        types => types.iter().any(|it| it == way),
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
