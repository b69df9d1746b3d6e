//! What a proof does to a cluster, what came of it, and the transcript of both.

mod ask;
mod dial;
mod seen;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::judgement::Judgement;
use crate::name::NodeName;
use crate::net::Cidr;
use crate::receiver::Recipient;

pub use ask::{Ask, Sending, Speaker, TokenWish};
pub use dial::{Credential, Dial, Dialled, Ended, Flaw, Hello, TlsSeen};
pub use seen::{
    CertFile, Counted, EventSeen, FileSeen, Heard, KeptSeen, KeyFile, ListenerSeen, Load,
    ProcessSeen, ProgramSeen, Protocol, Scanned, Seen, TallySeen, TokenSeen, ToldSeen, Writes,
};

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
    /// Looks at what a control plane keeps of its server's log: what of requests that hold a text stands there, what
    /// was found in them, and whether all of it is as it was written.
    Kept {
        /// Which control plane.
        server: NodeName,
        /// The text.
        holding: String,
    },
    /// Asks a machine's member of etcd for its own number and that of the member that leads, which it tells if it takes
    /// writes.
    Leads {
        /// Which control plane.
        member: NodeName,
    },
    /// Stops a part of the cluster, writes through machines' balancers meanwhile, and starts it again.
    Rehearse {
        /// On which machine.
        stop: NodeName,
        /// Which part.
        part: Part,
        /// Through whose balancers, all at once.
        through: Vec<NodeName>,
        /// The namespace for the writes.
        namespace: String,
        /// The `ConfigMap` there in which somebody else counts up, if anybody does.
        counter: Option<String>,
        /// How long it stays stopped, in milliseconds: at most, where writes go on meanwhile.
        down_ms: u64,
        /// For how long everybody has to write on, in milliseconds, for it to be started sooner; none where
        /// nobody can.
        writes_on_ms: Option<u64>,
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
    /// Refuses what a machine passes on to an address and port, as whoever is there might, so that a pod hears
    /// of it when its packets got past all filters. It ends with the proof.
    Refuse {
        /// Which machine.
        node: NodeName,
        /// Where nobody else answers.
        at: SocketAddr,
    },
    /// Speaks with a port.
    Dial(Dial),
    /// Reads every value as one etcd member stores it, and tells which are not sealed.
    Scan {
        /// Which member.
        member: NodeName,
        /// What the keys begin with whose values may lie open.
        open: Vec<String>,
    },
    /// Sends a request without a name for each of many paths.
    Sweep {
        /// Which control plane's server.
        server: NodeName,
        /// The paths.
        paths: Vec<String>,
    },
    /// Asks for a token of a service account, and uses it. It is never told.
    TryToken {
        /// Which control plane's server.
        server: NodeName,
        /// What token.
        wish: TokenWish,
    },
    /// Makes a bootstrap token that lives for minutes, uses it, and takes it away. It is never told.
    TryBootstrapToken {
        /// Which control plane's server makes it; all are asked.
        server: NodeName,
    },
    /// Reads the mode and owner of files.
    Files {
        /// Which machine.
        node: NodeName,
        /// Their paths.
        paths: Vec<String>,
    },
    /// Reads kernel settings.
    Kernel {
        /// Which machine.
        node: NodeName,
        /// Their names, such as `vm.overcommit_memory`.
        names: Vec<String>,
    },
    /// Tells what running processes may do.
    Processes {
        /// Which machine.
        node: NodeName,
        /// Their programs' names.
        names: Vec<String>,
    },
    /// Reads programs byte by byte: those that run, as they run, and those that lie ready.
    Programs {
        /// Which machine.
        node: NodeName,
        /// The names of those that run.
        names: Vec<String>,
        /// The paths of those that lie ready.
        paths: Vec<String>,
    },
    /// Tells on which addresses a machine listens, and which program does.
    Listeners {
        /// Which machine.
        node: NodeName,
    },
    /// Looks for private keys where a cluster's files lie. Only their public halves are told.
    PrivateKeys {
        /// Which machine.
        node: NodeName,
    },
    /// Looks for certificates where a cluster's files lie.
    Certificates {
        /// Which machine.
        node: NodeName,
    },
    /// Stops a machine's kubelet, as if the machine were lost; it starts again by itself after a while.
    Lose {
        /// Which machine.
        node: NodeName,
    },
    /// Starts again what [`Act::Lose`] stopped.
    Regain {
        /// Which machine.
        node: NodeName,
    },
    /// Asks a machine's enforcer of network policies what is in force.
    Enforced {
        /// Which machine.
        node: NodeName,
    },
    /// Changes a file that nothing reads and puts it back, and tells what the machine's agent says of it.
    Canary {
        /// Which machine.
        node: NodeName,
    },
    /// Looks at which changes that machines' agents told are kept on a control plane, each delivered by the agent
    /// that told it.
    Reported {
        /// Which control plane.
        server: NodeName,
        /// The machines, each with what its agent calls the change.
        changes: BTreeMap<NodeName, String>,
    },
    /// Looks at who was told what a detection found on a control plane.
    Told {
        /// Which control plane.
        server: NodeName,
        /// What the finding's object holds.
        holding: String,
        /// The detection.
        detection: String,
        /// Of whom it is asked.
        to: BTreeSet<Recipient>,
    },
    /// Lets time pass.
    Wait {
        /// How long, in milliseconds.
        ms: u64,
    },
}

/// How long a write of a rehearsal may take, in milliseconds. Then it is given up, and another is sent.
pub const WRITE_LIMIT_MS: u64 = 3_000;

/// A part of the cluster that is stopped in a rehearsal.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// All of a control plane's containers.
    ControlPlane,
    /// Its member of etcd alone.
    Etcd,
    /// A machine's balancer.
    Balancer,
}

/// All that a proof has done and seen so far, in order.
pub type Transcript = [(Act, Seen)];

impl Act {
    /// Gives the machine that an act is about, if it is about one.
    pub fn node(&self) -> Option<&NodeName> {
        match self {
            Self::Ask { server: node, .. }
            | Self::ReadSealed { member: node, .. }
            | Self::ReadAudit { server: node, .. }
            | Self::Kept { server: node, .. }
            | Self::Reported { server: node, .. }
            | Self::Told { server: node, .. }
            | Self::Leads { member: node }
            | Self::Rehearse { stop: node, .. }
            | Self::Listen { node, .. }
            | Self::Hear { node }
            | Self::Refuse { node, .. }
            | Self::Scan { member: node, .. }
            | Self::Sweep { server: node, .. }
            | Self::TryToken { server: node, .. }
            | Self::TryBootstrapToken { server: node }
            | Self::Files { node, .. }
            | Self::Kernel { node, .. }
            | Self::Processes { node, .. }
            | Self::Programs { node, .. }
            | Self::Listeners { node }
            | Self::Lose { node }
            | Self::Regain { node }
            | Self::Certificates { node }
            | Self::Enforced { node }
            | Self::Canary { node }
            | Self::PrivateKeys { node } => Some(node),
            Self::Dial(dial) => Some(&dial.from),
            Self::Wait { .. } => None,
        }
    }
}
