//! Members of etcd, and what may be done to the membership.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::NodeName;

/// A member as etcd lists it.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Member {
    /// Its id, in hexadecimal.
    pub id: String,
    /// Its name; empty until it has started once.
    pub name: String,
    /// Where the others reach it.
    pub peer_urls: Vec<String>,
    /// Whether it only learns and does not vote yet.
    pub learner: bool,
    /// Whether the member that lists has no connection to it.
    #[serde(default)]
    pub unheard: bool,
}

/// A change of the membership, made through a member that serves.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EtcdAct {
    /// Takes out a member that is gone for good.
    Remove {
        /// The member's id.
        id: String,
    },
    /// Announces a learner before its etcd starts.
    AddLearner {
        /// The node that joins.
        node: NodeName,
        /// Where the others will reach it.
        peer_url: String,
    },
    /// Gives a learner its vote once it has caught up.
    Promote {
        /// The learner's id.
        id: String,
    },
}

impl fmt::Display for EtcdAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remove { id } => write!(f, "member {id} leaves"),
            Self::AddLearner { node, .. } => write!(f, "{node} joins as a learner"),
            Self::Promote { id } => write!(f, "member {id} gets its vote"),
        }
    }
}

/// How a member's data began; decides `--initial-cluster` and `--initial-cluster-state`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Founding {
    /// Whether the member began with the cluster or joined it later.
    pub state: FoundingState,
    /// Names and peer addresses of the members at that time, itself included.
    pub members: Vec<(NodeName, String)>,
}

/// Whether a member began with the cluster or joined it later.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundingState {
    /// Began with the cluster.
    New,
    /// Joined it later.
    Existing,
}
