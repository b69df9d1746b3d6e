//! Reads what one etcd member stores, and tells sealed from open.

mod page;
mod pages;
mod seal;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use ringfort_host::{Host, Output};
use ringfort_model::act::{Scanned, Seen};
use ringfort_model::secret::Secret;

use self::page::{Page, Pair};
use self::pages::Pages;
use crate::secretbox::{self, Raw};

pub use self::seal::{SealError, seal_plain};

/// How many keys of strangers are told.
const TOLD: usize = 20;
/// How long `etcdctl` may take. It sets no limit to a transaction by itself, and five seconds to anything else.
const LIMIT_S: u64 = 60;
/// How timeout(1) ends what has taken too long.
const TOO_LONG: u32 = 124;

/// Asks this machine's member.
pub(crate) fn etcdctl(rest: &str) -> String {
    let pki = "/etc/kubernetes/pki";
    format!(
        "timeout {LIMIT_S} etcdctl --endpoints=https://127.0.0.1:2379 \
         --cacert={pki}/etcd-client-ca.crt --cert={pki}/apiserver-etcd-client.crt \
         --key={pki}/apiserver-etcd-client.key {rest}"
    )
}

/// Asks whether this machine's member takes writes.
pub(crate) fn health() -> String {
    etcdctl("endpoint health")
}

/// Asks this machine's member for what it says of itself, field by field.
pub(crate) fn status() -> String {
    etcdctl("--write-out=fields endpoint status")
}

/// Reads a number of what a member says of itself.
pub(crate) fn field(said: &str, name: &str) -> Result<u64, String> {
    let begin = format!("\"{name}\" : ");
    let number =
        said.lines().find_map(|line| line.strip_prefix(begin.as_str())?.trim().parse().ok());
    number.ok_or_else(|| format!("etcdctl says nothing of {name} in an endpoint's status"))
}

/// Asks for a key, as the one operation of a transaction without conditions: no argument of a program can hold a 0 byte,
/// and keys may. A serializable read is answered by this member alone.
fn get(flags: &str, key: &[u8]) -> String {
    format!("\nget --consistency=s {flags}-- {}\n\n\n", quoted(key))
}

/// Writes bytes as Go quotes them.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 4 * bytes.len());
    text.push('"');
    for byte in bytes {
        // Writing to a string never fails.
        let _ = write!(text, "\\x{byte:02x}");
    }
    text.push('"');
    text
}

/// Reads values and gives each as soon as it is there. Says whether there are more.
async fn read(host: &Host, asked: &str, give: &mut impl FnMut(Pair)) -> Result<bool, String> {
    read_of(host, &etcdctl("--write-out=protobuf txn"), asked, give).await
}

/// The same of any command. What it writes is read to its end, whatever it is: its complaint says more than that it gave
/// no page.
async fn read_of(
    host: &Host,
    command: &str,
    asked: &str,
    give: &mut impl FnMut(Pair),
) -> Result<bool, String> {
    let pipe = host.open(command).await.map_err(|e| e.to_string())?;
    let (mut reader, mut writer, ending) = pipe.into_parts();
    // What ends without reading all of it says why.
    let _ = writer.write_all(asked.as_bytes()).await;
    let _ = writer.shutdown().await;
    drop(writer);
    let (mut page, mut looked) = (Page::default(), Ok(()));
    loop {
        let room = page.room();
        if looked.is_err() {
            room.clear();
        }
        if reader.read_buf(room).await.map_err(|e| e.to_string())? == 0 {
            break;
        }
        if looked.is_ok() {
            looked = hand_on(&mut page, give);
        }
    }
    ended(&ending.output().await)?;
    looked?;
    page.has_more()
}

/// Gives the values that have come.
fn hand_on(page: &mut Page, give: &mut impl FnMut(Pair)) -> Result<(), String> {
    while let Some(pair) = page.value()? {
        give(pair);
    }
    Ok(())
}

