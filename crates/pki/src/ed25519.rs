//! Ed25519 keys, for what is signed in bulk and read by nobody but ringfort: baselines and what was accepted,
//! and what is kept of logs. Their form is that of every tool (PKCS #8 and SubjectPublicKeyInfo in PEM).

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use pem::{EncodeConfig, LineEnding, Pem};
use ringfort_model::secret::Secret;

use crate::key::KeyError;

/// What stands before the point in an Ed25519 key's `SubjectPublicKeyInfo` (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// A private key that signs.
pub struct Ed25519Key {
    pair: Ed25519KeyPair,
}

impl Ed25519Key {
    /// Makes a key.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn make() -> Result<Self, KeyError> {
        let made = Ed25519KeyPair::generate();
        made.map(|pair| Self { pair }).map_err(|error| KeyError::Made { why: error.to_string() })
    }

    /// Reads a key from PKCS #8 PEM.
    ///
    /// # Errors
    /// The text is no such key. What it holds is not repeated.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let block = pem::parse(text).map_err(|_| KeyError::Signing)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(block.contents());
        pair.map(|pair| Self { pair }).map_err(|_| KeyError::Signing)
    }

    /// Writes the key as PKCS #8 PEM.
    ///
    /// # Errors
    /// The library does not write it.
    pub fn pem(&self) -> Result<Secret<String>, KeyError> {
        let made = |error: aws_lc_rs::error::Unspecified| KeyError::Made { why: error.to_string() };
        let document = self.pair.to_pkcs8().map_err(made)?;
        Ok(Secret::new(written("PRIVATE KEY", document.as_ref())))
    }

    /// Gives the public half.
    pub fn public(&self) -> Ed25519Public {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        Ed25519Public(bytes)
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.pair.sign(message).as_ref());
        bytes
    }
}

/// The public half of a key that signs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ed25519Public(pub [u8; 32]);

impl Ed25519Public {
    /// Reads it from PEM; none where the text is no such key.
    pub fn read(pem: &str) -> Option<Self> {
        let block = pem::parse(pem).ok().filter(|block| block.tag() == "PUBLIC KEY")?;
        let point = block.contents().strip_prefix(&SPKI_PREFIX)?;
        point.try_into().ok().map(Self)
    }

    /// Writes it in PEM.
    pub fn pem(&self) -> String {
        written("PUBLIC KEY", &[&SPKI_PREFIX[..], &self.0].concat())
    }

    /// Says whether a message was signed by the private half.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

fn written(tag: &str, bytes: &[u8]) -> String {
    let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
    pem::encode_config(&Pem::new(tag, bytes), lines)
}

impl std::fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ed25519Key").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Ed25519Key, Ed25519Public};

    #[test]
    fn only_the_private_half_signs() {
        let (key, other) = (Ed25519Key::make().unwrap(), Ed25519Key::make().unwrap());
        let again = Ed25519Key::read(key.pem().unwrap().expose()).unwrap();
        let signature = again.sign(b"said");
        let public = Ed25519Public::read(&key.public().pem()).unwrap();
        assert!(public.has_signed(b"said", &signature));
        assert!(!public.has_signed(b"Said", &signature));
        assert!(!public.has_signed(b"said", &signature[1..]));
        assert!(!other.public().has_signed(b"said", &signature));
        let private = key.pem().unwrap();
        for bad in ["no key", "", private.expose().as_str()] {
            assert_eq!(Ed25519Public::read(bad), None);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let public = Ed25519Key::make().unwrap().public().pem();
        for bad in ["", "hunter2", &public] {
            let error = Ed25519Key::read(bad).unwrap_err().to_string();
            assert!(error.contains("Ed25519") && !error.contains("hunter2"), "{error}");
        }
    }
}
