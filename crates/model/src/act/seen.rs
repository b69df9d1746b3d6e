//! What came of an act.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dial::Dialled;
use crate::certificate::CertSeen;
use crate::digest::Digest;
use crate::name::NodeName;
use crate::receiver::Recipient;

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
    /// How a port answered.
    Dialled(Dialled),
    /// What lies in one etcd member.
    Scanned(Scanned),
    /// The paths by the HTTP status that they were answered with.
    Statuses(BTreeMap<u16, Vec<String>>),
    /// What is true of a token.
    Token(TokenSeen),
    /// Files by their paths; one that is not there is missing.
    Files(BTreeMap<String, FileSeen>),
    /// Values by their names; one that is not there is missing.
    Values(BTreeMap<String, String>),
    /// Addresses and ports, and who listens there.
    Listeners(Vec<ListenerSeen>),
    /// Processes.
    Processes(Vec<ProcessSeen>),
    /// Programs, byte by byte.
    Programs(Vec<ProgramSeen>),
    /// Private keys.
    Keys(Vec<KeyFile>),
    /// Certificates.
    Certificates(Vec<CertFile>),
    /// What is kept of what a server logs.
    Kept(KeptSeen),
    /// Who was told a finding.
    Told(ToldSeen),
    /// It could not be tried.
    Failed {
        /// Why.
        why: String,
    },
}

/// What a steady load of writes met.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Load {
    /// What each writer met, by the machine through whose balancer it wrote.
    pub writers: BTreeMap<NodeName, Writes>,
    /// How far somebody else counted; none where nobody was looked at.
    pub counted: Option<Counted>,
    /// From when the part was stopped until it was told to start, in milliseconds.
    pub down_ms: u64,
    /// From starting the part again until it was ready, in milliseconds.
    pub recovery_ms: u64,
}

/// What one writer met.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Writes {
    /// Writes that were tried.
    pub tried: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Those of them that were sent, and acknowledged, while the part was stopped.
    pub while_down: u64,
    /// Those of them that were sent after it was back.
    pub after: u64,
    /// Acknowledged writes that were not there afterwards.
    pub lost: u64,
    /// Longest time between two acknowledgements, or since the last, in milliseconds.
    pub longest_pause_ms: u64,
}

/// How many writes of somebody else were both sent and acknowledged within a time, at least; none where that
/// could not be looked at.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counted {
    /// While the part was stopped.
    pub while_down: Option<u64>,
    /// After it was back.
    pub after: Option<u64>,
}

/// What arrived on a machine from outside.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Heard {
    /// Packets of WireGuard.
    pub sealed: u64,
    /// Packets of pods in no tunnel.
    pub open: u64,
}

/// What lies in one etcd member.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Scanned {
    /// Values that a key of the keyring sealed, by its name.
    pub sealed: BTreeMap<String, u64>,
    /// Values that look sealed, and no key of the keyring sealed them.
    pub shut: u64,
    /// Values that may lie open, by their keys or what those begin with.
    pub open: BTreeMap<String, u64>,
    /// Values that lie open and may not.
    pub strange: u64,
    /// Keys of the first that do not open, or lie open and may not.
    pub strangers: Vec<String>,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// What is true of a token of a service account.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TokenSeen {
    /// For whom it is.
    pub audiences: Vec<String>,
    /// How long it lives, in seconds.
    pub seconds: u64,
    /// Which HTTP status the API answered to whoever showed it, by control plane.
    pub status: BTreeMap<NodeName, u16>,
}

/// A file as it was found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FileSeen {
    /// Its permissions, such as `600`.
    pub mode: String,
    /// The owner's number.
    pub user: u32,
    /// The group's number.
    pub group: u32,
}