fn ended(output: &Output) -> Result<(), String> {
    match output.code {
        Some(0) => Ok(()),
        Some(TOO_LONG) => Err(format!("etcdctl: no answer within {LIMIT_S} s")),
        _ => Err(output.complaint()),
    }
}

/// Reads one value and opens it with the keyring.
pub(crate) async fn sealed(
    host: &Host,
    keys: &BTreeMap<String, Secret<[u8; 32]>>,
    key: &str,
) -> Result<Seen, String> {
    let mut found = None;
    read(host, &get("", key.as_bytes()), &mut |pair| found = Some(pair)).await?;
    let Some(pair) = found else { return Ok(Seen::Absent) };
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

/// Reads every value, and tries whether its seal is one of the keyring.
pub(crate) async fn scan(
    host: &Host,
    keys: &BTreeMap<String, Secret<[u8; 32]>>,
    open: &[String],
) -> Result<Scanned, String> {
    let begin = Instant::now();
    let mut scanned = Scanned::default();
    let mut pages = Pages::begin(host).await?;
    while !pages.ended {
        let mut look = |pair: Pair| count(&mut scanned, keys, open, &pair.key, &pair.value);
        pages.next(host, &mut look).await?;
    }
    scanned.ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(scanned)
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
        if secret.is_some_and(|secret| secretbox::check(secret.expose(), body).is_ok()) {
            return one_more(&mut scanned.sealed, by);
        }
        scanned.shut += 1;
    } else if let Some(listed) = open.iter().find(|listed| is_listed(listed, key)) {
        return one_more(&mut scanned.open, listed);
    } else {
        scanned.strange += 1;
    }
    if scanned.strangers.len() < TOLD {
        scanned.strangers.push(shown(key));
    }
}

/// Writes a key for people: it may hold what moves about on a terminal.
fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(key).escape_debug().to_string()
}

fn one_more(counts: &mut BTreeMap<String, u64>, of: &str) {
    match counts.get_mut(of) {
        Some(count) => *count += 1,
        None => {
            counts.insert(of.to_owned(), 1);
        }
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

    use super::{Host, Scanned, count, field, get, read_of};
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
        let scanned = counted(&[("/registry/s\0\n", b"{}")]);
        assert_eq!(scanned.strangers, [r"/registry/s\0\n"]);
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

    /// Reads what a command writes, as if it were etcdctl.
    fn told(command: &str) -> Result<bool, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(read_of(&Host::local(), command, &get("", b"/a"), &mut |_| {}))
    }

    #[test]
    fn what_etcdctl_complains_of_is_told_whatever_it_wrote_besides() {
        let complains = |code| {
            let said = "cat >/dev/null; printf Error; echo 'no such member' >&2";
            told(&format!("{said}; exit {code}"))
        };
        assert_eq!(complains(1), Err("no such member".to_owned()));
        assert_eq!(complains(124), Err("etcdctl: no answer within 60 s".to_owned()));
        assert_eq!(complains(0), Err("etcdctl: it gives what is no page of etcd".to_owned()));
        assert_eq!(told("cat >/dev/null"), Err("etcdctl: the page is cut off".to_owned()));
    }

    #[test]
    fn a_key_is_asked_for_whatever_bytes_it_has() {
        let asked = get("--from-key ", b"-a\0\n\"");
        let wanted = r#"get --consistency=s --from-key -- "\x2d\x61\x00\x0a\x22""#;
        assert_eq!(asked, format!("\n{wanted}\n\n\n"));
    }

    #[test]
    fn a_status_is_read_field_by_field() {
        let said = "\"DBSize\" : 24576\n\"DBSizeInUse\" : 4096\n";
        assert_eq!(field(said, "DBSizeInUse"), Ok(4096));
        assert!(field(said, "DB").unwrap_err().contains("DB"));
        assert!(field("\"Leader\" : it\n", "Leader").is_err());
    }
}
