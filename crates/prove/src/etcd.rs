//! Reads what one etcd member stores, and tells sealed from open.

mod seal;

use std::collections::BTreeMap;
use std::time::Instant;

use futures::future::join;
use prost::Message as _;
use prost::bytes::Bytes;

use ringfort_host::{Host, quote};
use ringfort_model::act::{Scanned, Seen};
use ringfort_model::secret::Secret;

use crate::machine::run;
use crate::secretbox::{self, Raw};

pub use self::seal::{SealError, seal_plain};

/// Keys and values that are read at a time, at first.
const FIRST_PAGE: usize = 500;
/// The most of them at a time.
const MOST_PAGE: usize = 8_000;
/// A page is as large as this, by what the one before it held.
const PAGE_BYTES: usize = 8 << 20;
/// No page has more keys than so many times those of the one before: the rest may be larger.
const GROWTH: usize = 4;
/// How many keys of strangers are told.
const TOLD: usize = 20;

/// What a read gives, as far as it is looked at: etcd's `RangeResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct Page {
    #[prost(message, repeated, tag = "2")]
    kvs: Vec<Pair>,
    #[prost(bool, tag = "3")]
    more: bool,
}

/// etcd's `KeyValue`. Its bytes stay where they came in.
#[derive(Clone, PartialEq, prost::Message)]
struct Pair {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
    /// The revision that wrote it.
    #[prost(int64, tag = "3")]
    mod_revision: i64,
    #[prost(bytes = "bytes", tag = "5")]
    value: Bytes,
}

impl Pair {
    /// Lets go of the page that it came in.
    fn apart(self) -> Self {
        let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
        Self { key: copy(&self.key), value: copy(&self.value), ..self }
    }
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
    let command = etcdctl(&format!("--consistency=s --write-out=protobuf get {rest}"));
    let said = Bytes::from(run(host, &command).await?);
    Page::decode(said).map_err(|e| format!("etcdctl: {e}"))
}

/// Reads one value and opens it with the keyring.
pub(crate) async fn sealed(
    host: &Host,
    keys: &BTreeMap<String, Secret<[u8; 32]>>,
    key: &str,
) -> Result<Seen, String> {
    let page = read(host, &quote(key)).await?;
    let Some(pair) = page.kvs.first() else { return Ok(Seen::Absent) };
    Ok(match secretbox::read(&pair.value) {
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
    let mut pages = Pages::new();
    let mut page = pages.next(host).await?;
    while let Some(values) = page {
        // The next is on its way meanwhile.
        let look = async {
            for pair in values {
                count(&mut scanned, keys, open, &pair.key, &pair.value);
            }
        };
        let (next, ()) = join(pages.next(host), look).await;
        page = next?;
    }
    scanned.ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(scanned)
}

/// Goes through everything that is stored, a page at a time.
struct Pages {
    /// The key that the last page ended with.
    last: Option<Vec<u8>>,
    ended: bool,
    /// How many keys the next page has.
    size: usize,
}

impl Pages {
    fn new() -> Self {
        Self { last: None, ended: false, size: FIRST_PAGE }
    }

    /// Gives the next page, or nothing after the last.
    async fn next(&mut self, host: &Host) -> Result<Option<Vec<Pair>>, String> {
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
        let page = read(host, &format!("{from} --from-key --limit={}", self.size)).await?;
        self.turn(page).map(Some)
    }

    /// Takes a page, without the key that the one before it ended with.
    fn turn(&mut self, page: Page) -> Result<Vec<Pair>, String> {
        self.size = sized(self.size, page.kvs.iter().map(|pair| pair.value.len()).sum());
        let mut pairs = page.kvs;
        let last = pairs.last().map(|pair| pair.key.to_vec());
        pairs.retain(|pair| Some(&pair.key[..]) != self.last.as_deref());
        self.ended = !page.more || last.is_none();
        if !self.ended && last == self.last {
            return Err("etcd gave the same page twice".to_owned());
        }
        self.last = last;
        Ok(pairs)
    }
}

/// How many keys the page after one of so many keys and bytes has: pages are neither many nor large.
fn sized(keys: usize, bytes: usize) -> usize {
    let each = (bytes / keys.max(1)).max(1);
    let most = (keys * GROWTH).min(MOST_PAGE);
    // One key of a page is the last one's.
    (PAGE_BYTES / each).clamp(2, most.max(2))
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

#[cfg(test)]
mod tests {
    use ringfort_model::secret::Secret;

    use prost::Message as _;

    use super::{Bytes, GROWTH, MOST_PAGE, PAGE_BYTES, Page, Pages, Pair, Scanned, count, sized};
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

    /// The bytes are those of a server: a header, two values with all their fields, more to come, a count.
    #[test]
    fn a_page_is_read_as_etcd_writes_it() {
        let header = [0x0a, 4, 0x08, 1, 0x18, 9];
        let first = [0x12, 14, 0x0a, 2, b'/', b'a', 0x10, 2, 0x18, 7, 0x20, 1, 0x2a, 2, 0, 0xff];
        let second = [0x12, 6, 0x0a, 2, b'/', b'b', 0x18, 8];
        let rest = [0x18, 1, 0x20, 5];
        let page = Page::decode(&[&header[..], &first, &second, &rest].concat()[..]).unwrap();
        let pair = |key: &[u8], mod_revision, value: &[u8]| Pair {
            key: Bytes::copy_from_slice(key),
            mod_revision,
            value: Bytes::copy_from_slice(value),
        };
        assert_eq!(page.kvs, [pair(b"/a", 7, &[0, 0xff]), pair(b"/b", 8, b"")]);
        assert!(page.more);
        assert!(Page::decode(&first[..9]).is_err());
        assert!(Page::decode(&b"Error: context deadline exceeded"[..]).is_err());
    }

    #[test]
    fn every_key_comes_once_and_an_answer_that_goes_nowhere_is_an_error() {
        let page = |keys: &[&str], more| {
            let pair = |key: &&str| Pair { key: key.to_string().into(), ..Pair::default() };
            Page { kvs: keys.iter().map(pair).collect(), more }
        };
        let keys = |pairs: Vec<Pair>| pairs.into_iter().map(|pair| pair.key).collect::<Vec<_>>();
        let mut pages = Pages::new();
        assert_eq!(keys(pages.turn(page(&["a", "b"], true)).unwrap()), ["a", "b"]);
        assert!(pages.turn(page(&["b"], true)).is_err());
        assert_eq!(keys(pages.turn(page(&["b", "c"], false)).unwrap()), ["c"]);
        assert!(pages.ended);
    }

    #[test]
    fn pages_grow_and_shrink_with_what_they_hold() {
        assert_eq!(sized(500, 500 << 10), 500 * GROWTH);
        assert_eq!(sized(4_000, 4_000 << 11), 4 << 10);
        assert_eq!(sized(MOST_PAGE, 1 << 10), MOST_PAGE);
        assert_eq!(sized(2_000, PAGE_BYTES / 2), 4_000);
        assert_eq!(sized(2_000, 1 << 30), 15);
        assert_eq!(sized(3, 1 << 30), 2);
        assert_eq!(sized(0, 0), 2);
    }
}
