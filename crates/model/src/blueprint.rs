//! All that a cluster should be: every item of every machine and every object of the API.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::api_object::ApiObject;
use crate::item::{Item, ItemId};
use crate::name::{ClusterName, NodeName};

/// All that a cluster should be. Holds no secret, and the same input gives the same bytes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Blueprint {
    /// The cluster's name.
    pub cluster: ClusterName,
    /// The release, such as `v1.37.2`.
    pub kubernetes: String,
    /// Every machine.
    pub machines: BTreeMap<NodeName, Machine>,
    /// Every object of the API, in the order of applying.
    pub objects: Vec<ApiObject>,
}

/// All that one machine should be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Machine {
    /// Its part in the cluster.
    pub role: Role,
    /// Its address.
    pub address: IpAddr,
    /// Its items.
    pub items: BTreeMap<ItemId, Item>,
}

/// A machine's part in the cluster. Nobody is both.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs etcd, the API server, the scheduler and the controller manager, and nothing of users.
    ControlPlane,
    /// Runs what users run.
    Worker,
}
