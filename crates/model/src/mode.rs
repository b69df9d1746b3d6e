//! Who owns a file and what others may do with it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Permission bits of a file, as `chmod` takes them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct FileMode(pub u32);

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// A user and a group by number: names are looked up by nobody.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl Owner {
    /// Root, and root's group.
    pub const ROOT: Self = Self { uid: 0, gid: 0 };
    /// The user that runs etcd.
    pub const ETCD: Self = Self { uid: 2379, gid: 2379 };
    /// The user of components that need no right on the machine: none that images use by default,
    /// so that no pod is the same user by accident.
    pub const COMPONENT: Self = Self { uid: 10257, gid: 10257 };
    /// The users that control planes are given, with their groups of the same names and numbers.
    pub const USERS: [(Self, &'static str); 2] =
        [(Self::ETCD, "etcd"), (Self::COMPONENT, "ringfort")];

    /// Reads the owner that a written `uid:gid` names.
    pub const fn same(id: u32) -> Self {
        Self { uid: id, gid: id }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}
