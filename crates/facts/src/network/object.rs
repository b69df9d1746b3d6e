//! Pods, namespaces and policies, as far as who may talk to whom depends on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use ringfort_model::net::Cidr;
use serde::Deserialize;
use serde_json::Value;

use super::selector::{Labels, Selector};

/// Where a pod or a policy is found: its namespace and name.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Place {
    /// Makes a place.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A protocol that has ports.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// Where none is said.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
    /// Streams of messages.
    Sctp,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// Gives its number in packets.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// Gives its name in small letters.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

/// A way that connections go, seen from a pod.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
pub enum Direction {
    /// From the pod.
    Egress,
    /// To the pod.
    Ingress,
}

impl Direction {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::Egress, Self::Ingress];

    /// Gives its name in small letters.
    pub fn word(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A pod.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pod {
    /// Which one it is among all that ever had its name, as its runtime knows it: the pod that stands in
    /// the API for one of a machine's own manifests has another uid there.
    pub uid: String,
    /// The node it is placed on.
    pub node: Option<String>,
    /// The addresses of that node, as far as the pod says them.
    pub node_addresses: Vec<IpAddr>,
    /// Its labels.
    pub labels: Labels,
    /// Its addresses, none while it has none.
    pub addresses: Vec<IpAddr>,
    /// Whether it uses its node's own network, where no policy reaches it.
    pub host_network: bool,
    /// Whether it has come to its end: its addresses may be another's already.
    pub ended: bool,
    /// Whether it was asked to end.
    pub ending: bool,
    /// Whether a cluster says how it is: a manifest says only what it is to be.
    pub has_status: bool,
    /// The ports that have names.
    pub ports: Vec<NamedPort>,
}

/// A port of a container that policies may name.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct NamedPort {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its number.
    pub number: u16,
    /// Whether its container ends before the others begin: policies may name it, and no Service leads to it.
    pub is_passing: bool,
}

impl Pod {
    /// Says whether policies are for it, and whether it is a peer that they may select.
    pub fn is_subject(&self) -> bool {
        !self.host_network && !self.ended
    }

    /// Gives the numbers of the ports that have a name.
    pub fn named<'a>(
        &'a self,
        name: &'a str,
        protocol: Protocol,
    ) -> impl Iterator<Item = u16> + 'a {
        self.of_name(name, protocol).map(|port| port.number)
    }

    /// Gives the numbers of the ports that have a name and that Services lead to: those of containers that stay.
    pub fn served<'a>(
        &'a self,
        name: &'a str,
        protocol: Protocol,
    ) -> impl Iterator<Item = u16> + 'a {
        self.of_name(name, protocol).filter(|port| !port.is_passing).map(|port| port.number)
    }

    fn of_name<'a>(
        &'a self,
        name: &'a str,
        protocol: Protocol,
    ) -> impl Iterator<Item = &'a NamedPort> {
        self.ports.iter().filter(move |port| port.name == name && port.protocol == protocol)
    }
}

/// A network policy.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    /// The pods of its namespace that it is for.
    pub selector: Selector,
    /// What may come in, if it says anything of that.
    pub ingress: Option<Vec<Rule>>,
    /// What may go out, if it says anything of that.
    pub egress: Option<Vec<Rule>>,
}

impl Policy {
    /// Gives the rules of a way, if the policy closes it.
    pub fn rules(&self, direction: Direction) -> Option<&[Rule]> {
        match direction {
            Direction::Egress => self.egress.as_deref(),
            Direction::Ingress => self.ingress.as_deref(),
        }
    }

    /// Says whether the policy closes a way of pods of its namespace that have these labels.
    pub fn closes(&self, labels: &Labels, direction: Direction) -> bool {
        self.rules(direction).is_some() && self.selector.selects(labels)
    }

    /// Gives a policy that closes pods and opens nothing: for one that cannot be read.
    pub fn closed() -> Self {
        Self { selector: Selector::default(), ingress: Some(Vec::new()), egress: Some(Vec::new()) }
    }
}

/// What a policy allows: these peers at these ports.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rule {
    /// The other ends; none means all.
    pub peers: Vec<Peer>,
    /// The ports; none means all, and what has no ports.
    pub ports: Vec<Port>,
}

/// An other end.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Peer {
    /// Pods.
    Pods {
        /// Of which namespaces; `None` for the policy's own.
        namespaces: Option<Selector>,
        /// Which of them.
        pods: Selector,
    },
    /// Addresses.
    Block {
        /// The range.
        range: Cidr,
        /// What is taken out of it.
        except: Vec<Cidr>,
    },
}

