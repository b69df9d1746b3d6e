//! Whether machines reach each other, found out before anything is written to them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// The port at which a control plane hears of another's checkpoints and of what agents found, on TCP.
pub const WITNESS_PORT: u16 = 6445;
/// Where members of etcd answer API servers.
pub const ETCD_PORT: u16 = 2379;
/// Where members of etcd answer each other.
pub const ETCD_PEER_PORT: u16 = 2380;
/// Where API servers listen.
pub const API_PORT: u16 = 6443;

/// Writes where a member of etcd is asked, at one of its ports.
pub fn member_url(address: IpAddr, port: u16) -> String {
    format!("https://{}", SocketAddr::new(address, port))
}

/// How a port is spoken to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// By connections.
    Tcp,
    /// By datagrams.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// A port of a machine.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Port {
    /// How it is spoken to.
    pub transport: Transport,
    /// Its number.
    pub number: u16,
}

impl Port {
    /// A port for connections.
    pub const fn tcp(number: u16) -> Self {
        Self { transport: Transport::Tcp, number }
    }

    /// A port for datagrams.
    pub const fn udp(number: u16) -> Self {
        Self { transport: Transport::Udp, number }
    }

    /// This port of a machine.
    pub const fn of(self, address: IpAddr) -> Target {
        Target { address, port: self }
    }
}

/// A port of another machine.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Target {
    /// The machine's address.
    pub address: IpAddr,
    /// The port.
    pub port: Port,
}

impl Target {
    /// Gives address and number.
    pub const fn socket(self) -> SocketAddr {
        SocketAddr::new(self.address, self.port.number)
    }
}

/// What came of trying a port of another machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// It answered, and all that was to come arrived.
    Whole,
    /// A connection was made by somebody who sends nothing of ours: full packets were not tried.
    Connected,
    /// The other machine, or a firewall, refused at once.
    Refused,
    /// Nothing came back in time.
    Silent,
    /// A connection was made, but full packets did not arrive in time.
    Broken {
        /// How many bytes did.
        received_bytes: u64,
    },
    /// It could not be tried.
    Untried {
        /// What the system said.
        why: String,
    },
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("reached"),
            Self::Connected => f.write_str("connected"),
            Self::Refused => f.write_str("refused"),
            Self::Silent => f.write_str("no answer"),
            Self::Broken { received_bytes } => {
                write!(f, "connected, but after {received_bytes} bytes nothing more arrived")
            }
            Self::Untried { why } => write!(f, "could not be tried: {why}"),
        }
    }
}

/// The greeting of a port that is open for this test alone. What follows it are zeros.
pub const GREETING: &[u8] = b"ringfort reach 1\n";

/// How many bytes follow the greeting: several full packets, also of large ones.
pub const BURST_BYTES: usize = 96 << 10;

/// How long a datagram of the test is, its greeting included: it fits into any network for IPv6.
pub const DATAGRAM_BYTES: usize = 1_200;
