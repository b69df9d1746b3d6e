//! The Pod Security Standards by name: a level, in the version that a minor of Kubernetes gave it.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// A level in a version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Policy {
    /// How strict it is.
    pub level: Level,
    /// Whose rules hold.
    pub version: Version,
}

/// How strict a policy is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(try_from = "String")]
pub enum Level {
    /// Everything is allowed.
    Privileged,
    /// What is known to lead to the node is not.
    Baseline,
    /// Only what follows the practice of hardening is.
    Restricted,
}

impl Level {
    /// All of them, the most open first.
    pub const ALL: [Self; 3] = [Self::Privileged, Self::Baseline, Self::Restricted];
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        })
    }
}

/// Says that a text is no level.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is no level: use privileged, baseline or restricted")]
pub struct NotALevel {
    text: String,
}

impl FromStr for Level {
    type Err = NotALevel;

    fn from_str(text: &str) -> Result<Self, NotALevel> {
        let found = Self::ALL.into_iter().find(|level| level.to_string() == text);
        found.ok_or_else(|| NotALevel { text: text.to_owned() })
    }
}

impl TryFrom<String> for Level {
    type Error = NotALevel;

    fn try_from(text: String) -> Result<Self, NotALevel> {
        text.parse()
    }
}

/// The minor of Kubernetes whose rules hold. What is newer than the newest known is judged as that one
/// is, which is what Kubernetes does with labels from its future.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub enum Version {
    /// The newest known.
    Latest,
    /// The number after the dot of `v1.`.
    Minor(u64),
}

impl Version {
    /// The newest minor whose rules are known.
    pub const NEWEST: u64 = 37;

    /// Gives the minor whose rules are applied.
    pub fn applied(self) -> u64 {
        match self {
            Self::Latest => Self::NEWEST,
            Self::Minor(minor) => minor.min(Self::NEWEST),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Minor(minor) => write!(f, "v1.{minor}"),
        }
    }
}

/// Says that a text is no version.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is no version of a policy: use latest, or v1.0 and so on")]
pub struct NotAVersion {
    text: String,
}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let minor = text.strip_prefix("v1.").and_then(|minor| minor.parse().ok()).map(Self::Minor);
        // Written again it is the same: no sign and no zero stands before the number.
        let same = minor.filter(|version| version.to_string() == text);
        same.ok_or_else(|| NotAVersion { text: text.to_owned() })
    }
}

impl TryFrom<String> for Version {
    type Error = NotAVersion;

    fn try_from(text: String) -> Result<Self, NotAVersion> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, Version};

    #[test]
    fn versions_are_read_as_kubernetes_reads_its_labels() {
        let check = |text: &str, applied: Option<u64>| {
            let read = text.parse::<Version>();
            assert_eq!(read.clone().ok().map(Version::applied), applied, "{text}");
            assert!(read.is_err() || read.is_ok_and(|version| version.to_string() == text));
        };
        check("latest", Some(37));
        check("v1.0", Some(0));
        check("v1.9", Some(9));
        check("v1.37", Some(37));
        check("v1.38", Some(37));
        for bad in ["", "1.37", "v1", "v1.", "v1.07", "v1.+7", "v1.37.2", "v2.0", "v1.-1", "Latest"]
        {
            check(bad, None);
        }
    }

    #[test]
    fn levels_are_read_and_written() {
        for level in Level::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert!("Baseline".parse::<Level>().is_err());
    }
}