/// Ports of a protocol.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Port {
    /// From one number to another.
    Numbers(Protocol, u16, u16),
    /// What the pod that is connected to calls by a name.
    Name(Protocol, String),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pods { namespaces, pods } => {
                match pods.is_empty() {
                    true => f.write_str("all pods")?,
                    false => write!(f, "pods with {pods}")?,
                }
                match namespaces {
                    None => f.write_str(" of its own namespace"),
                    Some(all) if all.is_empty() => f.write_str(" of all namespaces"),
                    Some(some) => write!(f, " of namespaces with {some}"),
                }
            }
            Self::Block { range, except } if except.is_empty() => range.fmt(f),
            Self::Block { range, except } => {
                write!(f, "{range} without ")?;
                for (at, each) in except.iter().enumerate() {
                    write!(f, "{}{each}", if at > 0 { ", " } else { "" })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbers(protocol, 0, u16::MAX) => write!(f, "every {protocol} port"),
            Self::Numbers(protocol, first, last) if first == last => {
                write!(f, "{protocol} {first}")
            }
            Self::Numbers(protocol, first, last) => write!(f, "{protocol} {first} to {last}"),
            Self::Name(protocol, name) => write!(f, "the {protocol} port called {name:?}"),
        }
    }
}

/// Says why an object cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind} {place}: {why}")]
pub struct Unreadable {
    kind: &'static str,
    place: String,
    why: String,
}

impl Unreadable {
    /// Says it of an object.
    pub(super) fn of(kind: &'static str, object: &Value, why: String) -> Self {
        let place = place(object).map_or_else(|| "without a name".to_owned(), |it| it.to_string());
        Self { kind, place, why }
    }
}

/// Finds the place of an object of the API.
///
/// # Errors
/// It has no name.
pub fn place(object: &Value) -> Option<Place> {
    let text = |at: &str| object.pointer(at).and_then(Value::as_str);
    let name = text("/metadata/name")?;
    Some(Place::new(text("/metadata/namespace").unwrap_or("default"), name))
}

/// Reads the labels of an object of the API.
pub fn labels(object: &Value) -> Labels {
    strings(object.pointer("/metadata/labels"))
}

fn strings(map: Option<&Value>) -> Labels {
    let entries = map.and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect::<BTreeMap<_, _>>()
}

/// What marks a pod that stands for one of a machine's own manifests, and what it is called there:
/// <https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-config-mirror>.
const MIRROR: &str = "kubernetes.io/config.mirror";
const MANIFEST: &str = "kubernetes.io/config.hash";

/// Reads a pod.
pub fn pod(object: &Value) -> Pod {
    let text = |at: &str| object.pointer(at).and_then(Value::as_str);
    let list = |at: &str| object.pointer(at).and_then(Value::as_array).into_iter().flatten();
    let addresses = |all: &str, first: &str| {
        let all = list(all).filter_map(|each| each["ip"].as_str());
        let all = all.chain(text(first)).filter_map(|ip| ip.parse().ok());
        all.collect::<BTreeSet<IpAddr>>().into_iter().collect()
    };
    // Containers that start before the others and stay are init containers too.
    let is_passing = |first: &Value| first["restartPolicy"] != "Always";
    let first = list("/spec/initContainers").map(|each| (each, is_passing(each)));
    let containers = list("/spec/containers").map(|each| (each, false)).chain(first);
    let ports = containers.flat_map(|(each, is_passing)| {
        let ports = each["ports"].as_array().into_iter().flatten();
        ports.filter_map(move |port| named_port(port, is_passing))
    });
    let annotation = |name: &str| object["metadata"]["annotations"][name].as_str();
    let of_manifest = annotation(MIRROR).and_then(|_| annotation(MANIFEST));
    let uid = of_manifest.or_else(|| text("/metadata/uid"));
    Pod {
        uid: uid.unwrap_or_default().to_owned(),
        node: text("/spec/nodeName").map(str::to_owned),
        node_addresses: addresses("/status/hostIPs", "/status/hostIP"),
        labels: labels(object),
        addresses: addresses("/status/podIPs", "/status/podIP"),
        host_network: object.pointer("/spec/hostNetwork") == Some(&Value::Bool(true)),
        ended: matches!(text("/status/phase"), Some("Succeeded" | "Failed")),
        ending: text("/metadata/deletionTimestamp").is_some(),
        has_status: object["status"].as_object().is_some_and(|status| !status.is_empty()),
        ports: ports.collect(),
    }
}

fn named_port(port: &Value, is_passing: bool) -> Option<NamedPort> {
    let protocol = match port.get("protocol").filter(|it| !it.is_null()) {
        Some(written) => Protocol::deserialize(written).ok()?,
        None => Protocol::default(),
    };
    let number = port["containerPort"].as_u64()?.try_into().ok()?;
    Some(NamedPort { name: port["name"].as_str()?.to_owned(), protocol, number, is_passing })
}

