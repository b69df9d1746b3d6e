//! Makes a token of a service account older than it is, with the key of this machine's API server. A token
//! that this key has not signed stays as it is, and none gains by it: its life only ends sooner.

use std::fs;

use ringfort_model::secret::Secret;
use ringfort_pki::{AgeError, KeyError, PrivateKey, aged};
use zeroize::Zeroizing;

use crate::root::{NotAPath, Root};

/// Says why a token is not made older.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The path is none.
    #[error(transparent)]
    Path(#[from] NotAPath),
    /// The key cannot be read.
    #[error("the key that signs tokens cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// The file holds no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The token is not signed again.
    #[error(transparent)]
    Age(#[from] AgeError),
}

/// Signs a token again with its times moved back.
///
/// # Errors
/// There is no key, or it has not signed this token.
pub fn older(
    root: &Root,
    key: &str,
    token: &Secret<String>,
    seconds: u32,
) -> Result<Secret<String>, TokenError> {
    let key = Zeroizing::new(fs::read_to_string(root.item(key)?)?);
    Ok(aged(token, &PrivateKey::read(&key)?, seconds)?)
}
