//! Versions of Kubernetes, and every difference between minors as a question.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A minor of Kubernetes that ringfort makes clusters of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Minor {
    /// 1.35
    #[serde(rename = "1.35")]
    V1_35,
    /// 1.36
    #[serde(rename = "1.36")]
    V1_36,
    /// 1.37
    #[serde(rename = "1.37")]
    V1_37,
}

impl Minor {
    /// Every supported minor, oldest first.
    pub const ALL: [Self; 3] = [Self::V1_35, Self::V1_36, Self::V1_37];

    /// Gives the number after the dot.
    pub fn number(self) -> u32 {
        match self {
            Self::V1_35 => 35,
            Self::V1_36 => 36,
            Self::V1_37 => 37,
        }
    }

    /// Gives the moment after which upstream mends nothing any more, in seconds since 1970: the 28th of
    /// the month that is fourteen months after the release
    /// (<https://kubernetes.io/releases/patch-releases/>).
    pub fn end_of_support_s(self) -> i64 {
        match self {
            // 2027-02-28, 2027-06-28 and 2027-10-28, to the end of the day.
            Self::V1_35 => 1_803_859_199,
            Self::V1_36 => 1_814_227_199,
            Self::V1_37 => 1_824_767_999,
        }
    }

    /// Says whether admission policies may be files of the API server, which nobody can delete
    /// through the API: beta and on by default from 1.37 (KEP-5793).
    pub fn has_static_admission(self) -> bool {
        self >= Self::V1_37
    }

    /// Says whether `MutatingAdmissionPolicy` is stable (KEP-3962, 1.36).
    pub fn has_mutating_policies(self) -> bool {
        self >= Self::V1_36
    }

    /// Says whether the etcd of this minor still takes the `--experimental-*` flags (gone in 3.7).
    pub fn etcd_has_experimental_flags(self) -> bool {
        self < Self::V1_37
    }
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.number())
    }
}

impl FromStr for Minor {
    type Err = UnsupportedVersion;

    fn from_str(text: &str) -> Result<Self, UnsupportedVersion> {
        Self::ALL
            .into_iter()
            .find(|minor| minor.to_string() == text)
            .ok_or_else(|| UnsupportedVersion { text: text.to_owned() })
    }
}

/// A release of Kubernetes: a minor, and a patch where one is named.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct KubeVersion {
    /// The minor.
    pub minor: Minor,
    /// The patch; absent means the bundle's.
    pub patch: Option<u32>,
}

/// Says that a version is unknown here.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("Kubernetes {text:?} is not supported: use 1.37, 1.36 or 1.35, with or without a patch")]
pub struct UnsupportedVersion {
    text: String,
}

impl KubeVersion {
    /// Says whether a release is what is asked for here: of the minor, and with the patch if one is named.
    pub fn is_met_by(self, release: Self) -> bool {
        self.minor == release.minor && self.patch.is_none_or(|patch| release.patch == Some(patch))
    }

    /// Reads what a server or an image says of its release: behind the patch stands who built it, as in
    /// `v1.36.2+k3s1` or `v1.36.2-eks-1a2b3c4`. None is what says no version at all.
    ///
    /// # Errors
    /// The version is not known here.
    pub fn of_release(text: &str) -> Result<Option<Self>, UnsupportedVersion> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).splitn(3, '.').map(leading_number);
        let (Some(Some(major)), Some(Some(minor))) = (parts.next(), parts.next()) else {
            return Ok(None);
        };
        let minor: Minor = format!("{major}.{minor}")
            .parse()
            .map_err(|_| UnsupportedVersion { text: text.to_owned() })?;
        Ok(Some(Self { minor, patch: parts.next().flatten() }))
    }
}

/// Reads the digits with which a text begins.
fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

impl FromStr for KubeVersion {
    type Err = UnsupportedVersion;

    fn from_str(text: &str) -> Result<Self, UnsupportedVersion> {
        let unsupported = || UnsupportedVersion { text: text.to_owned() };
        let bare = text.strip_prefix('v').unwrap_or(text);
        let mut parts = bare.splitn(3, '.');
        let (Some(major), Some(minor)) = (parts.next(), parts.next()) else {
            return Err(unsupported());
        };
        let minor = format!("{major}.{minor}").parse().map_err(|_| unsupported())?;
        let patch = parts.next().map(str::parse).transpose().map_err(|_| unsupported())?;
        Ok(Self { minor, patch })
    }
}

impl TryFrom<String> for KubeVersion {
    type Error = UnsupportedVersion;

    fn try_from(text: String) -> Result<Self, UnsupportedVersion> {
        text.parse()
    }
}

impl From<KubeVersion> for String {
    fn from(version: KubeVersion) -> Self {
        version.to_string()
    }
}

impl fmt::Display for KubeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.patch {
            Some(patch) => write!(f, "{}.{patch}", self.minor),
            None => write!(f, "{}", self.minor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KubeVersion, Minor};

    #[test]
    fn versions_are_read_and_written() {
        let check = |text: &str, expected: Option<(Minor, Option<u32>)>| {
            let read = text.parse::<KubeVersion>().ok().map(|v| (v.minor, v.patch));
            assert_eq!(read, expected, "{text}");
        };
        check("1.37", Some((Minor::V1_37, None)));
        check("v1.36.3", Some((Minor::V1_36, Some(3))));
        for bad in ["", "1", "1.34", "2.37", "1.37.x", "1.37.2.1", "1.37-rc1", " 1.37"] {
            check(bad, None);
        }
    }

    #[test]
    fn a_release_is_read_whoever_built_it() {
        let check = |text: &str, expected: Result<Option<(Minor, Option<u32>)>, ()>| {
            let read = KubeVersion::of_release(text);
            let read = read.map(|it| it.map(|v| (v.minor, v.patch))).map_err(drop);
            assert_eq!(read, expected, "{text}");
        };
        for text in [
            "v1.35.3",
            "v1.35.3+k3s1",
            "v1.35.3-eks-1a2b3c4",
            "v1.35.3-gke.1234000",
            "v1.35.3+rke2r1",
            "v1.35.3-rke2r1-build20260101",
        ] {
            check(text, Ok(Some((Minor::V1_35, Some(3)))));
        }
        check("v1.37", Ok(Some((Minor::V1_37, None))));
        for foreign in ["v1.33.1", "v1.38.0-alpha.1", "v2.36.0", "v1.99999999999.1"] {
            let expected = if foreign.contains("999") { Ok(None) } else { Err(()) };
            check(foreign, expected);
        }
        for none in ["", "latest", "main-1.36", "v1"] {
            check(none, Ok(None));
        }
    }

    #[test]
    fn a_release_meets_its_minor_and_no_patch_but_the_one_that_is_named() {
        let check = |asked: &str, release: &str, expected: bool| {
            let read = |text: &str| text.parse::<KubeVersion>().unwrap();
            assert_eq!(read(asked).is_met_by(read(release)), expected, "{asked} {release}");
        };
        check("1.37", "1.37.2", true);
        check("1.37.2", "1.37.2", true);
        check("1.37.1", "1.37.2", false);
        check("1.37.2", "1.37", false);
        check("1.36", "1.37.2", false);
        check("1.36.2", "1.37.2", false);
    }
}
