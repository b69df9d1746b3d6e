//! The ends of a connection as they are written on a command line. Pure.

use std::net::{IpAddr, Ipv6Addr};

use ringfort_policy::{End, Place, PortWanted, Protocol};

/// The namespace of a pod that is named alone.
const HOME: &str = "default";

/// How the kind of a Service is written.
const SERVICE: [&str; 3] = ["svc", "service", "services"];

/// An end, with a port if one was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// The end.
    pub end: End,
    /// The port.
    pub port: Option<AtPort>,
}

/// What is reached, with a port if one was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reached {
    /// What it is.
    pub target: Target,
    /// The port.
    pub port: Option<AtPort>,
}

/// What may be reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// An end of the connection.
    End(End),
    /// A Service, which leads to ends.
    Service(Place),
}

/// A port with its protocol.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AtPort {
    /// The port.
    pub port: PortWanted,
    /// The protocol, if one was written: without one it is TCP, or what a Service's port has.
    pub protocol: Option<Protocol>,
}

/// Says why a text is no end of a connection, or no port.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAnEnd {
    /// No pod, address or workload looks like that.
    #[error(
        "{text:?} is neither NAMESPACE/NAME nor an IP address: write it like shop/web-0, \
         shop/deployment/web or 10.0.0.11, with a port like shop/db:5432 or [fd00::1]:5432"
    )]
    Shape {
        /// What was written.
        text: String,
    },
    /// An address stands where only a pod may.
    #[error("{text:?} is an address, and a pod is asked about: write NAMESPACE/NAME")]
    NoPod {
        /// What was written.
        text: String,
    },
    /// A Service stands where only a pod or an address may.
    #[error(
        "{text:?} is a Service, and connections come from pods: name a pod or an address here, and a \
         Service behind --to only{way}"
    )]
    Service {
        /// What was written.
        text: String,
        /// How a pod is written that may have been meant.
        way: String,
    },
    /// The port is none.
    #[error("{text:?} is no port: write a number from 1 to 65535, or a port's name, like 53/udp")]
    Port {
        /// What was written.
        text: String,
    },
    /// The protocol is none.
    #[error("{text:?} is no protocol that has ports: tcp, udp and sctp are")]
    Protocol {
        /// What was written.
        text: String,
    },
}

/// Reads an end that is a pod.
pub fn pod(text: &str) -> Result<Written, NotAnEnd> {
    let written = end(text)?;
    match written.end {
        End::Pod(_) => Ok(written),
        End::Address(_) => Err(NotAnEnd::NoPod { text: text.to_owned() }),
    }
}

/// Reads an end: a pod or an address.
pub fn end(text: &str) -> Result<Written, NotAnEnd> {
    let Reached { target, port } = reached(text)?;
    match target {
        Target::End(end) => Ok(Written { end, port }),
        Target::Service(Place { name, .. }) => {
            let written = text.split(':').next().unwrap_or_default();
            let kind = SERVICE.into_iter().find(|kind| written == format!("{kind}/{name}"));
            let way = kind.map(|kind| {
                format!("; pod {name} of a namespace called {kind} is written {kind}/pod/{name}")
            });
            Err(NotAnEnd::Service { text: text.to_owned(), way: way.unwrap_or_default() })
        }
    }
}

/// Writes a pod as it is asked about: of a namespace that is called as Services are written, it would be one.
pub fn of_pod(place: &Place) -> String {
    let Place { namespace, name } = place;
    match SERVICE.contains(&namespace.as_str()) && !name.contains('/') {
        true => format!("{namespace}/pod/{name}"),
        false => place.to_string(),
    }
}

/// Gives the pods that may have been meant by what was read as a Service.
pub fn instead(service: &Place) -> Vec<Place> {
    let kinds = SERVICE.into_iter().filter(|_| service.namespace == HOME);
    kinds.map(|kind| Place::new(kind, service.name.clone())).collect()
}

