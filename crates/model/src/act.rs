//! What a proof does to a cluster, what came of it, and the transcript of both.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api_object::ObjectKey;
use crate::identity::{ADMIN, KEEPER};
use crate::judgement::Judgement;
use crate::name::NodeName;
use crate::net::Cidr;

/// What a proof wants next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// These acts, side by side, and then the proof again.
    Do(Vec<Act>),
    /// Nothing more.
    Done(Judgement),
}

/// One thing that a proof does.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Sends a request to an API server.
    Ask {
        /// Which control plane's server.
        server: NodeName,
        /// Who asks.
        speaker: Speaker,
        /// What is asked.
        ask: Ask,
    },
    /// Reads a value as one etcd member stores it, and opens it with the keyring.
    ReadSealed {
        /// Which member.
        member: NodeName,
        /// The key, such as `/registry/secrets/default/canary`.
        key: String,
    },
    /// Reads the lines of a server's audit log that hold a text.
    ReadAudit {
        /// Which control plane's log.
        server: NodeName,
        /// The text.
        holding: String,
    },
    /// Stops a control plane's containers, writes through a worker's balancer meanwhile, and starts
    /// them again.
    Rehearse {
        /// Which control plane.
        stop: NodeName,
        /// Through whose balancer.
        through: NodeName,
        /// The namespace for the writes.
        namespace: String,
        /// How long it stays stopped, in milliseconds.
        down_ms: u64,
    },
    /// Begins to count what arrives on a machine from outside.
    Listen {
        /// Which machine.
        node: NodeName,
        /// The range of all pods' addresses.
        pods: Cidr,
    },
    /// Ends the counting and tells what was counted.
    Hear {
        /// Which machine.
        node: NodeName,
    },
    /// Lets time pass.
    Wait {
        /// How long, in milliseconds.
        ms: u64,
    },
}

/// Who asks an API server.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaker {
    /// ringfort's own identity.
    Keeper,
    /// The identity that is handed over.
    Admin,
    /// Nobody.
    Anonymous,
}

impl Speaker {
    /// Gives the name of the user.
    pub fn user(self) -> &'static str {
        match self {
            Self::Keeper => KEEPER,
            Self::Admin => ADMIN,
            Self::Anonymous => "system:anonymous",
        }
    }
}

/// What is asked of an API server.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// To create an object.
    Create(Value),
    /// To read an object.
    Get(ObjectKey),
    /// To list the objects of a kind.
    List {
        /// Group and version.
        api_version: String,
        /// Kind.
        kind: String,
        /// Namespace, or all.
        namespace: Option<String>,
    },
    /// To delete an object.
    Delete(ObjectKey),
    /// To give a pod's log.
    Logs {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        pod: String,
    },
    /// To answer on a path that is no object.
    Read {
        /// The path.
        path: String,
    },
    /// To give the lines of its metrics that begin with a text.
    Metrics {
        /// The text.
        beginning: String,
    },
}

/// What came of an act.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// An object.
    Object(Value),
    /// Objects.
    Objects(Vec<Value>),
    /// Text.
    Text(String),
    /// It is done, and there is nothing to show.
    Done,
    /// There is no such thing.
    Absent,
    /// The server refused.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// A value was sealed, and the keyring opened it.
    Opened {
        /// Name of the key that sealed it.
        key: String,
        /// The value, as characters where it is such.
        plain: String,
    },
    /// A value lay open, or was sealed in another way.
    NotSealed {
        /// How it lay.
        how: String,
    },
    /// A value was sealed with a key that the keyring lacks, or was changed.
    NotOpened {
        /// Why it did not open.
        why: String,
    },
    /// Lines of a log.
    Lines(Vec<String>),
    /// What a steady load of writes met.
    Load(Load),
    /// What arrived on a machine from outside.
    Heard(Heard),
    /// It could not be tried.
    Failed {
        /// Why.
        why: String,
    },
}

/// What a steady load of writes met.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Load {
    /// Writes that were tried.
    pub tried: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Acknowledged writes that were not there afterwards.
    pub lost: u64,
    /// Longest time between two acknowledgements, in milliseconds.
    pub longest_pause_ms: u64,
    /// From starting the containers again until the server was ready, in milliseconds.
    pub recovery_ms: u64,
}

/// What arrived on a machine from outside.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Heard {
    /// Packets of WireGuard.
    pub sealed: u64,
    /// Packets of pods in no tunnel.
    pub open: u64,
}

/// All that a proof has done and seen so far, in order.
pub type Transcript = [(Act, Seen)];
