//! Services and EndpointSlices, as far as where they lead a connection depends on them.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::object::{Place, Protocol, Unreadable};
use super::selector::{Labels, Selector};

/// The label by which an EndpointSlice names its Service.
const OF_SERVICE: &str = "kubernetes.io/service-name";

/// A Service: <https://kubernetes.io/docs/concepts/services-networking/service/>.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    /// Where it leads.
    pub leads: Leads,
    /// Whether it has no address of its own: its name leads to its ends' addresses, and nothing is translated.
    pub is_headless: bool,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// The one family of its addresses, and of those that it leads to; none where it has both or nobody says it.
    pub family: Option<IpFamily>,
    /// Whether it leads pods to nothing but what is on their own node.
    pub internal_local: bool,
    /// Whether a node leads connections from outside of the cluster to nothing but what is on it.
    pub external_local: bool,
}

/// A family of addresses, as a Service names it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum IpFamily {
    /// IPv4.
    #[serde(rename = "IPv4")]
    V4,
    /// IPv6.
    #[serde(rename = "IPv6")]
    V6,
}

/// Where a Service leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Leads {
    /// To pods of its namespace.
    Pods(Selector),
    /// To what others write into EndpointSlices.
    Others,
    /// To another name, and nowhere by itself.
    Name(String),
}

/// A port of a Service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServicePort {
    /// Its name.
    pub name: Option<String>,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its number.
    pub number: u16,
    /// The port that it leads to.
    pub target: TargetPort,
}

/// The port that a port of a Service leads to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum TargetPort {
    /// A number.
    Number(u16),
    /// A name that each pod has for a port of its own.
    Name(String),
}

/// An EndpointSlice of a Service: <https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/>.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Slice {
    /// The Service.
    pub service: Place,
    /// The ports that its ends have.
    pub ports: Vec<SlicePort>,
    /// Its ends that are ready.
    pub ends: Vec<SliceEnd>,
}

/// A port of an EndpointSlice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SlicePort {
    /// The name of the Service's port, empty where that has none.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its number.
    pub number: u16,
}

/// An end of an EndpointSlice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SliceEnd {
    /// Its address: of several, the first is the one that is used.
    pub address: IpAddr,
    /// The node that it is on, if it is said.
    pub node: Option<String>,
}

impl IpFamily {
    /// Gives the family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl fmt::Display for ServicePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, protocol, number, .. } = self;
        match name {
            Some(name) => write!(f, "{name} ({number}/{})", protocol.word()),
            None => write!(f, "{number}/{}", protocol.word()),
        }
    }
}

impl fmt::Display for TargetPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "port {number}"),
            Self::Name(name) => write!(f, "the port called {name:?}"),
        }
    }
}

/// Reads a Service.
///
/// # Errors
/// What it leads to cannot be read.
pub fn service(object: &Value) -> Result<Service, Unreadable> {
    let fail = |why: String| Unreadable::of("Service", object, why);
    let spec = object.get("spec").ok_or_else(|| fail("spec is missing".into()))?;
    let written = WrittenService::deserialize(spec).map_err(|error| fail(error.to_string()))?;
    let is_local = |policy: &Option<String>| policy.as_deref() == Some("Local");
    let family = written.family();
    let ports = written.ports.unwrap_or_default();
    let leads = match (written.kind.as_deref(), written.selector) {
        (Some("ExternalName"), _) => Leads::Name(written.external_name.unwrap_or_default()),
        (_, Some(labels)) if !labels.is_empty() => Leads::Pods(all_of(&labels)),
        _ => Leads::Others,
    };
    Ok(Service {
        leads,
        is_headless: written.cluster_ip.as_deref() == Some("None"),
        ports: ports.into_iter().map(WrittenPort::read).collect(),
        family,
        internal_local: is_local(&written.internal_traffic_policy),
        external_local: is_local(&written.external_traffic_policy),
    })
}

/// Gives the name of the Service that an EndpointSlice is of, if it is of one.
pub fn slice_of(object: &Value) -> Option<&str> {
    object["metadata"]["labels"][OF_SERVICE].as_str().filter(|name| !name.is_empty())
}