/// Reads what is reached: a pod, an address or a Service.
pub fn reached(text: &str) -> Result<Reached, NotAnEnd> {
    let of_address = |address: IpAddr| Target::End(End::Address(address));
    let shape = || NotAnEnd::Shape { text: text.to_owned() };
    if let Ok(address) = text.parse() {
        return Ok(Reached { target: of_address(address), port: None });
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, behind) = rest.split_once(']').ok_or_else(shape)?;
        let address: Ipv6Addr = address.parse().map_err(|_| shape())?;
        let port = match behind.strip_prefix(':') {
            Some(port) => Some(self::port(port)?),
            None if behind.is_empty() => None,
            None => return Err(shape()),
        };
        return Ok(Reached { target: of_address(address.into()), port });
    }
    let (name, port) = match text.split_once(':') {
        Some((name, wanted)) => (name, Some(port(wanted)?)),
        None => (text, None),
    };
    let target = match name.parse() {
        Ok(address) => of_address(address),
        Err(_) => target(name).ok_or_else(shape)?,
    };
    Ok(Reached { target, port })
}

/// Reads a port: a number or a name, with a protocol if it is not TCP.
pub fn port(text: &str) -> Result<AtPort, NotAnEnd> {
    let (port, protocol) = match text.split_once('/') {
        Some((port, protocol)) => (port, Some(self::protocol(protocol)?)),
        None => (text, None),
    };
    let wrong = || NotAnEnd::Port { text: port.to_owned() };
    let port = match port.parse::<u16>() {
        Ok(0) => return Err(wrong()),
        Ok(number) => PortWanted::Number(number),
        Err(_) if is_port_name(port) => PortWanted::Name(port.to_owned()),
        Err(_) => return Err(wrong()),
    };
    Ok(AtPort { port, protocol })
}

fn protocol(text: &str) -> Result<Protocol, NotAnEnd> {
    let of_word = |it: &Protocol| it.word() == text.to_ascii_lowercase();
    let found = Protocol::ALL.into_iter().find(of_word);
    found.ok_or_else(|| NotAnEnd::Protocol { text: text.to_owned() })
}

/// The names of ports: <https://kubernetes.io/docs/concepts/services-networking/service/>.
fn is_port_name(text: &str) -> bool {
    text.len() <= 15
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && text.contains(|c: char| c.is_ascii_lowercase())
}

fn target(text: &str) -> Option<Target> {
    let parts: Vec<&str> = text.split('/').collect();
    let (namespace, kind, name) = match *parts.as_slice() {
        [name] => (HOME, None, name),
        [kind, name] if SERVICE.contains(&kind) => (HOME, Some(kind), name),
        [namespace, name] => (namespace, None, name),
        [namespace, kind, name] => (namespace, Some(kind), name),
        _ => return None,
    };
    let is_namespace = is_name(namespace) && !namespace.contains('.') && namespace.len() <= 63;
    if !is_namespace || !is_name(name) || !kind.is_none_or(is_name) {
        return None;
    }
    Some(match kind {
        Some(kind) if SERVICE.contains(&kind) => Target::Service(Place::new(namespace, name)),
        // Written so, a pod of a namespace called svc is no Service.
        None | Some("pod") => Target::End(End::Pod(Place::new(namespace, name))),
        Some(kind) => Target::End(End::Pod(Place::new(namespace, format!("{kind}/{name}")))),
    })
}

/// Names of objects: <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>.
fn is_name(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    !text.is_empty()
        && text.len() <= 253
        && text.chars().all(inside)
        && !text.starts_with(['-', '.'])
        && !text.ends_with(['-', '.'])
}

#[cfg(test)]
mod tests {
    use ringfort_policy::{End, PortWanted, Protocol};

    use super::{Target, end, of_pod, pod, port, reached};

