//! Seals where it lies what a server wrote in plain, so that servers which read sealed values alone read it.

use serde::Deserialize;

use ringfort_host::Host;
use ringfort_model::secret::Secret;

use super::{Pages, Pair, ended, etcdctl, is_listed, quoted, shown};
use crate::secretbox::{self, NONCE_BYTES, Raw};

/// What API servers store begins with it; nobody would read anything else sealed.
const REGISTRY: &[u8] = b"/registry/";
/// How often everything is looked at, while values change under the hand.
const ROUNDS: usize = 3;

/// Says why values in plain are left.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// The member could not be asked.
    #[error("{0}")]
    Etcd(String),
    /// The machine gives no randomness.
    #[error("this machine gives no randomness")]
    Randomness,
    /// Something writes in plain all the time.
    #[error(
        "{left} values in plain came while others were sealed, such as {first}: a server still writes them"
    )]
    Restless {
        /// How many there were after the last round.
        left: usize,
        /// The first of them.
        first: String,
    },
}

/// Whether a transaction was carried out.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    succeeded: bool,
}

/// Seals every value of API servers that lies in plain and is not on the list of what does, by a key that all
/// servers read, and tells where it lies. A value that changes meanwhile is left to the next round, so that
/// nothing newer is lost.
///
/// # Errors
/// The member does not answer, or values in plain come faster than they are sealed.
pub async fn seal_plain(
    host: &Host,
    (name, key): (&str, &Secret<[u8; 32]>),
    open: &[String],
    tell: &mut dyn FnMut(&str),
) -> Result<(), SealError> {
    let mut plain = in_plain(host, open).await?;
    for _ in 0..ROUNDS {
        for value in &plain {
            let mut nonce = [0; NONCE_BYTES];
            aws_lc_rs::rand::fill(&mut nonce).map_err(|_| SealError::Randomness)?;
            let sealed = secretbox::seal(name, key.expose(), nonce, &value.value);
            if exchange(host, value, &sealed).await? {
                tell(&shown(&value.key));
            }
        }
        plain = in_plain(host, open).await?;
    }
    match plain.first() {
        None => Ok(()),
        Some(first) => Err(SealError::Restless { left: plain.len(), first: shown(&first.key) }),
    }
}

/// Gives what API servers stored in plain and should not have.
async fn in_plain(host: &Host, open: &[String]) -> Result<Vec<Pair>, SealError> {
    let mut plain = Vec::new();
    let mut pages = Pages::begin(host).await.map_err(SealError::Etcd)?;
    while !pages.ended {
        let mut keep = |value: Pair| {
            if is_to_be_sealed(&value, open) {
                plain.push(value.apart());
            }
        };
        pages.next(host, &mut keep).await.map_err(SealError::Etcd)?;
    }
    Ok(plain)
}

fn is_to_be_sealed(value: &Pair, open: &[String]) -> bool {
    value.key.starts_with(REGISTRY)
        && secretbox::read(&value.value) == Raw::Plain
        && !open.iter().any(|listed| is_listed(listed, &value.key))
}

/// Puts a value in another's place, if that is still as it was read, and says whether it was.
async fn exchange(host: &Host, value: &Pair, sealed: &[u8]) -> Result<bool, SealError> {
    let asked = etcdctl("--write-out=json txn");
    let output = host
        .run(&asked, transaction(value, sealed).as_bytes())
        .await
        .map_err(|e| SealError::Etcd(e.to_string()))?;
    ended(&output).map_err(SealError::Etcd)?;
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|e| SealError::Etcd(format!("etcdctl: {e}")))?;
    Ok(answer.succeeded)
}

/// Writes what etcdctl reads: a condition, what is done if it holds, and nothing otherwise. A lease stays.
fn transaction(value: &Pair, sealed: &[u8]) -> String {
    let (key, revision) = (quoted(&value.key), value.mod_revision);
    let put = format!("put --ignore-lease {key} {}", quoted(sealed));
    format!("mod({key}) = \"{revision}\"\n\n{put}\n\n\n")
}

#[cfg(test)]
mod tests {
    use super::{Pair, is_to_be_sealed, transaction};

    fn value(key: &str, stored: &[u8]) -> Pair {
        let key = key.as_bytes().to_owned().into();
        Pair { key, mod_revision: 7, value: stored.to_owned().into() }
    }

    #[test]
    fn only_what_servers_read_and_nobody_sealed_is_sealed() {
        let open = ["/registry/events/".to_owned()];
        let is = |key, stored| is_to_be_sealed(&value(key, stored), &open);
        assert!(is("/registry/secrets/a/b", b"k8s\0"));
        assert!(is("/registry/secrets/a/b", b"{}"));
        assert!(!is("/registry/events/a/b", b"k8s\0"));
        assert!(!is("compact_rev_key", b"7"));
        assert!(!is("/calico/a", b"{}"));
        assert!(!is("/registry/secrets/a/b", b"k8s:enc:secretbox:v1:k1:box"));
        assert!(!is("/registry/secrets/a/b", b"k8s:enc:aescbc:v1:k1:box"));
    }

    #[test]
    fn a_transaction_holds_any_byte_and_changes_only_what_was_read() {
        let put = r#"put --ignore-lease "\x2f\x22" "\x0a\x00""#;
        let wanted = format!("mod({}) = \"7\"\n\n{put}\n\n\n", r#""\x2f\x22""#);
        assert_eq!(transaction(&value("/\"", b""), b"\n\0"), wanted);
    }
}
