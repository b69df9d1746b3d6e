//! What is wrong at a place, and what cannot be read there.

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

use crate::place::{Field, Place};

/// A place where a check is not kept.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Fault {
    /// The JSON pointer to the field or to the item of a list. Where nothing is set it leads to where
    /// something must be.
    pub pointer: String,
    /// What is there, as JSON; none where nothing is.
    pub found: Option<String>,
    /// What to write instead.
    pub remedy: Remedy,
}

impl Fault {
    pub(crate) fn new(place: &Place<'_>, remedy: Remedy) -> Self {
        let found = match place.value() {
            Field::Is(value) => Some(value.to_string()),
            _ => None,
        };
        Self { pointer: place.pointer(), found, remedy }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.found {
            Some(found) => write!(f, "{} is {found}: {}", self.pointer, self.remedy),
            None => write!(f, "{} is not set: {}", self.pointer, self.remedy),
        }
    }
}

/// What mends a fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// The field or the item goes.
    LeaveOut,
    /// This takes its place.
    Write(bool),
    /// One of these takes its place; the first is what most want.
    WriteOneOf(&'static [&'static str]),
    /// The list gets this item.
    Include(&'static str),
    /// A volume of one of these kinds takes its place.
    UseVolume(&'static [&'static str]),
    /// The range that stands there leaves out this address, of which one port may stay open, at which names are asked.
    Except(IpAddr, Option<u16>),
    /// No single value mends it: what to do, as a request.
    Do(&'static str),
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeaveOut => f.write_str("leave it out"),
            Self::Write(value) => write!(f, "write {value}"),
            Self::WriteOneOf(words) => write!(f, "write {}", words.join(" or ")),
            Self::Include(item) => write!(f, "put {item} into the list"),
            Self::UseVolume(kinds) => {
                write!(f, "use a volume of another kind: {}", kinds.join(", "))
            }
            Self::Except(address, names_at) => {
                let prefix = if address.is_ipv4() { 32 } else { 128 };
                write!(f, "take {address}/{prefix} out with except")?;
                match names_at {
                    Some(port) => write!(
                        f,
                        ", and open port {port} to it, UDP and TCP, by a rule of its own where it is asked for names"
                    ),
                    None => Ok(()),
                }
            }
            Self::Do(what) => f.write_str(what),
        }
    }
}

/// Something that Kubernetes could not read, so that nobody can say what it would do.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Unreadable {
    /// The JSON pointer to it.
    pub pointer: String,
    /// What must be there, and what is.
    pub why: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.why)
    }
}