/// A process as the kernel tells of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ProcessSeen {
    /// Its program's name.
    pub name: String,
    /// Its user's number.
    pub user: u32,
    /// The capabilities in force, in hexadecimal.
    pub capabilities: String,
    /// Whether it can gain no privilege by starting a program.
    pub no_new_privileges: bool,
    /// 0 without a filter of system calls beside those of the whole machine, 2 with one.
    pub seccomp: u8,
    /// The AppArmor profile it runs under with its mode, such as `cri-containerd.apparmor.d (enforce)`, or
    /// `unconfined`; none where the kernel tells of none.
    pub app_armor: Option<String>,
}

/// Somebody who listens in a machine's own network.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ListenerSeen {
    /// By which protocol.
    pub protocol: Protocol,
    /// Where.
    pub address: SocketAddr,
    /// The program's name: the process's first argument without directories. The kernel itself has none.
    pub program: Option<String>,
    /// Whether it runs in a pod.
    pub in_pod: bool,
}

/// A protocol with ports.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A program as it lies on a machine or runs there.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ProgramSeen {
    /// Its name: the process's first argument without directories, or the file's.
    pub name: String,
    /// Where it is, as the process sees it.
    pub path: String,
    /// Digest of its bytes.
    pub digest: Digest,
    /// How many processes run it outside of pods.
    pub running: u32,
    /// How many run it in pods.
    pub in_pods: u32,
}

/// A private key that was found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyFile {
    /// In which file.
    pub path: String,
    /// Digest of its public half (`SubjectPublicKeyInfo`, DER); none if it could not be read.
    pub public_key: Option<Digest>,
}

/// A certificate that was found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CertFile {
    /// In which file.
    pub path: String,
    /// What it says; nothing if it could not be read.
    pub certificate: Option<CertSeen>,
}

/// What a machine keeps of what its API server logs, as far as it is about certain requests.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeptSeen {
    /// The public key that signs what is kept, in hexadecimal; empty where nothing is kept.
    pub key: String,
    /// The requests that stand in the server's log.
    pub logged: BTreeSet<EventSeen>,
    /// The requests that are kept.
    pub kept: BTreeSet<EventSeen>,
    /// The detections that found something in them.
    pub findings: BTreeSet<String>,
    /// By detection, how long ago the oldest request was that it found something in, in milliseconds: who sees the
    /// finding for the first time knows that it took no longer.
    #[serde(default)]
    pub found_ms: BTreeMap<String, u64>,
    /// Sealed segments that were verified whole.
    pub segments: u64,
    /// Entries that were verified.
    pub entries: u64,
    /// Older segments of which only checkpoint and length were looked at.
    pub unread: u64,
    /// What of all that is kept is not as it was written.
    pub wrong: Vec<String>,
    /// How what the server counts compares with what came; nothing where nobody compares.
    pub tally: Option<TallySeen>,
    /// By other control planes, how long ago the collector took what came of what they keep, in milliseconds; one of which
    /// nothing came since it began is not there.
    #[serde(default)]
    pub heard_ms: BTreeMap<NodeName, u64>,
}

/// How what an API server says that it logged compares with what came of it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct TallySeen {
    /// How many seconds ago that was looked at.
    pub ago_s: u64,
    /// How often it was looked at since the server began.
    pub rounds: u64,
    /// How many events the server counted since then.
    pub events: u64,
    /// How many of them, by the last look, did not come.
    pub missed: u64,
    /// How many requests in a row were answered and did not come.
    pub unheard: u32,
    /// Why the last look came to nothing, if it did.
    pub trouble: Option<String>,
}

/// Who was told a finding, of those of whom it was asked.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ToldSeen {
    /// Who has it: it stands there, or they acknowledged it.
    pub has: BTreeSet<Recipient>,
    /// How many findings there was no room for while they waited, ever.
    pub lost: BTreeMap<Recipient, u64>,
}

/// A request as an API server wrote it down.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct EventSeen {
    /// Its `auditID`.
    pub id: String,
    /// What was done,
    pub verb: String,
    /// to what, with the part of the object behind a slash.
    pub resource: String,
}
