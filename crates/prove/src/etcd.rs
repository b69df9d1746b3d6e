//! Reads what one etcd member stores, and tells sealed from open.

mod seal;

use std::collections::BTreeMap;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use ringfort_host::{Host, quote};
use ringfort_model::act::{Scanned, Seen};
use ringfort_model::secret::Secret;

use crate::machine::run;
use crate::secretbox::{self, Raw};

pub use self::seal::{SealError, seal_plain};

/// Keys and values that are read at a time.
const PAGE: usize = 2_000;
/// How many keys of strangers are told.
const TOLD: usize = 20;

/// What a read gives.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    kvs: Vec<Pair>,
    #[serde(default)]
    more: bool,
}

#[derive(Deserialize)]
struct Pair {
    key: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    mod_revision: u64,
}

/// Asks this machine's member.
fn etcdctl(rest: &str) -> String {
    let pki = "/etc/kubernetes/pki";
    format!(
        "etcdctl --endpoints=https://127.0.0.1:2379 --cacert={pki}/etcd-client-ca.crt \
         --cert={pki}/apiserver-etcd-client.crt --key={pki}/apiserver-etcd-client.key {rest}"
    )
}

/// Asks whether this machine's member takes writes.
pub(crate) fn health() -> String {
    etcdctl("endpoint health")
}

/// A serializable read is answered by this member alone.
async fn read(host: &Host, rest: &str) -> Result<Page, String> {
    let command = etcdctl(&format!("--consistency=s --write-out=json get {rest}"));
    serde_json::from_slice(&run(host, &command).await?).map_err(|e| format!("etcdctl: {e}"))
}

/// Reads one value and opens it with the keyring.
pub(crate) async fn sealed(
    host: &Host,
    keys: &BTreeMap<String, Secret<[u8; 32]>>,
    key: &str,
) -> Result<Seen, String> {
    let page = read(host, &quote(key)).await?;
    let Some(pair) = page.kvs.first() else { return Ok(Seen::Absent) };
    let value = decoded(&pair.value)?;
    Ok(match secretbox::read(&value) {
        Raw::Plain => Seen::NotSealed { how: "open".to_owned() },
        Raw::Otherwise { prefix } => {
            Seen::NotSealed { how: format!("as {}", String::from_utf8_lossy(prefix)) }
        }
        Raw::Sealed { key, body } => match keys.get(key) {
            None => Seen::NotOpened { why: format!("the keyring has no key {key:?}") },
            Some(secret) => match secretbox::open(secret.expose(), body) {
                Ok(plain) => Seen::Opened {
                    key: key.to_owned(),
                    plain: String::from_utf8_lossy(&plain).into_owned(),
                },
                Err(why) => Seen::NotOpened { why: why.to_string() },
            },
        },
    })
}

/// Reads every value, and tries whether the keyring opens it.
pub(crate) async fn scan(
    host: &Host,
    keys: &BTreeMap<String, Secret<[u8; 32]>>,
    open: &[String],
) -> Result<Scanned, String> {
    let begin = Instant::now();
    let mut scanned = Scanned::default();
    let mut pages = Pages::default();
    while let Some(values) = pages.next(host).await? {
        for value in values {
            count(&mut scanned, keys, open, &value.key, &value.stored);
        }
    }
    scanned.ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(scanned)
}

/// A value as it is stored.
struct Value {
    key: Vec<u8>,
    stored: Vec<u8>,
    /// The revision that wrote it.
    revision: u64,
}

/// Goes through everything that is stored, a page at a time.
#[derive(Default)]
struct Pages {
    /// The key that the last page ended with.
    last: Option<Vec<u8>>,
    ended: bool,
}

impl Pages {
    /// Gives the next page, or nothing after the last.
    async fn next(&mut self, host: &Host) -> Result<Option<Vec<Value>>, String> {
        if self.ended {
            return Ok(None);
        }
        // etcd knows no empty key: none stands for the smallest. Keys may hold any byte; printf(1) makes them
        // of octal digits.
        let from = match &self.last {
            None => "''".to_owned(),
            Some(last) => {
                let octal: String = last.iter().map(|byte| format!("\\{byte:03o}")).collect();
                format!("\"$(printf '{octal}')\"")
            }
        };
        let page = read(host, &format!("{from} --from-key --limit={PAGE}")).await?;
        let mut values = page.kvs.iter().map(Pair::decoded).collect::<Result<Vec<Value>, _>>()?;
        let last = values.last().map(|value| value.key.clone());
        // A page begins with the key that the one before it ended with.
        values.retain(|value| Some(&value.key) != self.last.as_ref());
        self.ended = !page.more || last.is_none();
        if !self.ended && last == self.last {
            return Err("etcd gave the same page twice".to_owned());
        }
        self.last = last;
        Ok(Some(values))
    }
}

