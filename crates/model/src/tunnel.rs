//! WireGuard between machines: the public half of a machine's key, and what a machine is told.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::name::NodeName;

/// The port that WireGuard listens on, on UDP. Not WireGuard's customary 51820, which belongs to
/// whatever tunnel a machine has already.
pub const TUNNEL_PORT: u16 = 51882;

/// The public half of a machine's WireGuard key.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(into = "String", try_from = "String")]
pub struct TunnelKey(pub [u8; 32]);

/// Says that a text is no WireGuard key. The text is not repeated: it may be a private one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a WireGuard key is 32 bytes in base64, 44 characters long")]
pub struct NotATunnelKey;

impl FromStr for TunnelKey {
    type Err = NotATunnelKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = STANDARD.decode(text).map_err(|_| NotATunnelKey)?;
        bytes.try_into().map(Self).map_err(|_| NotATunnelKey)
    }
}

impl TryFrom<String> for TunnelKey {
    type Error = NotATunnelKey;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TunnelKey> for String {
    fn from(key: TunnelKey) -> Self {
        key.to_string()
    }
}

/// Prints as the tool `wg` does.
impl fmt::Display for TunnelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

/// How a machine encrypts packets of pods, as it is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tunnel {
    /// The file that holds its own private key.
    pub key: String,
    /// The public halves of the others. A machine that is not here is not reached at all.
    pub peers: BTreeMap<NodeName, TunnelKey>,
}

/// Whether packets of pods are encrypted between machines.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PodTraffic {
    /// By WireGuard.
    Encrypted,
    /// Not at all.
    Open,
}

/// What was settled about packets of pods between machines, from what the machines can do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Carriage {
    /// Whether they are encrypted. Once they are, only the spec ends it.
    pub traffic: PodTraffic,
    /// What a packet on the machines' own network may hold, in bytes.
    pub mtu_bytes: u32,
}

impl Default for Carriage {
    fn default() -> Self {
        Self { traffic: PodTraffic::Open, mtu_bytes: 1500 }
    }
}

#[cfg(test)]
mod tests {
    use super::{NotATunnelKey, TunnelKey};

    #[test]
    fn keys_are_read_as_wg_prints_them() {
        let key = TunnelKey([7; 32]);
        let text = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
        assert_eq!(key.to_string(), text);
        assert_eq!(text.parse(), Ok(key));
        for bad in ["", "BwcH", &text[..43], &text.replace('=', "!"), &format!("{text}\n")] {
            assert_eq!(bad.parse::<TunnelKey>(), Err(NotATunnelKey), "{bad:?}");
        }
    }
}