/// Reads an EndpointSlice of a Service.
///
/// # Errors
/// What it lists cannot be read.
pub fn endpoint_slice(object: &Value, service: Place) -> Result<Slice, Unreadable> {
    let fail = |why: String| Unreadable::of("EndpointSlice", object, why);
    let written = WrittenSlice::deserialize(object).map_err(|error| fail(error.to_string()))?;
    let ports = written.ports.unwrap_or_default().into_iter().filter_map(|port| {
        let (name, protocol) = (port.name.unwrap_or_default(), port.protocol.unwrap_or_default());
        Some(SlicePort { name, protocol, number: port.port? })
    });
    let ends = written.endpoints.unwrap_or_default().into_iter().filter_map(WrittenEnd::read);
    let (ports, ends) = (ports.collect(), ends.collect());
    Ok(Slice { service, ports, ends })
}

fn all_of(labels: &Labels) -> Selector {
    let each = labels.iter().map(|(key, value)| Selector::label(key, value));
    each.fold(Selector::default(), Selector::and)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenService {
    #[serde(rename = "type")]
    kind: Option<String>,
    selector: Option<Labels>,
    ports: Option<Vec<WrittenPort>>,
    #[serde(rename = "clusterIP")]
    cluster_ip: Option<String>,
    #[serde(rename = "clusterIPs")]
    cluster_ips: Option<Vec<String>>,
    ip_families: Option<Vec<IpFamily>>,
    ip_family_policy: Option<String>,
    external_name: Option<String>,
    internal_traffic_policy: Option<String>,
    external_traffic_policy: Option<String>,
}

impl WrittenService {
    /// Gives the one family of its addresses. What asks for both gets the second from the API server, which has
    /// said so where it has written clusterIPs.
    fn family(&self) -> Option<IpFamily> {
        let addresses = self.cluster_ips.iter().flatten().chain(&self.cluster_ip);
        let of_addresses = addresses.filter_map(|it| it.parse().ok()).map(IpFamily::of);
        let families: Vec<IpFamily> = match self.ip_families.as_deref() {
            None | Some([]) => of_addresses.collect(),
            Some(written) => written.to_vec(),
        };
        let policy = self.ip_family_policy.as_deref().unwrap_or_default();
        let is_said = self.cluster_ips.as_ref().is_some_and(|all| !all.is_empty());
        let first = families.first().copied().filter(|_| is_said || !policy.ends_with("DualStack"));
        first.filter(|first| families.iter().all(|it| it == first))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenPort {
    name: Option<String>,
    protocol: Option<Protocol>,
    port: u16,
    target_port: Option<TargetPort>,
}

impl WrittenPort {
    fn read(self) -> ServicePort {
        // The API server takes 0 and an empty text for nothing.
        let target = self.target_port.filter(|target| match target {
            TargetPort::Number(number) => *number != 0,
            TargetPort::Name(name) => !name.is_empty(),
        });
        ServicePort {
            name: self.name.filter(|name| !name.is_empty()),
            protocol: self.protocol.unwrap_or_default(),
            number: self.port,
            target: target.unwrap_or(TargetPort::Number(self.port)),
        }
    }
}

#[derive(Deserialize)]
struct WrittenSlice {
    ports: Option<Vec<WrittenSlicePort>>,
    endpoints: Option<Vec<WrittenEnd>>,
}

#[derive(Deserialize)]
struct WrittenSlicePort {
    name: Option<String>,
    protocol: Option<Protocol>,
    port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenEnd {
    addresses: Option<Vec<String>>,
    conditions: Option<WrittenConditions>,
    node_name: Option<String>,
}

#[derive(Deserialize)]
struct WrittenConditions {
    ready: Option<bool>,
}

impl WrittenEnd {
    /// Gives it if it is ready, which it is where nothing is said of that, and has an address.
    fn read(self) -> Option<SliceEnd> {
        let is_ready = self.conditions.and_then(|it| it.ready).unwrap_or(true);
        let address = self.addresses?.first()?.parse().ok()?;
        is_ready.then_some(SliceEnd { address, node: self.node_name })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{
        IpFamily, Leads, Place, Protocol, Service, TargetPort, endpoint_slice, service, slice_of,
    };

    fn read(spec: &Value) -> Service {
        let metadata = json!({"namespace": "a", "name": "s"});
        service(&json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    #[test]
    fn a_port_without_a_target_leads_to_its_own_number() {
        let target = |port: Value| read(&json!({"ports": [port]})).ports[0].target.clone();
        assert_eq!(target(json!({"port": 80})), TargetPort::Number(80));
        assert_eq!(target(json!({"port": 80, "targetPort": 0})), TargetPort::Number(80));
        assert_eq!(target(json!({"port": 80, "targetPort": ""})), TargetPort::Number(80));
        assert_eq!(target(json!({"port": 80, "targetPort": 8080})), TargetPort::Number(8080));
        assert_eq!(
            target(json!({"port": 80, "targetPort": "http"})),
            TargetPort::Name("http".to_owned())
        );
    }

    #[test]
    fn where_it_leads_follows_from_its_type_and_its_selector() {
        assert!(matches!(read(&json!({"selector": {"app": "a"}})).leads, Leads::Pods(_)));
        for spec in [json!({}), json!({"selector": null}), json!({"selector": {}})] {
            assert_eq!(read(&spec).leads, Leads::Others);
        }
        let named =
            json!({"type": "ExternalName", "externalName": "a.org", "selector": {"a": "b"}});
        assert_eq!(read(&named).leads, Leads::Name("a.org".to_owned()));
        assert!(read(&json!({"clusterIP": "None"})).is_headless);
        assert!(read(&json!({"internalTrafficPolicy": "Local"})).internal_local);
        assert!(!read(&json!({"externalTrafficPolicy": "Cluster"})).external_local);
    }

    #[test]
    fn the_one_family_of_its_addresses_is_known_where_it_is_said() {
        let check = |spec: Value, expected: Option<IpFamily>| {
            assert_eq!(read(&spec).family, expected, "{spec}");
        };
        check(json!({"ipFamilies": ["IPv6"]}), Some(IpFamily::V6));
        check(json!({"ipFamilies": ["IPv4", "IPv6"]}), None);
        check(json!({"clusterIP": "10.96.0.9"}), Some(IpFamily::V4));
        check(json!({"clusterIP": "fd00::9", "clusterIPs": ["fd00::9", "10.96.0.9"]}), None);
        check(json!({"clusterIP": "None"}), None);
        check(json!({}), None);
        // In a manifest it is what is wished for first, in a cluster what there is.
        let mut both = json!({"ipFamilies": ["IPv4"], "ipFamilyPolicy": "PreferDualStack"});
        check(both.clone(), None);
        both["clusterIPs"] = json!(["None"]);
        check(both, Some(IpFamily::V4));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let check = |spec: Value, part: &str| {
            let object = json!({"metadata": {"namespace": "a", "name": "s"}, "spec": spec});
            let error = service(&object).unwrap_err().to_string();
            assert!(error.contains("Service a/s: ") && error.contains(part), "{error}");
        };
        // Read without this label, it would lead to other pods.
        check(json!({"selector": {"version": 1}}), "invalid type");
        check(json!({"ports": [{"port": 80, "protocol": "ICMP"}]}), "unknown variant `ICMP`");
        assert!(service(&json!({"metadata": {"name": "s"}})).is_err());
    }

    #[test]
    fn a_slice_lists_its_service_s_ends_that_are_ready() {
        let slice = |labels: Value| {
            json!({
                "metadata": {"namespace": "a", "name": "s-x", "labels": labels},
                "ports": [{"name": "", "protocol": "UDP", "port": 53}, {"name": "all"}],
                "endpoints": [
                    {"addresses": ["10.0.0.1"], "conditions": {"ready": true}, "nodeName": "w1"},
                    {"addresses": ["10.0.0.2"], "conditions": {"ready": false}},
                    {"addresses": ["10.0.0.3"]},
                    {"addresses": ["a.org"]},
                ],
            })
        };
        let of_service = slice(json!({"kubernetes.io/service-name": "s"}));
        assert_eq!(slice_of(&of_service), Some("s"));
        let read = endpoint_slice(&of_service, Place::new("a", "s")).unwrap();
        assert_eq!(read.service.to_string(), "a/s");
        let ports: Vec<_> = read.ports.iter().map(|it| (it.protocol, it.number)).collect();
        assert_eq!(ports, [(Protocol::Udp, 53)]);
        let ends: Vec<_> =
            read.ends.iter().map(|it| (it.address.to_string(), it.node.as_deref())).collect();
        assert_eq!(ends, [("10.0.0.1".to_owned(), Some("w1")), ("10.0.0.3".to_owned(), None)]);
        assert_eq!(slice_of(&slice(json!({}))), None);
    }
}