    #[test]
    fn ends_are_pods_and_addresses() {
        let check = |text: &str, expected: &str, at: Option<(&str, Protocol)>| {
            let written = end(text).unwrap();
            let shown = match &written.end {
                End::Pod(place) => format!("pod {place}"),
                End::Address(address) => format!("address {address}"),
            };
            let port = written.port.map(|at| match at.port {
                PortWanted::Number(number) => (number.to_string(), at.protocol.unwrap_or_default()),
                PortWanted::Name(name) => (name, at.protocol.unwrap_or_default()),
            });
            let expected_port = at.map(|(port, protocol)| (port.to_owned(), protocol));
            assert_eq!((shown.as_str(), port), (expected, expected_port), "{text}");
        };
        check("web", "pod default/web", None);
        check("a/web", "pod a/web", None);
        check("a/deployment/web:http", "pod a/deployment/web", Some(("http", Protocol::Tcp)));
        check("a/db:53/udp", "pod a/db", Some(("53", Protocol::Udp)));
        check("10.0.0.1", "address 10.0.0.1", None);
        check("10.0.0.1:9/sctp", "address 10.0.0.1", Some(("9", Protocol::Sctp)));
        check("fd00::1", "address fd00::1", None);
        check("[fd00::1]", "address fd00::1", None);
        check("[fd00::1]:443/TCP", "address fd00::1", Some(("443", Protocol::Tcp)));
    }

    #[test]
    fn services_are_reached_and_are_no_end() {
        let check = |text: &str, expected: &str| {
            let shown = match reached(text).unwrap().target {
                Target::Service(place) => format!("service {place}"),
                Target::End(End::Pod(place)) => format!("pod {place}"),
                Target::End(End::Address(address)) => format!("address {address}"),
            };
            assert_eq!(shown, expected, "{text}");
        };
        check("svc/db", "service default/db");
        check("a/svc/db:5432", "service a/db");
        check("a/service/db:sql/tcp", "service a/db");
        check("services/db", "service default/db");
        check("a/services/db", "service a/db");
        check("svc/svc/db", "service svc/db");
        check("svc/pod/db", "pod svc/db");
        check("svc/deployment/db", "pod svc/deployment/db");
        check("10.0.0.1:1", "address 10.0.0.1");
        assert!(reached("svc/").is_err() && reached("a/svc/b/c").is_err());
        for text in ["svc/db", "a/service/db:1"] {
            for error in [end(text).unwrap_err(), pod(text).unwrap_err()] {
                assert!(error.to_string().contains("connections come from pods"), "{error}");
            }
        }
        let told =
            |text: &str| end(text).unwrap_err().to_string().contains("is written svc/pod/db");
        assert!(
            told("svc/db") && told("svc/db:53/udp") && !told("a/svc/db") && !told("svc/svc/db")
        );
        // What is not said of the protocol is not TCP where a Service's port says it.
        assert_eq!(port("53").unwrap().protocol, None);
        assert_eq!(port("53/udp").unwrap().protocol, Some(Protocol::Udp));
    }

    #[test]
    fn a_pod_is_written_as_it_is_read() {
        for text in ["a/db", "svc/pod/db", "services/pod/db", "svc/deployment/db"] {
            let End::Pod(place) = end(text).unwrap().end else { panic!("{text} is a pod") };
            assert_eq!(of_pod(&place), text);
        }
    }

    #[test]
    fn what_is_no_end_is_told() {
        let check = |text: &str, part: &str| {
            let error = end(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        };
        for bad in ["", "/", "a/", "/a", "a/b/c/d", "A/b", "10.0.0.0/8", "a b", "[fd00::1", "[x]:1"]
        {
            check(bad, "is neither NAMESPACE/NAME");
        }
        check("a/b:", "is no port");
        check("a/b:0", "is no port");
        check("a/b:65536", "is no port");
        check("a/b:80:81", "is no port");
        check("a/b:53/icmp", "is no protocol");
        assert!(pod("10.0.0.1").unwrap_err().to_string().contains("a pod is asked about"));
        assert!(port("12-34").is_err());
    }
}
