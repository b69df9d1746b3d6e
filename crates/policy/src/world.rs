//! All that who may talk to whom depends on, and the policies that hold of a pod.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use ringfort_facts::network::{
    Direction, Labels, Peer, Place, Pod, Policy, Port, Protocol, Rule, Selector, WiderName,
    WiderPolicy,
};
use ringfort_model::net::Cidr;
use ringfort_model::network_policy::Defaults;

use super::compile::bridge;
use super::span::{Family, of_range};

/// The label by which Kubernetes itself names every namespace.
pub const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The namespaces, pods and policies of a cluster, and what holds without a policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// Labels of namespaces, by name.
    pub namespaces: BTreeMap<String, Labels>,
    /// The pods.
    pub pods: BTreeMap<Place, Pod>,
    /// The policies.
    pub policies: BTreeMap<Place, Policy>,
    /// The cluster-wide policies.
    pub wider: BTreeMap<WiderName, WiderPolicy>,
    /// The ranges of each node's pods, as far as they are known. The first two addresses of each are its
    /// machine's own, and no pod's.
    pub ranges: BTreeMap<String, Vec<Cidr>>,
    /// Namespaces whose policies take more of a node than they may: they close and open nothing.
    pub outgrown: BTreeSet<String>,
    defaults: Defaults,
    default: Policy,
    /// What stands for a policy that says too much.
    shut: Policy,
}

/// Which policy is meant.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum PolicyName {
    /// What holds of closed namespaces without any object.
    Default,
    /// A NetworkPolicy.
    Object(Place),
    /// A cluster-wide policy.
    Wider(WiderName),
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default of the cluster"),
            Self::Object(place) => write!(f, "NetworkPolicy {place}"),
            Self::Wider(name) => name.fmt(f),
        }
    }
}

impl World {
    /// Makes a world of nothing but defaults.
    pub fn new(defaults: Defaults) -> Self {
        let default = default_policy(&defaults);
        Self { defaults, default, shut: Policy::closed(), ..Self::default() }
    }

    /// Gives what holds without a policy.
    pub fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// Says whether a pod may have an address: none that lies in the range of another node's pods.
    pub fn may_have(&self, pod: &Pod, address: IpAddr) -> bool {
        let holds = |ranges: &Vec<Cidr>| ranges.iter().any(|range| range.contains(address));
        let own = pod.node.as_ref().and_then(|node| self.ranges.get(node));
        own.is_some_and(holds) || !self.ranges.values().any(holds)
    }

    /// Finds the pod that has an address, of those that policies are for.
    pub fn holder(&self, address: IpAddr) -> Option<(&Place, &Pod)> {
        let has = |(_, pod): &(&Place, &Pod)| {
            pod.is_subject() && pod.addresses.contains(&address) && self.may_have(pod, address)
        };
        self.pods.iter().find(has)
    }

    /// Says whether an address is that by which a node itself speaks with its own pods: its bridge's.
    pub(crate) fn is_bridge(&self, node: &str, address: IpAddr) -> bool {
        let ranges = self.ranges.get(node).into_iter().flatten();
        let mut bridges = ranges.map(|range| bridge(Family::of(range.base()), of_range(*range)));
        bridges.any(|bridge| bridge == address)
    }

    /// Says whether a namespace is closed without any policy.
    pub fn is_closed(&self, namespace: &str) -> bool {
        is_closed_by(&self.defaults, namespace, self.namespaces.get(namespace))
    }

    /// Gives the same objects where something else holds without a policy.
    #[must_use]
    pub fn under(self, defaults: Defaults) -> Self {
        let default = default_policy(&defaults);
        Self { defaults, default, ..self }
    }

    /// Finds what closes a way of a pod, but for cluster-wide policies; without any of it, the way is open. Of a pod
    /// that has ended it is what would close it if it ran.
    pub fn closing<'a>(
        &'a self,
        place: &'a Place,
        pod: &'a Pod,
        direction: Direction,
    ) -> Vec<(PolicyName, &'a Policy)> {
        if pod.host_network {
            return Vec::new();
        }
        let own = self.within_budget(&place.namespace);
        let own = own.filter(|(_, policy, _)| policy.closes(&pod.labels, direction));
        let own = own.map(|(place, policy, is_within)| {
            let policy = if is_within { policy } else { &self.shut };
            (PolicyName::Object(place.clone()), policy)
        });
        let mut found: Vec<_> = own.collect();
        // Whom a NetworkPolicy selects has what NetworkPolicies list and nothing else, not even DNS.
        if found.is_empty() && self.is_closed(&place.namespace) {
            found.push((PolicyName::Default, &self.default));
        }
        found
    }

    /// Gives the policies of a namespace.
    pub fn policies_in<'a>(
        &'a self,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Place, &'a Policy)> {
        self.policies
            .range(Place::new(namespace, "")..)
            .take_while(move |(place, _)| place.namespace == namespace)
    }
}

/// Says whether what holds without a policy closes a namespace: unless it is open by its name, or by a label as far
/// as its labels are known.
pub fn is_closed_by(defaults: &Defaults, namespace: &str, labels: Option<&Labels>) -> bool {
    let opened = |key: &String| labels.is_some_and(|labels| labels.contains_key(key));
    defaults.closed
        && !defaults.open_namespaces.contains(namespace)
        && !defaults.open_labels.iter().any(opened)
}

/// Writes down what holds of closed namespaces as the policy that it amounts to.
fn default_policy(defaults: &Defaults) -> Policy {
    let mut policy = Policy::closed();
    if let Some(dns) = &defaults.dns {
        let pods = dns.labels.iter().map(|(key, value)| Selector::label(key, value));
        let peer = Peer::Pods {
            namespaces: Some(Selector::label(NAME_LABEL, &dns.namespace)),
            pods: pods.fold(Selector::default(), Selector::and),
        };
        let port = |protocol| Port::Numbers(protocol, dns.port, dns.port);
        policy.egress = Some(vec![Rule {
            peers: vec![peer],
            ports: vec![port(Protocol::Udp), port(Protocol::Tcp)],
        }]);
    }
    policy
}

/// Adds the label that the API server gives to every namespace.
pub fn with_name(mut labels: Labels, namespace: &str) -> Labels {
    labels.insert(NAME_LABEL.to_owned(), namespace.to_owned());
    labels
}
