//! Keys that sign what a log came to: Ed25519, made where the log is kept.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use ringfort_model::digest::Digest;
use ringfort_model::secret::Secret;

/// A key that signs, in memory.
pub struct SealKey {
    pair: Ed25519KeyPair,
}

/// Says what is wrong with a key that signs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealKeyError {
    /// The bytes are no key. What they hold is not repeated.
    #[error("no Ed25519 private key in PKCS #8 is found")]
    Shape,
    /// The library made no key.
    #[error("no key can be made: look whether the machine has randomness")]
    Made,
}

impl SealKey {
    /// Makes a key, in PKCS #8.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn make() -> Result<Secret<Vec<u8>>, SealKeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| SealKeyError::Made)?;
        let document = pair.to_pkcs8().map_err(|_| SealKeyError::Made)?;
        Ok(Secret::new(document.as_ref().to_vec()))
    }

    /// Reads a key from PKCS #8.
    ///
    /// # Errors
    /// The bytes are no such key.
    pub fn read(document: &[u8]) -> Result<Self, SealKeyError> {
        let pair = Ed25519KeyPair::from_pkcs8(document).map_err(|_| SealKeyError::Shape)?;
        Ok(Self { pair })
    }

    /// Gives the public half.
    pub fn public(&self) -> SealId {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        SealId(bytes)
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
pub struct SealId(pub [u8; 32]);

impl SealId {
    /// Whether a signature of a message is by this key.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }

    /// Gives the digest by which people name the key.
    pub fn name(&self) -> Digest {
        Digest::of(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_that_signed_and_only_what_it_signed_counts() {
        let key = || SealKey::read(SealKey::make().unwrap().expose()).unwrap();
        let (one, other) = (key(), key());
        let signature = one.sign(b"said");
        assert!(one.public().has_signed(b"said", &signature));
        assert!(!one.public().has_signed(b"else", &signature));
        assert!(!other.public().has_signed(b"said", &signature));
        assert_eq!(SealKey::read(b"nothing").err(), Some(SealKeyError::Shape));
    }
}
