//! Who receives what is told over the network.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::NodeName;
use crate::net::{apart, bracketed, host_port};

/// A place that takes reports over HTTPS. Nothing in it is secret: neither user nor query.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpsUrl {
    /// The name or address that its certificate is for.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path, which begins with a slash.
    pub path: String,
}

/// Whom findings are told to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipient {
    /// The machine's own log.
    MachineLog,
    /// Whoever reads numbers for Prometheus.
    Metrics,
    /// A webhook.
    Webhook,
    /// A syslog server, by TLS.
    Syslog,
    /// A syslog server, by datagrams, which nobody acknowledges.
    Datagrams,
}

impl Recipient {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::MachineLog, Self::Metrics, Self::Webhook, Self::Syslog, Self::Datagrams];

    /// Gives its name among files and arguments.
    pub fn name(self) -> &'static str {
        match self {
            Self::MachineLog => "machine-log",
            Self::Metrics => "metrics",
            Self::Webhook => "webhook",
            Self::Syslog => "syslog",
            Self::Datagrams => "datagrams",
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MachineLog => "the machine's log",
            Self::Metrics => "the numbers for Prometheus",
            Self::Webhook => "the webhook",
            Self::Syslog => "the syslog server",
            Self::Datagrams => "datagrams to the syslog server, which nobody acknowledges",
        })
    }
}

/// Says that a text names nobody who is told findings.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{text:?} is nobody who is told findings: use machine-log, metrics, webhook, syslog or datagrams"
)]
pub struct NotARecipient {
    text: String,
}

impl FromStr for Recipient {
    type Err = NotARecipient;

    fn from_str(text: &str) -> Result<Self, NotARecipient> {
        let found = Self::ALL.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| NotARecipient { text: text.to_owned() })
    }
}

/// Says why a text is no such place.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAReceiver {
    /// It is none.
    #[error(
        "{text:?} is not where reports can be sent: write one such as https://siem.example.com/ringfort"
    )]
    Shape {
        /// What stands there.
        text: String,
    },
    /// Something in it would be secret. The text is not repeated.
    #[error(
        "a user, a query or a fragment stands in it, which would be seen by all: write only host, port and path, and \
         put what is secret into a file for `token`"
    )]
    Secret,
}

impl HttpsUrl {
    /// Gives the host as an address, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl FromStr for HttpsUrl {
    type Err = NotAReceiver;

    fn from_str(text: &str) -> Result<Self, NotAReceiver> {
        if text.contains(['@', '?', '#']) {
            return Err(NotAReceiver::Secret);
        }
        let fault = || NotAReceiver::Shape { text: text.to_owned() };
        let rest = text.strip_prefix("https://").ok_or_else(fault)?;
        let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = apart(place).ok_or_else(fault)?;
        let port = match port {
            Some(port) => port.parse::<u16>().ok().filter(|port| *port != 0),
            None => Some(443),
        };
        let path = if path.is_empty() { "/" } else { path };
        if !is_host(host) || !path.bytes().all(is_plain) {
            return Err(fault());
        }
        Ok(Self { host: host.to_owned(), port: port.ok_or_else(fault)?, path: path.to_owned() })
    }
}

/// What stands in a path as it is, also where a shell or systemd reads it.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~%:+=,".contains(&byte)
}

/// Says whether a text is a name or an address: digits and dots that are no address are a slip of the pen. An address of
/// IPv6 that only stands for one of IPv4 is none: packets and certificates know it by that one.
pub fn is_host(text: &str) -> bool {
    if let Ok(address) = text.parse::<IpAddr>() {
        return address.is_ipv4() || address.to_canonical().is_ipv6();
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_name = text.split('.').all(|label| NodeName::new(label).is_ok());
    is_name && !is_number && text.len() <= 253
}

impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, path } = self;
        match port {
            443 => write!(f, "https://{}{path}", bracketed(host)),
            port => write!(f, "https://{}{path}", host_port(host, *port)),
        }
    }
}

impl TryFrom<String> for HttpsUrl {
    type Error = NotAReceiver;

    fn try_from(text: String) -> Result<Self, NotAReceiver> {
        text.parse()
    }
}

impl From<HttpsUrl> for String {
    fn from(url: HttpsUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{HttpsUrl, NotAReceiver};

    #[test]
    fn a_place_is_read_and_written_back() {
        for text in [
            "https://siem.example.com/ringfort",
            "https://10.0.0.50:8443/a/b",
            "https://[fd00::50]:8443/a/b",
            "https://[fd00::50]/",
            "https://siem.example.com/",
        ] {
            assert_eq!(text.parse::<HttpsUrl>().unwrap().to_string(), text);
        }
        let bare = "https://siem.example.com:443".parse::<HttpsUrl>().unwrap();
        assert_eq!((bare.port, bare.path.as_str(), bare.address()), (443, "/", None));
        let bracketed = "https://[fd00::50]".parse::<HttpsUrl>().unwrap();
        assert_eq!((bracketed.port, bracketed.address()), (443, "fd00::50".parse().ok()));
    }

    #[test]
    fn what_is_in_the_clear_or_would_be_seen_is_refused() {
        for text in [
            "http://siem.example.com/",
            "https://",
            "https://10.0.0/",
            "https://fd00::50/",
            "https://[10.0.0.50]/",
            "https://[::ffff:10.0.0.50]/",
            "https://a:0/",
            "https://a:x/",
            "https://a/b c",
            "https://a/b\r\nX: y",
            "https://a/$HOME",
            "https://a/\"b",
            "https://Ä/",
            "siem.example.com",
        ] {
            let said = text.parse::<HttpsUrl>();
            assert!(matches!(said, Err(NotAReceiver::Shape { .. })), "{text}");
        }
        for text in ["https://ann:hidden@a/", "https://a/?key=hidden", "https://a/#hidden"] {
            let said = text.parse::<HttpsUrl>().unwrap_err();
            assert!(!said.to_string().contains("hidden"), "{said}");
        }
    }
}
