//! The file that tells a node's route keeper where other nodes' pods are.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::name::NodeName;
use crate::net::Cidr;
use crate::tunnel::Tunnel;

/// Where the pods of every node are, as one node is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Routes {
    /// How packets reach other nodes where they are not encrypted.
    pub mode: RouteMode,
    /// The node that is told.
    #[serde(rename = "self")]
    pub own: Hop,
    /// All other nodes.
    pub peers: Vec<Hop>,
    /// How packets of pods are encrypted; if they are, they take no other way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Tunnel>,
    /// How packets of pods leave the cluster; if nothing says so, they keep their address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masquerade: Option<Masquerade>,
}

/// Packets of pods leave the cluster by their machine's own address.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Masquerade {
    /// The ranges of the cluster's pods and Services: to them packets keep their address, as they do to its machines.
    pub inside: Vec<Cidr>,
}

/// A node and its pods.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Hop {
    /// The node's name, for people.
    pub node: NodeName,
    /// Its address.
    pub address: IpAddr,
    /// The range of its pods.
    pub pods: Cidr,
}

/// How packets reach other nodes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteMode {
    /// Direct routes to nodes on the same segment, VXLAN to the others.
    Auto,
    /// Direct routes to all.
    Direct,
    /// VXLAN with fixed neighbours to all.
    Vxlan,
}
