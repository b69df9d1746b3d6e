//! Where a Service leads a connection. Policies see it behind that translation: at a pod or an address, and at
//! the port there.

use std::collections::BTreeMap;
use std::mem;
use std::net::IpAddr;

use ringfort_facts::network::{
    IpFamily, Leads, Place, Pod, Protocol, Selector, Service, ServicePort, Slice, TargetPort,
};

use super::explain::{End, PortWanted};
use super::world::World;

/// The port that is asked about, with a protocol if one was said.
type Asked<'a> = Option<(&'a PortWanted, Option<Protocol>)>;

/// A connection to a Service.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Who begins it.
    pub from: &'a End,
    /// Where the Service is.
    pub place: &'a Place,
    /// The Service.
    pub service: &'a Service,
    /// The EndpointSlices that were seen, of any Service: one without a selector leads to what they list.
    pub slices: &'a [Slice],
}

/// Where it is led.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Translated {
    /// The port of the Service.
    pub port: ServicePort,
    /// Where it may come out, never nowhere.
    pub backends: Vec<Backend>,
    /// Pods that are selected and have no port of the name that is led to.
    pub without_port: Vec<Place>,
    /// The target that is not looked at, where a port of a headless Service was named by its number.
    pub passed_over: Option<TargetPort>,
    /// Whether only backends on the caller's node count and it is not known of all whether they are there.
    pub is_node_unknown: bool,
}

/// An end that a Service leads to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Backend {
    /// The end.
    pub end: End,
    /// The port there.
    pub port: u16,
}

/// Says why a connection is led nowhere; each goes on behind the Service's name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotTranslated {
    /// It is not said which port is meant.
    #[error(transparent)]
    Port(#[from] NoServicePort),
    /// It is not known where the Service leads.
    #[error(transparent)]
    Nowhere(#[from] Nowhere),
}

/// Says why no port of a Service is meant.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoServicePort {
    /// No port was named, and it has none.
    #[error("has no ports of its own: name a port of its pods, such as 8080")]
    Portless,
    /// More than one port could be meant.
    #[error("has several ports that could be meant: name one of {ports}")]
    Several {
        /// Those that could.
        ports: String,
    },
    /// It has no such port.
    #[error("has no port {asked}: its ports are {ports}")]
    Other {
        /// What was asked for.
        asked: String,
        /// What it has.
        ports: String,
    },
}

/// Says why it is not known where a Service leads.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Nowhere {
    /// It stands for another name.
    #[error(
        "stands for the name {name:?} and for no pods (ExternalName): policies judge the address that the name has \
         when it is asked for, so ask about that address"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Others say where it leads.
    #[error(
        "has no selector, so that others say where it leads, and no EndpointSlice of it was seen that lists an end \
         for this port: ask about an address that it leads to"
    )]
    Others,
    /// No pod is selected.
    #[error("selects pods with {selector}, and there is none in namespace {namespace}")]
    Nobody {
        /// What is selected.
        selector: String,
        /// Where.
        namespace: String,
    },
    /// No pod that is selected has an address.
    #[error(
        "selects pods with {selector}, and none of those in namespace {namespace} has an address that it could lead \
         to"
    )]
    Waiting {
        /// What is selected.
        selector: String,
        /// Where.
        namespace: String,
    },
    /// No pod that is selected has the port.
    #[error(
        "leads to the {protocol} port called {name:?}, and none of the pods that it selects has one"
    )]
    NoTarget {
        /// The port's name.
        name: String,
        /// Its protocol.
        protocol: Protocol,
    },
    /// None is on the node that counts.
    #[error(
        "leads to what is on the caller's own node and nowhere else (internalTrafficPolicy: Local), and nothing is \
         on {node}"
    )]
    NotHere {
        /// The node.
        node: String,
    },
}

/// Finds where a Service leads a connection at a port: a number or a name of the Service's own, with a protocol if
/// one was said. Pods count whether they are ready or not, once they have an address where a cluster says how they
/// are, and those that were asked to end only where no other is left.
///
/// # Errors
/// It is not known, or the port is none.
pub fn translate(
    world: &World,
    call: &Call<'_>,
    asked: Asked<'_>,
) -> Result<Translated, NotTranslated> {
    match &call.service.leads {
        Leads::Name(name) => Err(Nowhere::Name { name: name.clone() }.into()),
        Leads::Pods(selector) => {
            let (port, passed_over) = taken(call.service, asked)?;
            Ok(Translated { passed_over, ..call.pods(world, selector, port)? })
        }
        Leads::Others => {
            let (port, _) = taken(call.service, asked)?;
            Ok(call.others(world, port, is_plain(call.service, asked))?)
        }
    }
}

