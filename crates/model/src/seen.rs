//! What was found on a machine, without opinion.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::certificate::CertSeen;
use crate::digest::Digest;
use crate::item::{ItemId, Probe};
use crate::mode::{FileMode, Owner};
use crate::tunnel::TunnelKey;

/// What to look at, and how closely.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Look {
    /// Whether and how it is there.
    Plain,
    /// As a private key: report the public half.
    Key,
    /// As a WireGuard key: report the public half.
    TunnelKey,
    /// As a certificate: report what it says.
    Certificate,
    /// As an `EncryptionConfiguration`: report the names of its keys.
    EncryptionKeys,
    /// As a component: ask it.
    Serving {
        /// How to ask it.
        probe: Probe,
        /// The process's name.
        process: String,
    },
}

/// What was found on a machine.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Seen {
    /// The items that were looked at.
    pub items: BTreeMap<ItemId, ItemSeen>,
    /// The items that ringfort made on this machine, by its journal.
    pub owned: BTreeSet<ItemId>,
    /// The highest epoch that acted on this machine.
    pub epoch: u64,
    /// Whether etcd's data directory holds a member.
    pub etcd_data: bool,
    /// The cluster that this machine belongs to, by ringfort's own state there.
    pub cluster: Option<String>,
}

/// What was found of one item.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemSeen {
    /// It is not there.
    Absent,
    /// It could not be looked at, and why.
    Unreadable(String),
    /// A user.
    User {
        /// Its numbers.
        owner: Owner,
    },
    /// A kernel setting.
    Sysctl {
        /// Its value.
        value: String,
    },
    /// A directory.
    Directory {
        /// Its mode.
        mode: FileMode,
        /// Its owner.
        owner: Owner,
    },
    /// A file.
    File {
        /// Its mode.
        mode: FileMode,
        /// Its owner.
        owner: Owner,
        /// What it holds.
        content: ContentSeen,
    },
    /// An image.
    Image {
        /// Digest of its manifest.
        manifest: Digest,
    },
    /// A unit.
    Unit {
        /// Whether it starts at boot.
        enabled: bool,
        /// Whether it runs.
        active: bool,
        /// The inputs it was last started with, where ringfort started it.
        inputs: Option<Digest>,
    },
    /// A component.
    Serving {
        /// Whether it answered well.
        healthy: bool,
        /// The inputs that its process carries; none if it carries none, or may have read a file
        /// that was put right since.
        inputs: Option<Digest>,
    },
}

/// What a file holds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContentSeen {
    /// Bytes of this digest.
    Bytes(Digest),
    /// A certificate.
    Certificate(CertSeen),
    /// A private key whose public half is this.
    Key {
        /// Digest of the public key (`SubjectPublicKeyInfo`, DER).
        id: Digest,
        /// The public key in PEM.
        public_pem: String,
    },
    /// A WireGuard key whose public half is this.
    TunnelKey(TunnelKey),
    /// An `EncryptionConfiguration`.
    EncryptionKeys {
        /// Digest of the file.
        digest: Digest,
        /// Names of its keys, the one that writes first.
        keys: Vec<String>,
    },
    /// Something that is not what was looked for: no certificate, no key.
    Other(String),
}
