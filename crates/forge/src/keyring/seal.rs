//! Sealing: a keyring as bytes that only its recipients read, and back.

use std::io::{self, Read as _, Write as _};

use age::{DecryptError, Decryptor, EncryptError, Encryptor};
use zeroize::Zeroizing;

use super::identity::{Identity, Recipient};
use super::{KEYRING_VERSION, Keyring};

/// Says why a keyring is not sealed or not opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The keyring has no recipients, or not the one who seals it.
    #[error("sealing the keyring without {recipient} would lock its own operator out")]
    LockedOut {
        /// Whose identity is in use.
        recipient: Recipient,
    },
    /// The keyring is for others.
    #[error(
        "the keyring is not sealed to {recipient}: use the identity of an operator who can open it, or have one add this key to `operators:` in the spec and run `ringfort keys seal`"
    )]
    Stranger {
        /// Whose identity was tried.
        recipient: Recipient,
    },
    /// The bytes were changed or cut.
    #[error(
        "the keyring is damaged ({why}): put its last good version back; a new one cannot take its place"
    )]
    Damaged {
        /// What was noticed.
        why: String,
    },
    /// The keyring is of another version.
    #[error(
        "the keyring has version {found}, but this ringfort reads {KEYRING_VERSION}: use the ringfort that wrote it"
    )]
    Version {
        /// The version found.
        found: u64,
    },
    /// The library does not seal.
    #[error("the keyring cannot be sealed: {why}")]
    Unsealed {
        /// What the library says.
        why: String,
    },
}

impl Keyring {
    /// Seals the keyring to its recipients.
    ///
    /// # Errors
    /// The one who seals it could not open it afterwards, or the library does not seal.
    pub fn seal(&self, identity: &Identity) -> Result<Vec<u8>, SealError> {
        let recipient = identity.recipient();
        if !self.recipients.contains(&recipient) {
            return Err(SealError::LockedOut { recipient });
        }
        let keys: Vec<_> = self.recipients.iter().map(Recipient::key).collect();
        let sealed = Encryptor::with_recipients(keys.iter().map(|key| key as &dyn age::Recipient))
            .map_err(|error: EncryptError| unsealed(&error))?;
        let mut bytes = Vec::new();
        let mut writer = sealed.wrap_output(&mut bytes).map_err(|error| unsealed(&error))?;
        writer.write_all(&self.plain()).map_err(|error| unsealed(&error))?;
        writer.finish().map_err(|error| unsealed(&error))?;
        Ok(bytes)
    }

    /// Opens a sealed keyring.
    ///
    /// # Errors
    /// It is for others, damaged, or of another version.
    pub fn open(sealed: &[u8], identity: &Identity) -> Result<Self, SealError> {
        let refused = |error| refused(&error, identity);
        let mut reader = Decryptor::new_buffered(sealed)
            .and_then(|d| d.decrypt(identity.keys()))
            .map_err(refused)?;
        // Room for all that is read, so that growing leaves no copies in memory.
        let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
        reader.read_to_end(&mut plain).map_err(|error| damaged(&error))?;
        Self::parse(&plain)
    }

    fn plain(&self) -> Zeroizing<Vec<u8>> {
        let mut plain = Zeroizing::new(Vec::with_capacity(ROOM));
        serde_json::to_writer(&mut *plain, self)
            .expect("the keys of every map in a keyring are written as text");
        plain
    }

    fn parse(plain: &[u8]) -> Result<Self, SealError> {
        /// The one field that every version has.
        #[derive(serde::Deserialize)]
        struct Version {
            version: u64,
        }
        let Version { version } =
            serde_json::from_slice(plain).map_err(|_| damaged("it holds something else"))?;
        if version != u64::from(KEYRING_VERSION) {
            return Err(SealError::Version { found: version });
        }
        // The parser's own words could repeat a secret.
        let keyring: Self = serde_json::from_slice(plain).map_err(|error| {
            damaged(&format!("line {}, column {}", error.line(), error.column()))
        })?;
        keyring.complete().map_err(|why| damaged(&why))?;
        Ok(keyring)
    }
}