impl Call<'_> {
    fn pods(
        &self,
        world: &World,
        selector: &Selector,
        port: ServicePort,
    ) -> Result<Translated, Nowhere> {
        let namespace = &self.place.namespace;
        let is_selected = |(place, pod): &(&Place, &Pod)| {
            place.namespace == *namespace && !pod.ended && selector.selects(&pod.labels)
        };
        let mut selected: Vec<(&Place, &Pod)> = world.pods.iter().filter(is_selected).collect();
        let is_any = !selected.is_empty();
        selected.retain(|(_, pod)| self.may_reach(pod));
        if selected.is_empty() {
            let (selector, namespace) = (selector.to_string(), namespace.clone());
            return Err(match is_any {
                true => Nowhere::Waiting { selector, namespace },
                false => Nowhere::Nobody { selector, namespace },
            });
        }
        // What a cluster says to be on no node is not on the caller's.
        let is_node_unknown = self.near(world, &mut selected, |(_, pod)| {
            pod.node.as_deref().or(pod.has_status.then_some(""))
        })?;
        let (mut staying, mut ending, mut without_port) = (Vec::new(), Vec::new(), Vec::new());
        for (place, pod) in selected {
            let number = match &port.target {
                TargetPort::Number(number) => Some(*number),
                TargetPort::Name(name) => pod.served(name, port.protocol).next(),
            };
            let backend = number.map(|port| Backend { end: End::Pod(place.clone()), port });
            match (backend, pod.ending) {
                (Some(backend), false) => staying.push(backend),
                (Some(backend), true) => ending.push(backend),
                (None, _) => without_port.push(place.clone()),
            }
        }
        let backends = if staying.is_empty() { ending } else { staying };
        match (&port.target, backends.is_empty()) {
            (TargetPort::Name(name), true) => {
                Err(Nowhere::NoTarget { name: name.clone(), protocol: port.protocol })
            }
            _ => {
                let passed_over = None;
                Ok(Translated { port, backends, without_port, passed_over, is_node_unknown })
            }
        }
    }

    /// Says whether a pod has an address that the Service could lead to. What no cluster runs yet will have one.
    fn may_reach(&self, pod: &Pod) -> bool {
        !pod.has_status || pod.addresses.iter().any(|address| self.is_of_family(*address))
    }

    fn is_of_family(&self, address: IpAddr) -> bool {
        self.service.family.is_none_or(|family| family == IpFamily::of(address))
    }

    fn others(
        &self,
        world: &World,
        port: ServicePort,
        is_plain: bool,
    ) -> Result<Translated, Nowhere> {
        let mut ends: BTreeMap<(IpAddr, u16), Option<&str>> = BTreeMap::new();
        for slice in self.slices.iter().filter(|slice| slice.service == *self.place) {
            let name = port.name.as_deref().unwrap_or_default();
            let of_port = slice.ports.iter();
            let of_port = of_port.filter(|it| it.name == name && it.protocol == port.protocol);
            let numbers: Vec<u16> = match is_plain {
                true => vec![port.number],
                false => of_port.map(|it| it.number).collect(),
            };
            for end in slice.ends.iter().filter(|end| self.is_of_family(end.address)) {
                let node = end.node.as_deref();
                ends.extend(numbers.iter().map(|number| ((end.address, *number), node)));
            }
        }
        if ends.is_empty() {
            return Err(Nowhere::Others);
        }
        let mut ends: Vec<_> = ends.into_iter().collect();
        // An end that names no node is on no caller's.
        let is_node_unknown =
            self.near(world, &mut ends, |(_, node)| Some(node.unwrap_or_default()))?;
        let ends = ends.into_iter();
        let backends =
            ends.map(|((address, port), _)| Backend { end: End::Address(address), port }).collect();
        let (without_port, passed_over) = (Vec::new(), None);
        Ok(Translated { port, backends, without_port, passed_over, is_node_unknown })
    }

    /// Leaves only what is on the caller's node, where nothing else counts, and says whether that is not known.
    fn near<T>(
        &self,
        world: &World,
        ends: &mut Vec<T>,
        node_of: impl Fn(&T) -> Option<&str>,
    ) -> Result<bool, Nowhere> {
        // Nothing is translated for a headless Service, so that nothing is left out either.
        if !self.service.internal_local || self.service.is_headless {
            return Ok(false);
        }
        let own = match self.from {
            End::Pod(place) => world.pods.get(place).and_then(|pod| pod.node.as_deref()),
            End::Address(_) => None,
        };
        let Some(own) = own else { return Ok(true) };
        ends.retain(|end| node_of(end).is_none_or(|node| node == own));
        match ends.is_empty() {
            true => Err(Nowhere::NotHere { node: own.to_owned() }),
            false => Ok(ends.iter().any(|end| node_of(end).is_none())),
        }
    }
}

