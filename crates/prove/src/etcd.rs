//! Reads what one etcd member stores, and tells sealed from open.

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

/// Reads every value.
pub(crate) async fn scan(host: &Host, open: &[String]) -> Result<Scanned, String> {
    let begin = Instant::now();
    let mut scanned = Scanned::default();
    // etcd knows no empty key: the smallest is one byte of zero.
    let mut from = vec![0];
    loop {
        // Keys may hold any byte; printf(1) makes them of octal digits.
        let octal: String = from.iter().map(|byte| format!("\\{byte:03o}")).collect();
        let rest = match from == [0] {
            true => format!("'' --from-key --limit={PAGE}"),
            false => format!("\"$(printf '{octal}')\" --from-key --limit={PAGE}"),
        };
        let page = read(host, &rest).await?;
        let mut last = None;
        for pair in &page.kvs {
            let key = decoded(&pair.key)?;
            // A page begins with the key that the last one ended with.
            if key != from {
                count(&mut scanned, open, &key, &decoded(&pair.value)?);
            }
            last = Some(key);
        }
        match last {
            Some(key) if page.more && key != from => from = key,
            Some(_) if page.more => return Err("etcd gave the same page twice".to_owned()),
            _ => break,
        }
    }
    scanned.ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(scanned)
}

fn count(scanned: &mut Scanned, open: &[String], key: &[u8], value: &[u8]) {
    if let Raw::Sealed { key, .. } = secretbox::read(value) {
        *scanned.sealed.entry(key.to_owned()).or_default() += 1;
        return;
    }
    match open.iter().find(|prefix| key.starts_with(prefix.as_bytes())) {
        Some(prefix) => *scanned.open.entry(prefix.clone()).or_default() += 1,
        None => {
            scanned.strange += 1;
            if scanned.strangers.len() < TOLD {
                scanned.strangers.push(String::from_utf8_lossy(key).into_owned());
            }
        }
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|e| format!("etcdctl: {e}"))
}

#[cfg(test)]
mod tests {
    use super::{Scanned, count};

    #[test]
    fn open_values_are_strangers_unless_their_keys_are_on_the_list() {
        let open = ["/registry/events/".to_owned()];
        let mut scanned = Scanned::default();
        count(&mut scanned, &open, b"/registry/secrets/a/b", b"k8s:enc:secretbox:v1:k1:box");
        count(&mut scanned, &open, b"/registry/events/a/b", b"k8s\x00");
        count(&mut scanned, &open, b"/registry/eventsource", b"k8s\x00");
        count(&mut scanned, &open, b"/registry/secrets/a/c", b"k8s:enc:aescbc:v1:k1:box");
        assert_eq!(scanned.sealed.get("k1"), Some(&1));
        assert_eq!(scanned.open.values().sum::<u64>(), 1);
        assert_eq!(scanned.strangers, ["/registry/eventsource", "/registry/secrets/a/c"]);
    }
}