fn refused(error: &DecryptError, identity: &Identity) -> SealError {
    match error {
        DecryptError::NoMatchingKeys => SealError::Stranger { recipient: identity.recipient() },
        DecryptError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            damaged("it ends too early")
        }
        DecryptError::InvalidHeader | DecryptError::UnknownFormat => damaged("it is no age file"),
        other => damaged(other),
    }
}

fn damaged(why: &(impl ToString + ?Sized)) -> SealError {
    SealError::Damaged { why: why.to_string() }
}

fn unsealed(why: &impl ToString) -> SealError {
    SealError::Unsealed { why: why.to_string() }
}

/// What a keyring may take in memory before its buffer grows, in bytes; one takes about 5,000.
const ROOM: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;
    use ringfort_model::name::ClusterName;
    use serde_json::Value;

    use super::super::{Identity, Keyring};
    use super::SealError;

    const NOW: i64 = 1_800_000_000;

    fn identity() -> Identity {
        let directory = tempfile::tempdir().unwrap();
        Identity::make(&directory.path().join("i"), Timestamp::UNIX_EPOCH).unwrap()
    }

    fn keyring(identities: &[&Identity]) -> Keyring {
        let recipients = identities.iter().map(|identity| identity.recipient()).collect();
        Keyring::make(&ClusterName::new("harbour").unwrap(), recipients, NOW).unwrap()
    }

    #[test]
    fn every_recipient_opens_what_one_of_them_sealed() {
        let (one, two) = (identity(), identity());
        let keyring = keyring(&[&one, &two]);
        let sealed = keyring.seal(&one).unwrap();
        assert!(sealed.starts_with(b"age-encryption.org/v1\n-> X25519 "));
        assert_eq!(Keyring::open(&sealed, &one).unwrap(), keyring);
        assert_eq!(Keyring::open(&sealed, &two).unwrap(), keyring);
    }

    #[test]
    fn nobody_else_opens_it_and_nobody_seals_it_away_from_himself() {
        let (one, stranger) = (identity(), identity());
        let keyring = keyring(&[&one]);
        let error = Keyring::open(&keyring.seal(&one).unwrap(), &stranger).unwrap_err();
        assert!(matches!(&error, SealError::Stranger { .. }), "{error:?}");
        assert!(error.to_string().contains(stranger.recipient().as_str()), "{error}");
        let error = keyring.seal(&stranger).unwrap_err();
        assert!(matches!(error, SealError::LockedOut { .. }), "{error:?}");
    }

    #[test]
    fn a_keyring_is_never_opened_once_a_bit_of_it_is_changed_or_cut() {
        let one = identity();
        let sealed = keyring(&[&one]).seal(&one).unwrap();
        for at in (0..sealed.len()).step_by(7) {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let error = Keyring::open(&changed, &one).unwrap_err();
            let known = matches!(error, SealError::Damaged { .. } | SealError::Stranger { .. });
            assert!(known, "byte {at}: {error:?}");
            let error = Keyring::open(&sealed[..at], &one).unwrap_err();
            assert!(matches!(error, SealError::Damaged { .. }), "cut at {at}: {error:?}");
        }
        let error = Keyring::open(b"", &one).unwrap_err().to_string();
        assert!(error.contains("put its last good version back"), "{error}");
    }

    #[test]
    fn what_is_sealed_must_be_a_whole_keyring_of_this_version() {
        let check = |change: fn(&mut Value), expected: &str| {
            let one = identity();
            let mut value = serde_json::to_value(keyring(&[&one])).unwrap();
            change(&mut value);
            let error = Keyring::parse(value.to_string().as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("PRIVATE"), "{error}");
        };
        check(|value| value["version"] = 2.into(), "version 2");
        check(|value| value["moons"] = 2.into(), "damaged");
        check(|value| value["cluster"] = Value::Null, "damaged");
        check(|value| *value = Value::Null, "something else");
        check(|value| value["encryption"]["write"] = "k9".into(), "which writes");
        check(
            |value| {
                value["authorities"].as_object_mut().unwrap().remove("etcd-peer");
            },
            "EtcdPeer is missing",
        );
    }

    #[test]
    fn version_1_stays_as_it_was_released() {
        let one = identity();
        let value = serde_json::to_value(keyring(&[&one])).unwrap();
        let ca = serde_json::json!({"certificate_pem": "…", "key_pem": "…"});
        let mut shape = value.clone();
        for authority in shape["authorities"].as_object_mut().unwrap().values_mut() {
            assert!(authority["key_pem"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY"));
            for field in authority.as_object_mut().unwrap().values_mut() {
                *field = "…".into();
            }
        }
        shape["evidence"] = "…".into();
        shape["baselines"] = "…".into();
        let name = value["encryption"]["write"].clone();
        let secret = value["encryption"]["keys"][0]["secret"].clone();
        let expected = serde_json::json!({
            "version": 1,
            "cluster": "harbour",
            "recipients": [one.recipient()],
            "authorities":
                {"cluster": ca, "etcd-client": ca, "etcd-peer": ca, "front-proxy": ca},
            "encryption": {
                "write": name,
                "made": 1,
                "keys": [{"name": name, "secret": secret, "created": NOW}],
            },
            "evidence": "…",
            "baselines": "…",
        });
        assert_eq!(shape, expected);
        assert!(Keyring::parse(value.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn a_keyring_of_before_evidence_was_signed_is_given_a_key() {
        let mut value = serde_json::to_value(keyring(&[&identity()])).unwrap();
        value.as_object_mut().unwrap().remove("evidence");
        let mut keyring = Keyring::parse(value.to_string().as_bytes()).unwrap();
        assert!(keyring.evidence_key().is_err());
        assert!(keyring.equip().unwrap() && !keyring.equip().unwrap());
        assert!(keyring.evidence_key().is_ok());
    }

    #[test]
    fn a_keyring_of_before_there_were_baselines_is_given_a_key() {
        let mut value = serde_json::to_value(keyring(&[&identity()])).unwrap();
        value.as_object_mut().unwrap().remove("baselines");
        let mut keyring = Keyring::parse(value.to_string().as_bytes()).unwrap();
        assert!(keyring.baseline_key().is_err());
        assert!(keyring.equip().unwrap() && !keyring.equip().unwrap());
        assert!(keyring.baseline_key().is_ok());
    }

    #[test]
    fn operators_are_added_by_name_and_never_lost_by_omission() {
        let (one, two) = (identity(), identity());
        let mut keyring = keyring(&[&one]);
        assert!(keyring.admit([two.recipient()]));
        assert!(!keyring.admit([two.recipient()]) && !keyring.admit([]));
        let both = BTreeSet::from([one.recipient(), two.recipient()]);
        assert_eq!(keyring.recipients(), &both);
        assert!(Keyring::open(&keyring.seal(&one).unwrap(), &two).is_ok());
        assert!(keyring.expel(&two.recipient()) && !keyring.expel(&two.recipient()));
        assert!(Keyring::open(&keyring.seal(&one).unwrap(), &two).is_err());
    }

    #[test]
    fn a_keyring_is_not_printed() {
        let one = identity();
        let keyring = keyring(&[&one]);
        let value = serde_json::to_value(&keyring).unwrap();
        let shown = format!("{keyring:?}");
        for authority in ["cluster", "etcd-client", "etcd-peer", "front-proxy"] {
            let key = value["authorities"][authority]["key_pem"].as_str().unwrap();
            assert!(!shown.contains(key.lines().nth(1).unwrap()), "{authority}");
        }
        assert!(!shown.contains(value["encryption"]["keys"][0]["secret"].as_str().unwrap()));
    }
}