/// Whether a connection goes to the very port that is asked about: nothing is translated for a headless Service. Who
/// knows the name of a port asks DNS for its number, which is then that of its target at each end.
fn is_plain(service: &Service, asked: Asked<'_>) -> bool {
    service.is_headless && !matches!(asked, Some((PortWanted::Name(_), _)))
}

/// Finds the port that is meant as it is translated, and the target that is passed over where it is not.
fn taken(
    service: &Service,
    asked: Asked<'_>,
) -> Result<(ServicePort, Option<TargetPort>), NoServicePort> {
    let mut port = port(service, asked)?;
    let own = TargetPort::Number(port.number);
    if !is_plain(service, asked) || port.target == own {
        return Ok((port, None));
    }
    let passed_over = mem::replace(&mut port.target, own);
    Ok((port, Some(passed_over)))
}

fn port(service: &Service, asked: Asked<'_>) -> Result<ServicePort, NoServicePort> {
    let all = &service.ports;
    let Some((wanted, protocol)) = asked else {
        return match all.as_slice() {
            [] => Err(NoServicePort::Portless),
            [one] => Ok(one.clone()),
            several => Err(NoServicePort::Several { ports: listed(several) }),
        };
    };
    let is_meant = |it: &&ServicePort| {
        protocol.is_none_or(|protocol| protocol == it.protocol)
            && match wanted {
                PortWanted::Number(number) => it.number == *number,
                PortWanted::Name(name) => it.name.as_ref() == Some(name),
            }
    };
    let meant: Vec<&ServicePort> = all.iter().filter(is_meant).collect();
    // As everywhere, a number without a protocol is TCP's, where TCP has it.
    let tcp = meant.iter().find(|it| it.protocol == Protocol::Tcp);
    match (meant.as_slice(), tcp, wanted) {
        ([one], _, _) => Ok((*one).clone()),
        ([], _, PortWanted::Number(number)) if service.is_headless => Ok(ServicePort {
            name: None,
            protocol: protocol.unwrap_or_default(),
            number: *number,
            target: TargetPort::Number(*number),
        }),
        ([], _, _) => {
            let written = match wanted {
                PortWanted::Number(number) => number.to_string(),
                PortWanted::Name(name) => name.clone(),
            };
            let behind = protocol.map(|it| format!("/{}", it.word())).unwrap_or_default();
            Err(NoServicePort::Other { asked: written + &behind, ports: listed(all) })
        }
        (_, Some(tcp), _) => Ok((*tcp).clone()),
        (several, None, _) => {
            Err(NoServicePort::Several { ports: listed(several.iter().copied()) })
        }
    }
}

