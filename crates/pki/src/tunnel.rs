//! WireGuard keys: X25519, made on the machine that uses them, in the format of the tool `wg`.

use aws_lc_rs::agreement::{PrivateKey, X25519};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfort_model::secret::Secret;
use ringfort_model::tunnel::TunnelKey;
use zeroize::Zeroizing;

/// A private WireGuard key in memory.
#[derive(Debug)]
pub struct TunnelSecret(Secret<[u8; 32]>);

/// Says what is wrong with a WireGuard key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TunnelSecretError {
    /// The text is no key. What it holds is not repeated.
    #[error("no WireGuard key is found: move the file away, and a key is made in its place")]
    Shape,
    /// The library made no key.
    #[error("no WireGuard key can be made: look whether the machine has randomness")]
    Made,
}

impl TunnelSecret {
    /// Makes a key.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn make() -> Result<Self, TunnelSecretError> {
        let mut bytes = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(&mut *bytes).map_err(|_| TunnelSecretError::Made)?;
        // The kernel does the same to what it is given (RFC 7748, section 5), so that the file
        // holds what the kernel holds.
        bytes[0] &= 0xf8;
        bytes[31] = (bytes[31] & 0x7f) | 0x40;
        Ok(Self(Secret::new(*bytes)))
    }

    /// Reads a key as `wg genkey` writes it.
    ///
    /// # Errors
    /// The text is no such key.
    pub fn read(text: &str) -> Result<Self, TunnelSecretError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let bytes = STANDARD.decode(text).map(Zeroizing::new);
        let bytes: [u8; 32] = bytes
            .ok()
            .and_then(|bytes| bytes.as_slice().try_into().ok())
            .ok_or(TunnelSecretError::Shape)?;
        Ok(Self(Secret::new(bytes)))
    }

    /// Writes the key as `wg genkey` does.
    pub fn text(&self) -> Secret<String> {
        let mut text = STANDARD.encode(self.0.expose());
        text.push('\n');
        Secret::new(text)
    }

    /// Shows the bytes to code that gives them to the kernel.
    pub fn bytes(&self) -> &Secret<[u8; 32]> {
        &self.0
    }

    /// Gives the public half.
    ///
    /// # Errors
    /// The library refuses the key.
    pub fn public(&self) -> Result<TunnelKey, TunnelSecretError> {
        PrivateKey::from_private_key(&X25519, self.0.expose())
            .ok()
            .and_then(|key| key.compute_public_key().ok())
            .and_then(|public| public.as_ref().try_into().ok())
            .map(TunnelKey)
            .ok_or(TunnelSecretError::Shape)
    }
}

#[cfg(test)]
mod tests {
    use super::{TunnelSecret, TunnelSecretError};

    /// The first pair of RFC 7748, section 6.1.
    const PRIVATE: &str = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n";
    const PUBLIC: &str = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";

    #[test]
    fn the_public_half_is_that_of_the_standard() {
        let secret = TunnelSecret::read(PRIVATE).unwrap();
        assert_eq!(secret.public().unwrap().to_string(), PUBLIC);
        assert_eq!(secret.text().expose(), PRIVATE);
    }

    #[test]
    fn a_key_is_read_as_it_was_written_and_not_printed() {
        let secret = TunnelSecret::make().unwrap();
        let again = TunnelSecret::read(secret.text().expose()).unwrap();
        assert_eq!(again.public().unwrap(), secret.public().unwrap());
        assert_ne!(TunnelSecret::make().unwrap().public(), secret.public());
        let first = secret.bytes().expose()[0];
        assert_eq!(first & 7, 0, "clamped as the kernel does it");
        assert!(!format!("{secret:?}").contains(&first.to_string()));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bad in ["", "hunter2", &PRIVATE[..40], &PRIVATE.replace('=', "==")] {
            let error = TunnelSecret::read(bad).unwrap_err();
            assert_eq!(error, TunnelSecretError::Shape, "{bad:?}");
        }
    }
}