impl Pair {
    fn decoded(&self) -> Result<Value, String> {
        let (key, stored) = (decoded(&self.key)?, decoded(&self.value)?);
        Ok(Value { key, stored, revision: self.mod_revision })
    }
}

fn count(
    scanned: &mut Scanned,
    keys: &BTreeMap<String, Secret<[u8; 32]>>,
    open: &[String],
    key: &[u8],
    value: &[u8],
) {
    if let Raw::Sealed { key: by, body } = secretbox::read(value) {
        let secret = keys.get(by);
        if secret.is_some_and(|secret| secretbox::open(secret.expose(), body).is_ok()) {
            *scanned.sealed.entry(by.to_owned()).or_default() += 1;
            return;
        }
        scanned.shut += 1;
    } else if let Some(listed) = open.iter().find(|listed| is_listed(listed, key)) {
        *scanned.open.entry(listed.clone()).or_default() += 1;
        return;
    } else {
        scanned.strange += 1;
    }
    if scanned.strangers.len() < TOLD {
        scanned.strangers.push(String::from_utf8_lossy(key).into_owned());
    }
}

/// What ends with a slash is what keys begin with; anything else is one key.
fn is_listed(listed: &str, key: &[u8]) -> bool {
    match listed.ends_with('/') {
        true => key.starts_with(listed.as_bytes()),
        false => key == listed.as_bytes(),
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|e| format!("etcdctl: {e}"))
}

#[cfg(test)]
mod tests {
    use ringfort_model::secret::Secret;

    use super::{Scanned, count};
    use crate::secretbox::seal;

    const KEY: [u8; 32] = [7; 32];

    fn counted(pairs: &[(&str, &[u8])]) -> Scanned {
        let open = ["/registry/events/".to_owned(), "compact_rev_key".to_owned()];
        let keys = [("k1".to_owned(), Secret::new(KEY))].into();
        let mut scanned = Scanned::default();
        for (key, value) in pairs {
            count(&mut scanned, &keys, &open, key.as_bytes(), value);
        }
        scanned
    }

    #[test]
    fn open_values_are_strangers_unless_their_keys_are_on_the_list() {
        let scanned = counted(&[
            ("/registry/secrets/a/b", &seal("k1", &KEY, [3; 24], b"k8s\x00")),
            ("/registry/events/a/b", b"k8s\x00"),
            ("/registry/eventsource", b"k8s\x00"),
            ("compact_rev_key", b"7"),
            ("compact_rev_key-secrets", b"7"),
            ("/registry/secrets/a/c", b"k8s:enc:aescbc:v1:k1:box"),
        ]);
        assert_eq!(scanned.sealed.get("k1"), Some(&1));
        assert_eq!(scanned.open.values().sum::<u64>(), 2);
        assert_eq!((scanned.strange, scanned.shut), (3, 0));
        let strangers =
            ["/registry/eventsource", "compact_rev_key-secrets", "/registry/secrets/a/c"];
        assert_eq!(scanned.strangers, strangers);
    }

    /// What only looks sealed may be anything, and under a key that is lost nobody reads it again.
    #[test]
    fn a_value_is_sealed_only_if_the_keyring_opens_it() {
        let scanned = counted(&[
            (
                "/registry/secrets/a/open",
                b"k8s:enc:secretbox:v1:k1:all of this can be read by anybody",
            ),
            ("/registry/secrets/a/lost", &seal("k0", &[9; 32], [3; 24], b"k8s\x00")),
            ("/registry/secrets/a/other", &seal("k1", &[9; 32], [3; 24], b"k8s\x00")),
        ]);
        assert_eq!((scanned.shut, scanned.strange), (3, 0));
        assert!(scanned.sealed.is_empty());
        assert_eq!(scanned.strangers.len(), 3);
    }
}
