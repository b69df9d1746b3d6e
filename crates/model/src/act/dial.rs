//! A conversation with a port: how it begins, what is shown, and how it ends.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::certificate::{Authority, CertSeen};
use crate::name::NodeName;

/// One conversation: a greeting, one HTTP request, and what comes back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Dial {
    /// From which machine.
    pub from: NodeName,
    /// Address and port.
    pub to: SocketAddr,
    /// How it begins.
    pub hello: Hello,
    /// Whose certificate the port has to show.
    pub expects: Authority,
    /// The certificate that is shown, if any.
    pub shows: Option<Credential>,
    /// The path that is asked for.
    pub path: String,
}

/// How a conversation begins.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hello {
    /// Without TLS.
    Plain,
    /// With TLS 1.2 and nothing later.
    Tls12,
    /// With TLS 1.3, and the key exchange that both ends like best.
    Tls13,
}

/// A client's certificate.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Credential {
    /// Who signed it, or seems to have.
    pub authority: Authority,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// Nothing: it is ringfort's own.
    None,
    /// It is signed by an authority of the same name with another key.
    Stranger,
    /// Its life is over.
    Expired,
    /// It may be used by servers only.
    WrongUsage,
    /// Nothing, but that no role binds its user.
    Unbound,
}

/// How a port answered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Dialled {
    /// What was agreed on, if the handshake came to its end on this side.
    pub tls: Option<TlsSeen>,
    /// How it ended.
    pub end: Ended,
}

/// What a handshake agreed on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TlsSeen {
    /// Such as `TLSv1_3`.
    pub version: String,
    /// The key exchange, such as `X25519MLKEM768`.
    pub exchange: String,
    /// The port's certificate.
    pub certificate: CertSeen,
}

/// How a conversation ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Nobody listens.
    Closed,
    /// The port's certificate is not the expected authority's, or not for this address.
    Distrusted {
        /// Why.
        why: String,
    },
    /// The port broke it off before it answered, by an alert or without a word.
    BrokenOff {
        /// How.
        how: String,
    },
    /// The port answered.
    Answered {
        /// The HTTP status.
        status: u16,
    },
}
