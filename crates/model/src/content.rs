//! What a file should hold, with no secret in it.

use serde::{Deserialize, Serialize};

use crate::certificate::CertRequest;
use crate::digest::Digest;

/// What a file should hold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// These characters.
    Text(String),
    /// The bundle's file of this name and digest.
    Bundled {
        /// Its name in the bundle.
        name: String,
        /// Its digest.
        digest: Digest,
    },
    /// A secret of the operator's, known here by name and digest.
    Secret {
        /// Which secret.
        name: SecretName,
        /// Digest of the file that holds it.
        digest: Digest,
        /// Names of the keys in it, the one that writes first; none where it holds no keys with names.
        keys: Vec<String>,
    },
    /// A certificate signed by one of the cluster's authorities for a key of the same machine.
    Issued(CertRequest),
    /// A private key that is made on the machine and never leaves it.
    PrivateKey,
    /// A WireGuard key as the tool `wg` writes it, made on the machine; it never leaves it.
    TunnelKey,
}

/// Names a secret that travels from the operator to a machine.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretName {
    /// The API servers' `EncryptionConfiguration`, keys included.
    EncryptionConfiguration,
    /// The token that the receiver of findings asks for. It comes from a file of the operator's.
    FindingsToken,
}