fn listed<'a>(ports: impl IntoIterator<Item = &'a ServicePort>) -> String {
    let words: Vec<String> = ports.into_iter().map(ToString::to_string).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use ringfort_facts::network::{Place, Protocol, Slice, endpoint_slice, place, pod, service};
    use serde_json::{Value, json};

    use super::{Call, translate};
    use crate::explain::{End, PortWanted};
    use crate::world::World;

    /// Two pods of the application, one of which calls no port `http`, and one of another.
    fn world() -> World {
        let mut world = World::default();
        let mut put = |name: &str, app: &str, node: Option<&str>, ports: Value| {
            let object = json!({
                "metadata": {"namespace": "a", "name": name, "labels": {"app": app}},
                "spec": {"nodeName": node, "containers": [{"ports": ports}]},
            });
            world.pods.insert(place(&object).unwrap(), pod(&object));
        };
        put("web-0", "web", Some("w1"), json!([{"name": "http", "containerPort": 8080}]));
        put("web-1", "web", Some("w2"), json!([{"containerPort": 8080}]));
        put("other", "other", Some("w3"), json!([]));
        put("waiting", "other", None, json!([]));
        world
    }

    /// Says where a Service leads the pod `from` at a port, or why nowhere.
    fn led(spec: &Value, from: &str, port: Option<(PortWanted, Option<Protocol>)>) -> String {
        led_by(&[], spec, from, port)
    }

    /// The same where a cluster says how pods are.
    fn led_live(spec: &Value, pods: &[(&str, Value)]) -> String {
        let mut live = world();
        for (name, object) in pods {
            let mut object = object.clone();
            object["metadata"]["name"] = json!(name);
            object["metadata"]["namespace"] = json!("a");
            object["metadata"]["labels"] = json!({"app": "live"});
            live.pods.insert(place(&object).unwrap(), pod(&object));
        }
        said(&live, &[], spec, ("other", None))
    }

    fn led_by(
        slices: &[Slice],
        spec: &Value,
        from: &str,
        port: Option<(PortWanted, Option<Protocol>)>,
    ) -> String {
        said(&world(), slices, spec, (from, port))
    }

    fn said(
        world: &World,
        slices: &[Slice],
        spec: &Value,
        (from, port): (&str, Option<(PortWanted, Option<Protocol>)>),
    ) -> String {
        let service = service(&json!({"metadata": {"name": "s"}, "spec": spec})).unwrap();
        let (from, place) = (End::Pod(Place::new("a", from)), Place::new("a", "s"));
        let call = Call { from: &from, place: &place, service: &service, slices };
        let (port, protocol) = port.unzip();
        let asked = port.as_ref().map(|port| (port, protocol.flatten()));
        let translated = match translate(world, &call, asked) {
            Ok(translated) => translated,
            Err(why) => return why.to_string(),
        };
        let each = translated.backends.iter().map(|it| match &it.end {
            End::Pod(place) => format!("{}:{}", place.name, it.port),
            End::Address(address) => format!("{address}:{}", it.port),
        });
        let mut words = vec![translated.port.protocol.to_string()];
        words.extend(each);
        words.extend(translated.without_port.iter().map(|it| format!("not {}", it.name)));
        words.extend(translated.passed_over.iter().map(|it| format!("and not {it}")));
        words.extend(translated.is_node_unknown.then(|| "perhaps".to_owned()));
        words.join(" ")
    }

    fn number(number: u16) -> Option<(PortWanted, Option<Protocol>)> {
        Some((PortWanted::Number(number), None))
    }

    fn name(name: &str) -> Option<(PortWanted, Option<Protocol>)> {
        Some((PortWanted::Name(name.to_owned()), None))
    }

    fn of(ports: &Value) -> Value {
        json!({"selector": {"app": "web"}, "ports": ports})
    }

    #[test]
    fn a_port_leads_to_its_target_at_each_pod() {
        let numbers = of(&json!([{"port": 80, "targetPort": 8080}]));
        assert_eq!(led(&numbers, "other", None), "TCP web-0:8080 web-1:8080");
        assert_eq!(led(&numbers, "other", number(80)), "TCP web-0:8080 web-1:8080");
        let names = of(&json!([{"port": 80, "targetPort": "http"}]));
        assert_eq!(led(&names, "other", None), "TCP web-0:8080 not web-1");
        let none = of(&json!([{"port": 80, "targetPort": "gone"}]));
        assert!(led(&none, "other", None).contains("TCP port called \"gone\", and none of the"));
        let nobody = json!({"selector": {"app": "gone"}, "ports": [{"port": 80}]});
        assert!(led(&nobody, "other", None).contains("app=gone, and there is none in namespace a"));
    }

    #[test]
    fn the_port_that_is_meant_is_found_or_asked_for() {
        let dns = of(&json!([
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "port": 53},
            {"name": "metrics", "port": 9153, "protocol": "UDP"},
        ]));
        assert!(led(&dns, "other", number(53)).starts_with("TCP "));
        assert!(led(&dns, "other", number(9153)).starts_with("UDP "));
        assert!(led(&dns, "other", name("dns")).starts_with("UDP "));
        let udp = Some((PortWanted::Number(53), Some(Protocol::Udp)));
        assert!(led(&dns, "other", udp).starts_with("UDP "));
        let several = "has several ports that could be meant: name one of dns (53/udp), dns-tcp (53/tcp), \
                       metrics (9153/udp)";
        assert_eq!(led(&dns, "other", None), several);
        let sctp = Some((PortWanted::Number(53), Some(Protocol::Sctp)));
        assert!(
            led(&dns, "other", sctp).contains("has no port 53/sctp: its ports are dns (53/udp)")
        );
        assert!(led(&dns, "other", name("http")).starts_with("has no port http: "));
    }

    #[test]
    fn a_headless_service_translates_nothing() {
        let mut spec = of(&json!([{"port": 80, "targetPort": 8080}]));
        spec["clusterIP"] = json!("None");
        spec["internalTrafficPolicy"] = json!("Local");
        let both = "TCP web-0:80 web-1:80 and not port 8080";
        assert_eq!(led(&spec, "other", None), both);
        assert_eq!(led(&spec, "other", number(80)), both);
        assert_eq!(led(&spec, "other", number(9)), "TCP web-0:9 web-1:9");
        // Who asks DNS for the name is told the target's number.
        spec["ports"] = json!([{"name": "w", "port": 80, "targetPort": "http"}]);
        assert_eq!(led(&spec, "other", name("w")), "TCP web-0:8080 not web-1");
        spec["ports"] = json!([{"port": 80}]);
        assert_eq!(led(&spec, "other", None), "TCP web-0:80 web-1:80");
        spec["ports"] = json!([]);
        assert!(led(&spec, "other", None).contains("name a port of its pods"));
    }

    #[test]
    fn only_the_caller_s_node_counts_where_the_service_says_so() {
        let mut spec = of(&json!([{"port": 80}]));
        spec["internalTrafficPolicy"] = json!("Local");
        assert_eq!(led(&spec, "web-0", None), "TCP web-0:80");
        assert!(led(&spec, "other", None).ends_with("nothing is on w3"));
        assert_eq!(led(&spec, "waiting", None), "TCP web-0:80 web-1:80 perhaps");
        // What is said of connections from outside is nothing to a pod.
        let mut spec = of(&json!([{"port": 80}]));
        spec["externalTrafficPolicy"] = json!("Local");
        assert_eq!(led(&spec, "web-0", None), "TCP web-0:80 web-1:80");
    }

    #[test]
    fn pods_that_a_cluster_says_to_be_no_ends_are_none() {
        let mut spec = json!({"selector": {"app": "live"}, "ports": [{"port": 80}]});
        let running = |ip: &str| json!({"spec": {"nodeName": "w3"}, "status": {"podIP": ip}});
        let waiting = || json!({"spec": {}, "status": {"phase": "Pending"}});
        let ending = || {
            let mut object = running("10.1.0.9");
            object["metadata"] = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
            object
        };
        let all = [("a", running("10.1.0.1")), ("b", waiting()), ("c", ending())];
        assert_eq!(led_live(&spec, &all), "TCP a:80");
        assert_eq!(led_live(&spec, &all[1..]), "TCP c:80");
        assert!(
            led_live(&spec, &all[1..2]).contains("none of those in namespace a has an address")
        );
        // Of a manifest nobody knows where it will be; of a cluster's pod without a node one does.
        spec["internalTrafficPolicy"] = json!("Local");
        let lost = json!({"spec": {}, "status": {"podIP": "10.1.0.2"}});
        let all = [("a", running("10.1.0.1")), ("lost", lost)];
        assert_eq!(led_live(&spec, &all), "TCP a:80");
        assert_eq!(
            led_live(&spec, &[all[0].clone(), ("new", json!({}))]),
            "TCP a:80 new:80 perhaps"
        );
        spec["ipFamilies"] = json!(["IPv6"]);
        let six = [all[0].clone(), ("six", running("fd00::1"))];
        assert_eq!(led_live(&spec, &six), "TCP six:80");
    }

    #[test]
    fn what_has_no_selector_leads_to_what_slices_list() {
        let spec = json!({"ports": [{"name": "sql", "port": 5432, "targetPort": 1}]});
        let slice = json!({
            "metadata": {
                "namespace": "a",
                "name": "s-1",
                "labels": {"kubernetes.io/service-name": "s"},
            },
            "ports": [{"name": "sql", "port": 6432}, {"name": "other", "port": 1}],
            "endpoints": [{"addresses": ["10.0.0.9"]}, {"addresses": ["10.0.0.8"]}],
        });
        let slices = [endpoint_slice(&slice, Place::new("a", "s")).unwrap()];
        assert_eq!(led_by(&slices, &spec, "other", None), "TCP 10.0.0.8:6432 10.0.0.9:6432");
        assert!(led(&spec, "other", None).contains("no EndpointSlice of it was seen"));
        let external = json!({"type": "ExternalName", "externalName": "db.example.org"});
        assert!(led(&external, "other", None).contains("the name \"db.example.org\""));
    }
}
