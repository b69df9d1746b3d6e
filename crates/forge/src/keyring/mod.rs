//! The keyring: the secrets of one cluster, on the operator's side, sealed at rest.
//!
//! It holds the authorities' private keys and the keys with which API servers encrypt what they
//! store. On disk it is `keyring.age`, sealed with [age](https://age-encryption.org/v1) to the
//! public keys of the operators, so any of them opens it and the plain `age` tool does too. Beside
//! it `trust.json` holds what is public. Both may be committed; [`HeldState`] writes them.
//!
//! Never here: contact with machines. Never done: a new keyring for a cluster that has one.

mod encryption;
mod identity;
mod seal;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::certificate::Authority;
use ringfort_model::name::ClusterName;
use ringfort_model::secret::Secret;
use ringfort_model::trust::{AuthorityFacts, EncryptionFacts, TrustFacts};
use ringfort_pki::{Ca, CaError, Ed25519Key, PrivateKey, SignError, Signer};
use serde::{Deserialize, Serialize};

pub use encryption::{EncryptionConfiguration, EncryptionKeyError, EncryptionKeys};
pub use identity::{Identity, IdentityError, NotARecipient, Recipient, default_identity_path};
pub use seal::SealError;
pub use state::{ClusterExists, Done, HeldState, Opened, StateDirectory, StateError};

/// Version of what is sealed in `keyring.age`. Another version is refused, and so is an unknown
/// field: a ringfort that does not know a secret must not write the keyring without it.
pub const KEYRING_VERSION: u32 = 1;

/// Says that a keyring has no key that signs evidence.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "the keyring has no key that signs evidence, since it was made before there were such: ringfort up makes one"
)]
pub struct NoEvidenceKey;

/// Says that a keyring has no key that signs baselines.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "the keyring has no key that signs baselines, since it was made before there were such: ringfort up makes one"
)]
pub struct NoBaselineKey;

/// The secrets of one cluster.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Keyring {
    version: u32,
    cluster: ClusterName,
    /// Whom the file is sealed to; an age file does not say so itself.
    recipients: BTreeSet<Recipient>,
    authorities: BTreeMap<Authority, Ca>,
    encryption: EncryptionKeys,
    /// Signs evidence: PKCS #8 in PEM. A keyring of before evidence was signed has none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<Secret<String>>,
    /// Signs baselines of machines' files, and what of their changes was accepted: PKCS #8 in PEM. A keyring
    /// of before there were baselines has none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    baselines: Option<Secret<String>>,
}

