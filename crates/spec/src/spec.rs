//! The spec after checking: every default filled in, every name resolved, nothing left to doubt.
//!
//! Never here: places in the file, and how a spec comes to be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use ringfort_model::blueprint::Role;
use ringfort_model::name::{ClusterName, NodeName};
use ringfort_model::version::KubeVersion;
use serde::Serialize;

use crate::audit::Audit;
use crate::endpoint::Endpoint;
use crate::integrity::Integrity;
use crate::settings::{Admin, Network, Runtime, Transport};

/// A cluster as it should be. Only [`crate::check`] makes one, so one in hand has been checked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The name of the cluster.
    pub name: ClusterName,
    /// The version of Kubernetes.
    pub kubernetes: KubeVersion,
    /// The machines by name: the order of the file has no meaning.
    pub nodes: BTreeMap<NodeName, Node>,
    /// The address of the API from outside, if there is one before all control planes.
    pub endpoint: Option<Endpoint>,
    /// The cluster's networks.
    pub network: Network,
    /// The servers for names outside the cluster, in order of preference; none by default.
    pub dns_upstream: Vec<IpAddr>,
    /// The age recipients that open the keyring, besides the operator who makes it.
    pub operators: BTreeSet<String>,
    /// The handed-over identity.
    pub admin: Admin,
    /// How long what API servers log is kept, what is looked for in it, and where it is told.
    pub audit: Audit,
    /// How files of machines stay as they are.
    pub integrity: Integrity,
    /// Whether the API server accepts privileged containers at all. Never without a waiver that
    /// holds.
    pub allow_privileged: bool,
    /// Manifests that are applied and kept, in this order.
    pub addons: Vec<Addon>,
    /// The decisions against controls that hold today.
    pub waivers: Vec<Waiver>,
    /// The decisions against controls whose last day has passed: they loosen nothing any more.
    pub ended: Vec<Waiver>,
    /// Keeps others from making one.
    #[serde(skip)]
    pub(crate) checked: Checked,
}

/// Says that the rules were looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Checked;

impl Spec {
    /// Gives the control planes, by name.
    pub fn control_planes(&self) -> impl Iterator<Item = &Node> {
        self.of(Role::ControlPlane)
    }

    /// Gives the workers, by name.
    pub fn workers(&self) -> impl Iterator<Item = &Node> {
        self.of(Role::Worker)
    }

    fn of(&self, role: Role) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(move |node| node.role == role)
    }

    /// Gives the waivers of one control.
    pub fn waivers_of(&self, control: &str) -> impl Iterator<Item = &Waiver> {
        self.waivers.iter().filter(move |waiver| waiver.control == control)
    }

    /// Says whether a control is waived for the whole cluster.
    pub fn waives(&self, control: &str) -> bool {
        self.waivers_of(control).any(|waiver| waiver.scope == Scope::Cluster)
    }
}

/// A machine of the cluster.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its name in the cluster.
    pub name: NodeName,
    /// Its part in the cluster.
    pub role: Role,
    /// The address under which operator and cluster reach it.
    pub address: IpAddr,
    /// How it is entered.
    pub ssh: Ssh,
    /// How containers meet its kernel.
    pub runtime: Runtime,
}

/// How one machine is entered.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ssh {
    /// The user there.
    pub user: String,
    /// The port there.
    pub port: u16,
    /// The private key's file as written; without one, the agent's keys. See [`on_disk`].
    pub identity: Option<PathBuf>,
    /// The host key that is accepted, if it is pinned: before `known_hosts`.
    pub host_key: Option<String>,
    /// The file of known host keys as written. See [`on_disk`].
    pub known_hosts: PathBuf,
    /// Whether commands go through `sudo -n`.
    pub sudo: bool,
    /// Who speaks SSH.
    pub transport: Transport,
}

/// Manifests that belong together.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Addon {
    /// What they are called.
    pub name: String,
    /// The files as written. See [`on_disk`].
    pub files: Vec<PathBuf>,
}

/// A decision against a control.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiver {
    /// The control's id.
    pub control: String,
    /// What it is limited to.
    pub scope: Scope,
    /// Why this is right.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds.
    pub expires: Date,
}

/// What a waiver is limited to.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// Nothing: the whole cluster.
    Cluster,
    /// Namespaces that carry a label, in requests of one identity.
    Namespaces {
        /// The key of the label.
        label: String,
        /// The identity.
        user: String,
    },
    /// The namespaces of an add-on.
    Addon(String),
    /// Some namespaces, by name.
    Named(BTreeSet<String>),
    /// Some nodes.
    Nodes(BTreeSet<NodeName>),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("for the whole cluster"),
            Self::Namespaces { label, user } => {
                write!(f, "for namespaces that {user} labels with {label}")
            }
            Self::Addon(name) => write!(f, "for the namespaces of the add-on {name}"),
            Self::Named(names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                write!(f, "for the namespaces {}", names.join(", "))
            }
            Self::Nodes(nodes) => {
                let names: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
                write!(f, "for {}", names.join(", "))
            }
        }
    }
}

/// Turns a path of the spec into one that can be opened: `~/` is the home directory, another
/// relative path starts in the directory of the spec.
pub fn on_disk(written: &Path, home: &Path, beside: &Path) -> PathBuf {
    match written.strip_prefix("~") {
        Ok(rest) => home.join(rest),
        Err(_) => beside.join(written),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::on_disk;

    #[test]
    fn paths_start_where_they_say() {
        let check = |written: &str, expected: &str| {
            let found = on_disk(Path::new(written), Path::new("/home/ann"), Path::new("/srv/a"));
            assert_eq!(found, Path::new(expected));
        };
        check("~/.ssh/id", "/home/ann/.ssh/id");
        check("keys/id", "/srv/a/keys/id");
        check("/etc/id", "/etc/id");
        check("~ann/id", "/srv/a/~ann/id");
    }
}
