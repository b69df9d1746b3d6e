//! One durable change to one machine.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::certificate::CertRequest;
use crate::content::SecretName;
use crate::digest::Digest;
use crate::etcd::EtcdAct;
use crate::item::{ItemId, Probe};
use crate::mode::{FileMode, Owner};

/// One durable change to one machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Step {
    /// What is changed.
    pub item: ItemId,
    /// The control that wants it.
    pub by: String,
    /// What differs.
    pub because: Difference,
    /// What is done.
    pub act: Act,
}

impl Step {
    /// Says in words what differs, or what becomes of etcd's membership.
    pub fn reason(&self) -> String {
        match &self.act {
            Act::Etcd(act) => act.to_string(),
            _ => self.because.to_string(),
        }
    }
}

/// What differs between what should be and what is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// It is not there.
    Missing,
    /// It is something else.
    Kind,
    /// Mode or owner differ.
    Permissions,
    /// What it holds differs.
    Content,
    /// It does not run, or not at boot.
    Stopped,
    /// It runs with what it read before.
    Stale,
    /// A third of its life has passed, or all of it.
    Aged,
    /// Nobody wants it any more.
    Unwanted,
    /// It does not answer yet.
    Silent,
    /// It runs, and what it makes at its start is gone.
    Unmade,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Kind => "is something else",
            Self::Permissions => "mode or owner differ",
            Self::Content => "content differs",
            Self::Stopped => "stopped",
            Self::Stale => "runs with old settings",
            Self::Aged => "a third of its life has passed",
            Self::Unwanted => "not in the blueprint",
            Self::Silent => "does not answer yet",
            Self::Unmade => "what it makes at its start is gone",
        })
    }
}

/// What is done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Adds a user and its group.
    AddUser {
        /// Their numbers.
        owner: Owner,
    },
    /// Sets a kernel setting.
    SetSysctl {
        /// The value.
        value: String,
    },
    /// Makes a directory, or puts its mode and owner right.
    MakeDirectory {
        /// The mode.
        mode: FileMode,
        /// The owner.
        owner: Owner,
    },
    /// Writes a file: aside, synced, renamed.
    WriteFile {
        /// The mode.
        mode: FileMode,
        /// The owner.
        owner: Owner,
        /// Where the bytes come from.
        source: Source,
        /// Units and components that may have read what was there before: they count as started
        /// with nothing known from then on.
        #[serde(default)]
        readers: BTreeSet<ItemId>,
    },
    /// Makes a private key that stays on the machine.
    MakeKey {
        /// The mode.
        mode: FileMode,
        /// The owner.
        owner: Owner,
    },
    /// Makes a WireGuard key that stays on the machine.
    MakeTunnelKey {
        /// The mode.
        mode: FileMode,
        /// The owner.
        owner: Owner,
    },
    /// Asks for a certificate for a key of the machine; answered with a signing request.
    RequestCertificate {
        /// The certificate that is wanted.
        request: CertRequest,
    },
    /// Imports an image and pins it.
    ImportImage {
        /// Digest of the archive in the machine's store.
        archive: Digest,
    },
    /// Enables and starts a unit, or restarts it if it runs with other inputs.
    RunUnit {
        /// The inputs to remember.
        inputs: Digest,
        /// Whether it is restarted also if it runs with these.
        #[serde(default)]
        anew: bool,
    },
    /// Waits until a component answers; ends its process first if it may have read a file that was
    /// put right since.
    Await {
        /// How to ask it.
        probe: Probe,
        /// The process's name.
        process: String,
        /// The inputs that its process must carry.
        inputs: Digest,
        /// How long at most, in seconds.
        seconds: u32,
    },
    /// Takes an item away and puts back what was there before ringfort came.
    Remove,
    /// Changes etcd's membership through the member on this machine.
    Etcd(EtcdAct),
}

/// Where a file's bytes come from.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// These characters.
    Text(String),
    /// The machine's store.
    Stored(Digest),
    /// A secret, which follows in a frame of its own.
    Secret {
        /// Which secret.
        name: SecretName,
        /// Digest of the bytes that must arrive.
        digest: Digest,
    },
}

/// What came of a step.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is done, and this is what is there now.
    Done(crate::seen::ItemSeen),
    /// The machine asks to have a certificate signed.
    Signing {
        /// The signing request (PKCS #10, PEM).
        csr_pem: String,
    },
    /// It could not be done.
    Failed {
        /// What went wrong and what to do about it.
        why: String,
    },
}
