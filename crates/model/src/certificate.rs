//! Certificates as they should be and as they were found.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// One of the cluster's certificate authorities. Their keys are on the operator's side alone.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authority {
    /// Signs what speaks with API servers and kubelets.
    Cluster,
    /// Signs clients of etcd, and etcd's client port.
    EtcdClient,
    /// Signs etcd's members for each other.
    EtcdPeer,
    /// Signs the identity with which API servers forward requests to extension servers.
    FrontProxy,
}

impl Authority {
    /// Every authority of a cluster.
    pub const ALL: [Self; 4] = [Self::Cluster, Self::EtcdClient, Self::EtcdPeer, Self::FrontProxy];

    /// Gives the authority's common name.
    pub fn common_name(self) -> &'static str {
        match self {
            Self::Cluster => "kubernetes",
            Self::EtcdClient => "etcd-client-ca",
            Self::EtcdPeer => "etcd-peer-ca",
            Self::FrontProxy => "front-proxy-ca",
        }
    }
}

/// What a certificate may be used for (RFC 5280, 4.2.1.12).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    /// To be a client.
    ClientAuth,
    /// To be a server.
    ServerAuth,
}

/// A name that a server answers to (RFC 5280, 4.2.1.6).
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum San {
    /// A DNS name.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

/// Whom a certificate speaks for: Kubernetes reads the common name as user, organisations as groups.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Subject {
    /// The user.
    pub common_name: String,
    /// The groups.
    pub organizations: BTreeSet<String>,
}

impl Subject {
    /// Names a user of no group.
    pub fn user(common_name: impl Into<String>) -> Self {
        Self { common_name: common_name.into(), organizations: BTreeSet::new() }
    }

    /// Names a user of one group.
    pub fn member(common_name: impl Into<String>, organization: impl Into<String>) -> Self {
        Self {
            common_name: common_name.into(),
            organizations: BTreeSet::from([organization.into()]),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CN={}", self.common_name)?;
        self.organizations.iter().try_for_each(|o| write!(f, ",O={o}"))
    }
}

/// The certificate that a file should hold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CertRequest {
    /// Who signs it.
    pub authority: Authority,
    /// Whom it speaks for.
    pub subject: Subject,
    /// What it may be used for.
    pub usages: BTreeSet<Usage>,
    /// The names it answers to, if it is a server's.
    pub names: BTreeSet<San>,
    /// The path of the private key it belongs to, on the same machine.
    pub key: String,
}

/// The kind of every key that ringfort makes.
pub const ECDSA_P256: &str = "ECDSA P-256";

/// A certificate as it was found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CertSeen {
    /// Subject key id of the authority that signed it, in hexadecimal.
    pub authority_key_id: String,
    /// Whom it speaks for.
    pub subject: Subject,
    /// What it may be used for.
    pub usages: BTreeSet<Usage>,
    /// The names it answers to.
    pub names: BTreeSet<San>,
    /// Digest of the public key (`SubjectPublicKeyInfo`, DER).
    pub public_key: Digest,
    /// What kind of key it is, such as [`ECDSA_P256`].
    pub key_kind: String,
    /// Start of its life, in seconds since 1970.
    pub not_before: i64,
    /// End of its life, in seconds since 1970.
    pub not_after: i64,
}
