//! Names of clusters and nodes, checked once at the door.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Says why a text is no name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{text:?} is not a name: use 1 to {most} lower-case letters, digits and '-', starting and ending with a letter or digit"
)]
pub struct NotAName {
    text: String,
    most: usize,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $most:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, Hash)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Checks a text against the DNS label rule of RFC 1123.
            ///
            /// # Errors
            /// The text is empty, too long, or holds other characters.
            pub fn new(text: impl Into<String>) -> Result<Self, NotAName> {
                let text = text.into();
                if is_label(&text, $most) { Ok(Self(text)) } else { Err(NotAName { text, most: $most }) }
            }

            /// Gives the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = NotAName;

            fn try_from(text: String) -> Result<Self, NotAName> {
                Self::new(text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// The name of a cluster: up to 40 characters, so that names derived from it stay labels.
    ClusterName,
    40
);
name!(
    /// The name of a node, as Kubernetes knows it and as its host name says.
    NodeName,
    63
);

fn is_label(text: &str, most: usize) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= most
        && bytes.iter().copied().all(inner)
        && edge(bytes.first())
        && edge(bytes.last())
}

#[cfg(test)]
mod tests {
    use super::NodeName;

    #[test]
    fn names_are_dns_labels() {
        for good in ["a", "cp1", "w-10-0-0-21", &"x".repeat(63)] {
            assert!(NodeName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", "ü", &"x".repeat(64)] {
            assert!(NodeName::new(bad).is_err(), "{bad}");
        }
    }
}
