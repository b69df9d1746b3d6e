//! Services and EndpointSlices, as far as where they lead a connection depends on them.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::object::{Place, Protocol, Unreadable, place};
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
    /// Whether it leads pods to nothing but what is on their own node.
    pub internal_local: bool,
    /// Whether a node leads connections from outside of the cluster to nothing but what is on it.
    pub external_local: bool,
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
        internal_local: is_local(&written.internal_traffic_policy),
        external_local: is_local(&written.external_traffic_policy),
    })
}

/// Reads an EndpointSlice; none where it is of no Service.
///
/// # Errors
/// What it lists cannot be read.
pub fn endpoint_slice(object: &Value) -> Result<Option<Slice>, Unreadable> {
    let fail = |why: String| Unreadable::of("EndpointSlice", object, why);
    let of = object["metadata"]["labels"][OF_SERVICE].as_str();
    let (Some(own), Some(of)) = (place(object), of) else { return Ok(None) };
    let written = WrittenSlice::deserialize(object).map_err(|error| fail(error.to_string()))?;
    let ports = written.ports.unwrap_or_default().into_iter().filter_map(|port| {
        let (name, protocol) = (port.name.unwrap_or_default(), port.protocol.unwrap_or_default());
        Some(SlicePort { name, protocol, number: port.port? })
    });
    let ends = written.endpoints.unwrap_or_default().into_iter().filter_map(WrittenEnd::read);
    let (ports, ends) = (ports.collect(), ends.collect());
    Ok(Some(Slice { service: Place::new(own.namespace, of), ports, ends }))
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
    external_name: Option<String>,
    internal_traffic_policy: Option<String>,
    external_traffic_policy: Option<String>,
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

    use super::{Leads, Protocol, Service, TargetPort, endpoint_slice, service};

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
        let read = endpoint_slice(&slice(json!({"kubernetes.io/service-name": "s"})));
        let read = read.unwrap().unwrap();
        assert_eq!(read.service.to_string(), "a/s");
        let ports: Vec<_> = read.ports.iter().map(|it| (it.protocol, it.number)).collect();
        assert_eq!(ports, [(Protocol::Udp, 53)]);
        let ends: Vec<_> =
            read.ends.iter().map(|it| (it.address.to_string(), it.node.as_deref())).collect();
        assert_eq!(ends, [("10.0.0.1".to_owned(), Some("w1")), ("10.0.0.3".to_owned(), None)]);
        assert_eq!(endpoint_slice(&slice(json!({}))).unwrap(), None);
    }
}
