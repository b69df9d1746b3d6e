//! Tokens of service accounts (JSON Web Tokens, RFC 7519) that are made older than they are, to see whether
//! their life ends.
//!
//! Never here: a token of anybody's choosing. Only what the same key has signed is signed again, and never
//! with a longer life.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringfort_model::secret::Secret;
use serde_json::Value;

use crate::PrivateKey;

/// The claims that are times, in seconds since 1970: made, good from, good until.
const TIMES: [&str; 3] = ["iat", "nbf", "exp"];

/// Says why a token is not made older. What it holds is not repeated.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AgeError {
    /// The text is no token with times in it.
    #[error("this is no token that says when it was made and when it ends")]
    Shape,
    /// Another key signed it.
    #[error("this key has not signed the token")]
    Foreign,
    /// The library does not sign.
    #[error("the token cannot be signed")]
    Unsigned,
}

/// Signs a token again with all its times moved back, by the key (ECDSA P-256) that has signed it.
///
/// # Errors
/// The text is no such token, or another key signed it.
pub fn aged(
    token: &Secret<String>,
    key: &PrivateKey,
    seconds: u32,
) -> Result<Secret<String>, AgeError> {
    let (signed, signature) = token.expose().rsplit_once('.').ok_or(AgeError::Shape)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| AgeError::Shape)?;
    let der = key.pair.serialized_der();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
        .map_err(|_| AgeError::Unsigned)?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key())
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| AgeError::Foreign)?;
    let (head, claims) = signed.split_once('.').ok_or(AgeError::Shape)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| AgeError::Shape)?;
    let mut claims: Value = serde_json::from_slice(&claims).map_err(|_| AgeError::Shape)?;
    for name in TIMES {
        let time = claims[name].as_i64().ok_or(AgeError::Shape)?;
        claims[name] = (time - i64::from(seconds)).into();
    }
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature =
        pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| AgeError::Unsigned)?;
    Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token as an API server makes them.
    fn token(key: &PrivateKey, claims: &str) -> Secret<String> {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","kid":"k"}"#),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let der = key.pair.serialized_der();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).unwrap();
        let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    const CLAIMS: &str = r#"{"exp":9000,"iat":5400,"nbf":5400,"sub":"system:serviceaccount:a:b"}"#;

    fn claims(token: &Secret<String>) -> Value {
        let claims = token.expose().split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
    }

    #[test]
    fn only_times_differ_and_the_key_has_signed_it() {
        let key = PrivateKey::make().unwrap();
        let older = aged(&token(&key, CLAIMS), &key, 5_000).unwrap();
        let expected = serde_json::json!({
            "exp": 4_000, "iat": 400, "nbf": 400, "sub": "system:serviceaccount:a:b",
        });
        assert_eq!(claims(&older), expected);
        // It is taken for one of its own: it can be made older still.
        assert_eq!(claims(&aged(&older, &key, 1).unwrap())["exp"], 3_999);
    }

    #[test]
    fn what_another_key_signed_and_what_is_no_token_are_refused() {
        let (key, other) = (PrivateKey::make().unwrap(), PrivateKey::make().unwrap());
        let said = |token: &str| aged(&Secret::new(token.to_owned()), &key, 0).unwrap_err();
        assert_eq!(said(token(&other, CLAIMS).expose()), AgeError::Foreign);
        let own = token(&key, CLAIMS);
        let changed = own.expose().replacen('.', ".e", 1);
        assert_eq!(said(&changed), AgeError::Foreign);
        assert_eq!(said("nothing"), AgeError::Shape);
        assert_eq!(said(token(&key, r#"{"exp":9000,"iat":5400}"#).expose()), AgeError::Shape);
        assert_eq!(said(token(&key, "[]").expose()), AgeError::Shape);
    }
}