impl Keyring {
    /// Makes the secrets of a new cluster.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn make(
        cluster: &ClusterName,
        recipients: BTreeSet<Recipient>,
        now: i64,
    ) -> Result<Self, CaError> {
        let encryption =
            EncryptionKeys::make(now).map_err(|error| CaError::Made { why: error.to_string() })?;
        Ok(Self {
            version: KEYRING_VERSION,
            cluster: cluster.clone(),
            recipients,
            authorities: authorities(now)?,
            encryption,
            evidence: Some(evidence_key()?),
            baselines: Some(baseline_key()?),
        })
    }

    /// Gives the cluster's name.
    pub fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// Gives the operators that can open the keyring.
    pub fn recipients(&self) -> &BTreeSet<Recipient> {
        &self.recipients
    }

    /// Gives the keys with which API servers encrypt.
    pub fn encryption(&self) -> &EncryptionKeys {
        &self.encryption
    }

    /// Gives the key that signs evidence.
    ///
    /// # Errors
    /// The keyring has none yet.
    pub fn evidence_key(&self) -> Result<PrivateKey, NoEvidenceKey> {
        let key = self.evidence.as_ref().and_then(|pem| PrivateKey::read(pem.expose()).ok());
        key.ok_or(NoEvidenceKey)
    }

    /// Gives the key that signs baselines.
    ///
    /// # Errors
    /// The keyring has none yet.
    pub fn baseline_key(&self) -> Result<Ed25519Key, NoBaselineKey> {
        let key = self.baselines.as_ref().and_then(|pem| Ed25519Key::read(pem.expose()).ok());
        key.ok_or(NoBaselineKey)
    }

    /// Makes what a keyring of an earlier time lacks. Says whether anything was made.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn equip(&mut self) -> Result<bool, CaError> {
        let lacks = self.evidence.is_none() || self.baselines.is_none();
        if self.evidence.is_none() {
            self.evidence = Some(evidence_key()?);
        }
        if self.baselines.is_none() {
            self.baselines = Some(baseline_key()?);
        }
        Ok(lacks)
    }

    /// Opens an authority to sign with, at a time.
    ///
    /// # Errors
    /// The authority is broken, or its life is over or has not begun.
    pub fn signer(&self, authority: Authority, now: i64) -> Result<Signer, SignError> {
        Signer::open(authority, self.ca(authority), now)
    }

    /// Opens an authority as at the beginning of its life: what it signs for a moment is expired.
    ///
    /// # Errors
    /// The authority is broken.
    pub fn signer_at_birth(&self, authority: Authority) -> Result<Signer, SignError> {
        let ca = self.ca(authority);
        Signer::open(authority, ca, ca.not_before()?)
    }

    /// Gives what everybody may know of the authorities.
    ///
    /// # Errors
    /// A certificate in the keyring is broken.
    pub fn authorities(&self) -> Result<BTreeMap<Authority, AuthorityFacts>, CaError> {
        self.authorities.iter().map(|(authority, ca)| Ok((*authority, ca.facts()?))).collect()
    }

    /// Gives what everybody may know of a cluster that has this keyring and nothing else yet.
    ///
    /// # Errors
    /// A certificate in the keyring is broken.
    pub fn trust(&self) -> Result<TrustFacts, CaError> {
        let (cluster, authorities) = (self.cluster.clone(), self.authorities()?);
        let baseline_key = self.baseline_key().ok().map(|key| key.public().pem());
        let facts = TrustFacts::of(cluster, authorities, self.encryption_facts());
        Ok(TrustFacts { baseline_key, ..facts })
    }

    /// Gives what everybody may know of the API servers' encryption.
    pub fn encryption_facts(&self) -> EncryptionFacts {
        let EncryptionConfiguration { keys, digest, .. } = self.encryption.configuration();
        EncryptionFacts { keys, digest }
    }

    /// Gives the keys with which API servers encrypt, to change them.
    pub fn encryption_mut(&mut self) -> &mut EncryptionKeys {
        &mut self.encryption
    }

    /// Makes other authorities in the place of those there are: what they signed is good for nothing
    /// where only the new ones are known.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn renew_authorities(&mut self, now: i64) -> Result<(), CaError> {
        self.authorities = authorities(now)?;
        Ok(())
    }

    /// Lets more operators open the keyring once it is sealed again. Says whether anything changed.
    ///
    /// Nobody is taken out by being left out: an operator would lock out the others whose keys
    /// only the keyring knows.
    pub fn admit(&mut self, recipients: impl IntoIterator<Item = Recipient>) -> bool {
        let count = self.recipients.len();
        self.recipients.extend(recipients);
        count != self.recipients.len()
    }

    /// Takes an operator out, for what is sealed from now on. Says whether it was in. Who could
    /// open the keyring before may have kept its secrets.
    pub fn expel(&mut self, recipient: &Recipient) -> bool {
        self.recipients.remove(recipient)
    }

    fn ca(&self, authority: Authority) -> &Ca {
        self.authorities.get(&authority).expect("a keyring is made and read with every authority")
    }

    /// Sees that the keyring holds all that the rest of this file takes for granted.
    fn complete(&self) -> Result<(), String> {
        if let Some(missing) = Authority::ALL.iter().find(|a| !self.authorities.contains_key(a)) {
            return Err(format!("the authority {missing:?} is missing"));
        }
        if self.evidence.is_some() && self.evidence_key().is_err() {
            return Err("the key that signs evidence is broken".to_owned());
        }
        if self.baselines.is_some() && self.baseline_key().is_err() {
            return Err("the key that signs baselines is broken".to_owned());
        }
        self.encryption.complete()
    }
}

fn authorities(now: i64) -> Result<BTreeMap<Authority, Ca>, CaError> {
    let made = |authority| Ok((authority, Ca::make(authority, now)?));
    Authority::ALL.into_iter().map(made).collect()
}

fn baseline_key() -> Result<Secret<String>, CaError> {
    let key = Ed25519Key::make().and_then(|key| key.pem());
    key.map_err(|error| CaError::Made { why: error.to_string() })
}

fn evidence_key() -> Result<Secret<String>, CaError> {
    let key = PrivateKey::make().map_err(|error| CaError::Made { why: error.to_string() })?;
    Ok(key.pem())
}
