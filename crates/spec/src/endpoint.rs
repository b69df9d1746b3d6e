//! The address under which the API is reached from outside.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ringfort_model::net::{apart, host_port};
use ringfort_model::receiver::is_host;
use serde::{Deserialize, Serialize};

/// A host and a port that lead to the API servers, such as a load balancer's.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    /// The host: goes into the API servers' certificates.
    pub host: EndpointHost,
    /// The port.
    pub port: u16,
}

/// The host of an endpoint.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum EndpointHost {
    /// A DNS name.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// Says that a text is no endpoint.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is not an endpoint: write host and port, such as api.example.com:6443")]
pub struct NotAnEndpoint {
    text: String,
}

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, NotAnEndpoint> {
        let fault = || NotAnEndpoint { text: text.to_owned() };
        let (host, port) = apart(text).ok_or_else(fault)?;
        let host = host_of(host).ok_or_else(fault)?;
        let port = port.ok_or_else(fault)?;
        let port = port.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(fault)?;
        Ok(Self { host, port })
    }
}

fn host_of(text: &str) -> Option<EndpointHost> {
    let is_host = is_host(text);
    is_host.then(|| match text.parse() {
        Ok(address) => EndpointHost::Address(address),
        Err(_) => EndpointHost::Name(text.to_owned()),
    })
}

impl TryFrom<String> for Endpoint {
    type Error = NotAnEndpoint;

    fn try_from(text: String) -> Result<Self, NotAnEndpoint> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&host_port(&self.host.to_string(), self.port))
    }
}

impl fmt::Display for EndpointHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn endpoints_are_host_and_port() {
        for good in ["api.example.com:6443", "10.0.0.10:443", "api:6443", "[fd00::10]:443"] {
            let read = good.parse::<Endpoint>().map(|endpoint| endpoint.to_string());
            assert_eq!(read.as_deref(), Ok(good));
        }
        for bad in ["", "api", "api:", "api:0", "api:65536", ":6443", "10.0.0:6443", "A:1"] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
        for bad in ["fd00::10:443", "[fd00::10]", "[10.0.0.10]:443", "[api]:443"] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
        // They look like IPv6, and speak IPv4.
        for bad in ["[::ffff:10.0.0.10]:6443", "[::ffff:a00:a]:6443"] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
    }
}
