//! How much is at stake.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How much is at stake.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// One more wall.
    Low,
    /// A wall that another attack would have to go around.
    Medium,
    /// The cluster's promises depend on it.
    High,
    /// Without it the cluster belongs to whoever asks.
    Critical,
}

impl Severity {
    /// All of them, the least grave first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];
}

/// Says that a text is no severity.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is no severity: use low, medium, high or critical")]
pub struct NotASeverity {
    text: String,
}

impl FromStr for Severity {
    type Err = NotASeverity;

    fn from_str(text: &str) -> Result<Self, NotASeverity> {
        let found = Self::ALL.into_iter().find(|severity| severity.to_string() == text);
        found.ok_or_else(|| NotASeverity { text: text.to_owned() })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}
