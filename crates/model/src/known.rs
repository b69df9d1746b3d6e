//! What an operator remembers of machines and objects, to take leave of them when the spec no longer
//! speaks of them. Nothing here is secret: keys are named by their files.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::api_object::{ObjectKey, group};
use crate::blueprint::Role;
use crate::name::NodeName;

/// A machine that belongs to the cluster, or did, and how it is entered.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KnownMachine {
    /// Its name in the cluster.
    pub name: NodeName,
    /// Its address.
    pub address: IpAddr,
    /// Its part in the cluster.
    pub role: Role,
    /// The user there.
    pub user: String,
    /// The SSH port there.
    pub port: u16,
    /// The private key's file as the spec wrote it; without one, the agent's keys.
    pub identity: Option<PathBuf>,
    /// The host key that is accepted, if it was pinned.
    pub host_key: Option<String>,
    /// The file of known host keys as the spec wrote it.
    pub known_hosts: PathBuf,
    /// Whether commands go through `sudo -n`.
    pub sudo: bool,
    /// Whether the system's `ssh` speaks, and not this binary.
    pub openssh: bool,
    /// When it was given up without being entered again, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<i64>,
}

/// An object of the API that ringfort applied.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KnownObject {
    /// Its name.
    pub key: ObjectKey,
    /// Whether it was not there before. One that was is never deleted: only what ringfort set in it
    /// is given back.
    pub made: bool,
}

impl KnownObject {
    /// Says whether two names mean one object: versions of a group are views of the same objects.
    pub fn is(&self, other: &ObjectKey) -> bool {
        group(&self.key.api_version) == group(&other.api_version)
            && (&self.key.kind, &self.key.namespace, &self.key.name)
                == (&other.kind, &other.namespace, &other.name)
    }
}

#[cfg(test)]
mod tests {
    use super::{KnownObject, ObjectKey};

    #[test]
    fn a_version_makes_no_other_object() {
        let key = |api_version: &str, name: &str| ObjectKey {
            api_version: api_version.to_owned(),
            kind: "Role".to_owned(),
            namespace: Some("a".to_owned()),
            name: name.to_owned(),
        };
        let check = |one: ObjectKey, other: ObjectKey, expected: bool| {
            assert_eq!(KnownObject { key: one, made: true }.is(&other), expected, "{other:?}");
        };
        check(key("g/v1", "r"), key("g/v1beta1", "r"), true);
        check(key("v1", "r"), key("v1", "r"), true);
        check(key("g/v1", "r"), key("h/v1", "r"), false);
        check(key("g/v1", "r"), key("v1", "r"), false);
        check(key("g/v1", "r"), key("g/v1", "s"), false);
    }
}
