//! One thing on a machine that ringfort keeps: what it should be and what it waits for.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::digest::Digest;
use crate::mode::{FileMode, Owner};

/// Follows the name of a file, behind a dot, as long as it is written beside the one that it takes the place of.
pub const STAGED: &str = ".ringfort.new";

/// Names one thing on a machine.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum ItemId {
    /// A user and its group, by name.
    User(String),
    /// A kernel setting, by its dotted name.
    Sysctl(String),
    /// A directory, by path.
    Directory(String),
    /// A file, by path.
    File(String),
    /// An image in containerd, by reference.
    Image(String),
    /// A systemd unit that runs and starts at boot, by name.
    Unit(String),
    /// A component that answers, by name: awaited, never made.
    Serving(String),
}

impl ItemId {
    /// Names a file.
    pub fn file(path: impl Into<String>) -> Self {
        Self::File(path.into())
    }

    /// Names a directory.
    pub fn directory(path: impl Into<String>) -> Self {
        Self::Directory(path.into())
    }

    /// Names a unit.
    pub fn unit(name: impl Into<String>) -> Self {
        Self::Unit(name.into())
    }

    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::User(name) => ("user", name),
            Self::Sysctl(name) => ("sysctl", name),
            Self::Directory(name) => ("directory", name),
            Self::File(name) => ("file", name),
            Self::Image(name) => ("image", name),
            Self::Unit(name) => ("unit", name),
            Self::Serving(name) => ("serving", name),
        }
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = self.parts();
        write!(f, "{kind}:{name}")
    }
}

/// Says that a text names no item.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} names no item: expected a kind and a name, such as file:/etc/hosts")]
pub struct NotAnItem {
    text: String,
}

impl FromStr for ItemId {
    type Err = NotAnItem;

    fn from_str(text: &str) -> Result<Self, NotAnItem> {
        let not = || NotAnItem { text: text.to_owned() };
        let (kind, name) = text.split_once(':').ok_or_else(not)?;
        let name = name.to_owned();
        Ok(match kind {
            "user" => Self::User(name),
            "sysctl" => Self::Sysctl(name),
            "directory" => Self::Directory(name),
            "file" => Self::File(name),
            "image" => Self::Image(name),
            "unit" => Self::Unit(name),
            "serving" => Self::Serving(name),
            _ => return Err(not()),
        })
    }
}

impl TryFrom<String> for ItemId {
    type Error = NotAnItem;

    fn try_from(text: String) -> Result<Self, NotAnItem> {
        text.parse()
    }
}

impl From<ItemId> for String {
    fn from(id: ItemId) -> Self {
        id.to_string()
    }
}

/// One thing that a machine should have.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Item {
    /// The control that asked for it.
    pub by: String,
    /// What must be right on the same machine before.
    pub needs: BTreeSet<ItemId>,
    /// What it should be.
    pub what: What,
}

/// What an item should be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A user and a group of the same name that log in nowhere.
    User {
        /// Their numbers.
        owner: Owner,
    },
    /// A kernel setting.
    Sysctl {
        /// Its value.
        value: String,
    },
    /// A directory.
    Directory {
        /// Its mode.
        mode: FileMode,
        /// Its owner.
        owner: Owner,
    },
    /// A file.
    File {
        /// Its mode.
        mode: FileMode,
        /// Its owner.
        owner: Owner,
        /// What it holds.
        content: Content,
        /// The rolling group, if at most one machine may change it at a time: the name of the
        /// `Serving` item that must be right on every other machine that already serves.
        rolling: Option<String>,
    },
    /// An image of the bundle, imported and pinned.
    Image {
        /// The archive's name in the bundle.
        name: String,
        /// The archive's digest.
        archive: Digest,
        /// Digest of the image's manifest, as containerd reports it.
        manifest: Digest,
    },
    /// A unit that is enabled and runs.
    Unit {
        /// Digest of all that it reads only at its start: another digest means a restart.
        inputs: Digest,
        /// Paths of the files among that: one that is put right means a restart too, since the
        /// process may have read what was wrong.
        reads: BTreeSet<String>,
    },
    /// A component that answers.
    Serving {
        /// How to ask it.
        probe: Probe,
        /// What its process must carry in `RINGFORT_INPUTS`, so that an old process is not
        /// taken for the new one.
        inputs: Digest,
        /// The process's name.
        process: String,
        /// Paths of the files that it reads only at its start.
        reads: BTreeSet<String>,
    },
}

impl What {
    /// Lists the files that a process reads only at its start.
    pub fn reads(&self) -> impl Iterator<Item = &String> {
        let reads = match self {
            Self::Unit { reads, .. } | Self::Serving { reads, .. } => Some(reads),
            _ => None,
        };
        reads.into_iter().flatten()
    }
}

/// How to ask a component on its own machine whether it serves.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// An HTTPS request that is answered with 200, checked against an authority's certificate.
    Https {
        /// Where.
        at: SocketAddr,
        /// Which path.
        path: String,
        /// Path of the authority's certificate; absent for a component that makes its own
        /// certificate at start and listens on loopback.
        ca: Option<String>,
    },
    /// A plain HTTP request on loopback that is answered with 200.
    Http {
        /// Where.
        at: SocketAddr,
        /// Which path.
        path: String,
    },
}