/// Reads a policy.
///
/// # Errors
/// Something of it is unknown or impossible.
pub fn policy(object: &Value) -> Result<Policy, Unreadable> {
    let fail = |why: String| Unreadable::of("NetworkPolicy", object, why);
    let spec = object.get("spec").ok_or_else(|| fail("spec is missing".into()))?;
    let written = WrittenPolicy::deserialize(spec).map_err(|error| fail(error.to_string()))?;
    // Where no types are said, or an empty list of them, the API server writes ingress, and egress if
    // there are rules of it: an empty list of rules is none.
    let types = written.policy_types.as_ref().filter(|types| !types.is_empty());
    let says = |direction| types.map(|types| types.contains(&direction));
    let has_egress = written.egress.as_ref().is_some_and(|rules| !rules.is_empty());
    let ingress = says(Direction::Ingress).unwrap_or(true);
    let egress = says(Direction::Egress).unwrap_or(has_egress);
    let incoming = written.ingress.unwrap_or_default().into_iter();
    let incoming: Result<Vec<Rule>, String> = incoming.map(|it| rule(it.from, it.ports)).collect();
    let outgoing = written.egress.unwrap_or_default().into_iter();
    let outgoing: Result<Vec<Rule>, String> = outgoing.map(|it| rule(it.to, it.ports)).collect();
    let (incoming, outgoing) = (incoming.map_err(fail)?, outgoing.map_err(fail)?);
    Ok(Policy {
        selector: written.pod_selector,
        ingress: ingress.then_some(incoming),
        egress: egress.then_some(outgoing),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenPolicy {
    #[serde(default)]
    pod_selector: Selector,
    #[serde(default)]
    policy_types: Option<Vec<Direction>>,
    #[serde(default)]
    ingress: Option<Vec<WrittenIngress>>,
    #[serde(default)]
    egress: Option<Vec<WrittenEgress>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenIngress {
    #[serde(default)]
    from: Option<Vec<WrittenPeer>>,
    #[serde(default)]
    ports: Option<Vec<WrittenPort>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEgress {
    #[serde(default)]
    to: Option<Vec<WrittenPeer>>,
    #[serde(default)]
    ports: Option<Vec<WrittenPort>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenPeer {
    pod_selector: Option<Selector>,
    namespace_selector: Option<Selector>,
    ip_block: Option<WrittenBlock>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBlock {
    cidr: String,
    #[serde(default)]
    except: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenPort {
    protocol: Option<Protocol>,
    port: Option<NumberOrName>,
    end_port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrName {
    Number(u16),
    Name(String),
}

fn rule(peers: Option<Vec<WrittenPeer>>, ports: Option<Vec<WrittenPort>>) -> Result<Rule, String> {
    let peers = peers.unwrap_or_default().into_iter().map(WrittenPeer::read);
    let ports = ports.unwrap_or_default().into_iter().map(WrittenPort::read);
    Ok(Rule { peers: peers.collect::<Result<_, _>>()?, ports: ports.collect::<Result<_, _>>()? })
}

impl WrittenPeer {
    fn read(self) -> Result<Peer, String> {
        match (self.ip_block, self.pod_selector, self.namespace_selector) {
            (Some(block), None, None) => block.read(),
            (Some(_), ..) => Err("a peer is either ipBlock or selectors".into()),
            (None, None, None) => Err("a peer is empty: it must be selectors or ipBlock".into()),
            (None, pods, namespaces) => {
                Ok(Peer::Pods { namespaces, pods: pods.unwrap_or_default() })
            }
        }
    }
}

impl WrittenBlock {
    fn read(self) -> Result<Peer, String> {
        let range = range(&self.cidr)?;
        let except: Vec<Cidr> =
            self.except.iter().flatten().map(|each| self::range(each)).collect::<Result<_, _>>()?;
        Ok(Peer::Block { range, except })
    }
}

/// Reads a range; bits behind the prefix do not count, as they do not for Kubernetes.
pub(super) fn range(text: &str) -> Result<Cidr, String> {
    let shape = || format!("{text:?} is not a range such as 10.0.0.0/8");
    let (address, prefix) = text.split_once('/').ok_or_else(shape)?;
    let address: IpAddr = address.parse().map_err(|_| shape())?;
    Cidr::holding(address, prefix.parse().map_err(|_| shape())?).ok_or_else(shape)
}

impl WrittenPort {
    fn read(self) -> Result<Port, String> {
        let protocol = self.protocol.unwrap_or_default();
        match (self.port, self.end_port) {
            (None, None) => Ok(Port::Numbers(protocol, 0, u16::MAX)),
            (None, Some(_)) => Err("endPort stands without port".into()),
            (Some(NumberOrName::Number(first)), last) => {
                let last = last.unwrap_or(first);
                if last < first {
                    return Err(format!("endPort {last} is before port {first}"));
                }
                Ok(Port::Numbers(protocol, first, last))
            }
            (Some(NumberOrName::Name(name)), None) => Ok(Port::Name(protocol, name)),
            (Some(NumberOrName::Name(name)), Some(_)) => {
                Err(format!("endPort stands with the name {name:?}"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
