//! Whether machines reach each other, found out before anything is written to them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What came of a connection to a port of another machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// It answered, and full packets arrived.
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
