//! Names of labs, checked once at the door. All that a lab owns on the host carries its name, so
//! that two labs never meet and a lab can be cleared away by its name alone.

use std::fmt;
use std::str::FromStr;

use ringfort_model::name::NodeName;
use serde::{Deserialize, Serialize};

/// The name of a lab: 1 to 20 lower-case letters, digits and '-'.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabName(String);

/// Says that a text names no lab.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{text:?} is no name for a lab: use 1 to {LONGEST} lower-case letters, digits and '-', \
     starting and ending with a letter or digit"
)]
pub struct NotALabName {
    text: String,
}

impl LabName {
    /// Gives the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Names what the lab owns in places that others use too, such as control groups.
    ///
    /// The dot cannot stand in a lab's name, so no lab's mark is the beginning of another's.
    pub(crate) fn mark(&self) -> String {
        format!("ringfort-lab.{}", self.0)
    }

    /// Names one machine among all machines of the host.
    pub(crate) fn machine_mark(&self, machine: &NodeName) -> String {
        format!("{}.{machine}", self.mark())
    }
}

impl FromStr for LabName {
    type Err = NotALabName;

    fn from_str(text: &str) -> Result<Self, NotALabName> {
        match NodeName::new(text) {
            Ok(_) if text.len() <= LONGEST => Ok(Self(text.to_owned())),
            _ => Err(NotALabName { text: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for LabName {
    type Error = NotALabName;

    fn try_from(text: String) -> Result<Self, NotALabName> {
        text.parse()
    }
}

impl From<LabName> for String {
    fn from(name: LabName) -> Self {
        name.0
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Keeps the longest machine mark, which nspawn takes for a host name, under 64 characters.
const LONGEST: usize = 20;

#[cfg(test)]
mod tests {
    use super::LabName;

    #[test]
    fn accepts_labels_and_refuses_the_rest() {
        for (text, good) in [
            ("harbour", true),
            ("a-1", true),
            ("abcdefghijklmnopqrst", true),
            ("abcdefghijklmnopqrstu", false),
            ("", false),
            ("-a", false),
            ("A", false),
            ("a.b", false),
            ("../x", false),
        ] {
            assert_eq!(text.parse::<LabName>().is_ok(), good, "{text:?}");
        }
    }
}
