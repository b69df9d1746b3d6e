//! Private keys: ECDSA on P-256, made where they are used.
//!
//! Never here: writing a key anywhere. Whoever holds the machine's file system does that.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rcgen::{
    CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _,
};
use ringfort_model::digest::Digest;
use ringfort_model::secret::Secret;

/// A private key in memory.
pub struct PrivateKey {
    pub(crate) pair: KeyPair,
}

/// The public half of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey {
    /// Digest of the `SubjectPublicKeyInfo` in DER, by which the key is named.
    pub id: Digest,
    /// The `SubjectPublicKeyInfo` in PEM.
    pub pem: String,
}

/// Says what is wrong with a private key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is no key of ours. What it holds is not repeated.
    #[error(
        "no ECDSA P-256 private key in PKCS #8 PEM is found: move the file away, and a key is made in its place"
    )]
    Shape,
    /// The text is no Ed25519 key. What it holds is not repeated.
    #[error(
        "no Ed25519 private key in PKCS #8 PEM is found: `ringfort integrity key FILE` makes one in a new file"
    )]
    Signing,
    /// The library made no key.
    #[error("no private key can be made ({why}): look whether the machine has randomness")]
    Made {
        /// What the library says.
        why: String,
    },
}

impl PrivateKey {
    /// Makes a key.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn make() -> Result<Self, KeyError> {
        let pair =
            KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| not_made(&error))?;
        Ok(Self { pair })
    }

    /// Reads a key from PKCS #8 PEM.
    ///
    /// # Errors
    /// The text is no such key, or one of another kind.
    pub fn read(pem: &str) -> Result<Self, KeyError> {
        KeyPair::from_pkcs8_pem_and_sign_algo(pem, &PKCS_ECDSA_P256_SHA256)
            .map(|pair| Self { pair })
            .map_err(|_| KeyError::Shape)
    }

    /// Writes the key as PKCS #8 PEM.
    pub fn pem(&self) -> Secret<String> {
        Secret::new(self.pair.serialize_pem())
    }

    /// Gives the public half.
    pub fn public(&self) -> PublicKey {
        PublicKey {
            id: Digest::of(&self.pair.subject_public_key_info()),
            pem: self.pair.public_key_pem(),
        }
    }

    /// Signs a message (ECDSA P-256 with SHA-256, ASN.1).
    ///
    /// # Errors
    /// The library does not sign.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        rcgen::SigningKey::sign(&self.pair, message).map_err(|error| not_made(&error))
    }

    /// Asks for a certificate in PEM (PKCS #10). It names nobody: the operator knows what the
    /// certificate should say and would not believe the request.
    ///
    /// # Errors
    /// The library does not sign.
    pub fn signing_request(&self) -> Result<String, KeyError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .serialize_request(&self.pair)
            .and_then(|request| request.pem())
            .map_err(|error| not_made(&error))
    }
}

/// Says whether a message was signed by the private half of a public key in PEM.
pub fn is_signed(message: &[u8], signature: &[u8], public_pem: &str) -> bool {
    let Ok(block) = pem::parse(public_pem) else { return false };
    // The point stands at the end of a P-256 key's SubjectPublicKeyInfo (RFC 5480).
    let Some(point) = block.contents().last_chunk::<POINT_BYTES>() else { return false };
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
    block.tag() == "PUBLIC KEY" && key.verify(message, signature).is_ok()
}

/// Bytes of an uncompressed point of P-256.
const POINT_BYTES: usize = 65;

/// Gives the digest of a private key's public half, of whatever kind and writing the key is; `None` if
/// it is not understood.
pub fn public_half(pem: &str) -> Option<Digest> {
    let pair = KeyPair::from_pem(pem).ok()?;
    Some(Digest::of(&pair.subject_public_key_info()))
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey").field("id", &self.public().id).finish_non_exhaustive()
    }
}

fn not_made(error: &rcgen::Error) -> KeyError {
    KeyError::Made { why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{KeyError, PrivateKey};

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let key = PrivateKey::make().unwrap();
        let again = PrivateKey::read(key.pem().expose()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_ne!(PrivateKey::make().unwrap().public(), key.public());
        assert!(key.pem().expose().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(key.public().pem.starts_with("-----BEGIN PUBLIC KEY-----\n"));
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
        let key = PrivateKey::make().unwrap();
        for bad in ["", "hunter2", &key.pem().expose()[..90], &key.public().pem, &other] {
            let error = PrivateKey::read(bad).unwrap_err();
            assert!(matches!(error, KeyError::Shape), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn a_key_is_not_printed() {
        let key = PrivateKey::make().unwrap();
        let body = key.pem().expose().lines().nth(1).unwrap().to_owned();
        let shown = format!("{key:?} {:?}", key.pem());
        assert!(!shown.contains(&body) && shown.contains(key.public().id.as_str()), "{shown}");
    }
}
