//! The keys with which API servers encrypt what they store, and the file that carries them.
//!
//! A key passes through three states and never skips one: added (reads only), promoted (writes),
//! retired. Between two states every API server must have loaded the file, else objects are
//! unreadable on the servers that lack the key; the engine waits for that, this file cannot.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ringfort_model::digest::Digest;
use ringfort_model::secret::Secret;
use serde::{Deserialize, Serialize};

/// The encryption keys of a cluster, of which one writes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EncryptionKeys {
    /// Name of the key that writes.
    write: String,
    /// How many keys were ever made: a name is not given twice.
    made: u32,
    /// Every key, in the order of making.
    keys: Vec<EncryptionKey>,
    /// Whether a person asked for a new key that was not made yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    wanted: bool,
    /// Names of keys that every API server was seen to have loaded before they wrote.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    loaded: BTreeSet<String>,
    /// Keys that seal nothing any more. They are kept for old backups of etcd, and given to no
    /// server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    retired: Vec<EncryptionKey>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct EncryptionKey {
    name: String,
    /// 32 bytes in base64, as the file carries them.
    secret: Secret<String>,
    /// When it was made, in seconds since 1970.
    created: i64,
}

/// The API servers' `EncryptionConfiguration`.
#[derive(Clone, Debug)]
pub struct EncryptionConfiguration {
    /// The file, keys included.
    pub file: Secret<Vec<u8>>,
    /// Digest of the file: with `sha256:` before it, what API servers report as loaded.
    pub digest: Digest,
    /// Names of the keys, the one that writes first.
    pub keys: Vec<String>,
}

/// Says why the encryption keys stay as they are.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EncryptionKeyError {
    /// The machine gives no randomness.
    #[error("no encryption key can be made: this machine gives no randomness")]
    Randomness,
    /// There is no such key.
    #[error("the keyring has no encryption key {name:?}: it has {has}")]
    Unknown {
        /// The name that was given.
        name: String,
        /// The names there are.
        has: String,
    },
    /// The key is in use.
    #[error("the encryption key {name:?} writes: promote another key before it retires")]
    Writes {
        /// The key's name.
        name: String,
    },
}

impl EncryptionKeys {
    /// Makes the first key, which writes.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn make(now: i64) -> Result<Self, EncryptionKeyError> {
        let mut keys = Self {
            write: String::new(),
            made: 0,
            keys: Vec::new(),
            wanted: false,
            loaded: BTreeSet::new(),
            retired: Vec::new(),
        };
        keys.write = keys.add(now)?;
        Ok(keys)
    }

    /// Gives the names of the keys, the one that writes first.
    pub fn names(&self) -> Vec<String> {
        self.in_order().map(|key| key.name.clone()).collect()
    }

    /// Gives a key's name and when it was made, in seconds since 1970, in the order of making.
    pub fn made(&self) -> impl Iterator<Item = (&str, i64)> {
        self.keys.iter().map(|key| (key.name.as_str(), key.created))
    }

    /// Gives a key's bytes, to read what an API server stored, be it long ago.
    pub fn secret(&self, name: &str) -> Option<Secret<[u8; KEY_BYTES]>> {
        self.keys.iter().chain(&self.retired).find(|key| key.name == name)?.bytes()
    }

    /// Gives the name of the key that was made last.
    pub fn newest(&self) -> &str {
        self.keys.last().map_or("", |key| key.name.as_str())
    }

    /// Says whether a person asked for a new key that was not made yet.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Gives the names of keys that every API server was seen to have loaded before they wrote.
    pub fn loaded(&self) -> &BTreeSet<String> {
        &self.loaded
    }

    /// Gives the names of keys that seal nothing any more.
    pub fn retired(&self) -> impl Iterator<Item = &str> {
        self.retired.iter().map(|key| key.name.as_str())
    }

    /// Takes note that a person wants a new key.
    pub fn want(&mut self) {
        self.wanted = true;
    }

    /// Renders the API servers' file: events as they are, everything else under the keys. Events
    /// have to come first, since the server takes the first entry that fits, and nothing has
    /// `identity` beside a key, so what is not encrypted cannot be read.
    pub fn configuration(&self) -> EncryptionConfiguration {
        let room = HEAD.len() + self.keys.len() * 160;
        let mut file = String::with_capacity(room);
        file.push_str(HEAD);
        for key in self.in_order() {
            for part in
                ["      - name: ", &key.name, "\n        secret: \"", key.secret.expose(), "\"\n"]
            {
                file.push_str(part);
            }
        }
        debug_assert!(file.len() <= room, "growing would leave a copy of the keys in memory");
        EncryptionConfiguration {
            digest: Digest::of(file.as_bytes()),
            file: Secret::new(file.into_bytes()),
            keys: self.names(),
        }
    }

    /// Makes a key that reads only, and gives its name.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn add(&mut self, now: i64) -> Result<String, EncryptionKeyError> {
        let mut bytes = [0; KEY_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| EncryptionKeyError::Randomness)?;
        let bytes = Secret::new(bytes);
        self.made += 1;
        let name = format!("k{}-{}", self.made, Digest::of(bytes.expose()).short());
        let secret = Secret::new(BASE64_STANDARD.encode(bytes.expose()));
        self.keys.push(EncryptionKey { name: name.clone(), secret, created: now });
        self.wanted = false;
        Ok(name)
    }

    /// Lets a key write. Every API server must have been seen to have loaded it.
    ///
    /// # Errors
    /// There is no such key.
    pub fn promote(&mut self, name: &str) -> Result<(), EncryptionKeyError> {
        self.find(name)?;
        name.clone_into(&mut self.write);
        self.loaded.insert(name.to_owned());
        Ok(())
    }

    /// Takes a key away. Everything that it wrote must have been written again before.
    ///
    /// # Errors
    /// There is no such key, or it writes.
    pub fn retire(&mut self, name: &str) -> Result<(), EncryptionKeyError> {
        let at = self.find(name)?;
        if name == self.write {
            return Err(EncryptionKeyError::Writes { name: name.to_owned() });
        }
        let key = self.keys.remove(at);
        self.retired.push(key);
        Ok(())
    }

    /// Sees that the keys fit each other.
    pub(super) fn complete(&self) -> Result<(), String> {
        let count = |name: &str| self.keys.iter().filter(|key| key.name == name).count();
        if let Some(twice) = self.keys.iter().find(|key| count(&key.name) > 1) {
            return Err(format!("two encryption keys are named {:?}", twice.name));
        }
        if let Some(short) = self.keys.iter().find(|key| key.bytes().is_none()) {
            return Err(format!("the encryption key {:?} has not {KEY_BYTES} bytes", short.name));
        }
        if count(&self.write) != 1 {
            return Err(format!("the encryption key {:?}, which writes, is missing", self.write));
        }
        Ok(())
    }

    fn in_order(&self) -> impl Iterator<Item = &EncryptionKey> {
        let writes = |key: &&EncryptionKey| key.name == self.write;
        let reads = move |key: &&EncryptionKey| key.name != self.write;
        self.keys.iter().filter(writes).chain(self.keys.iter().filter(reads))
    }

    fn find(&self, name: &str) -> Result<usize, EncryptionKeyError> {
        self.keys.iter().position(|key| key.name == name).ok_or_else(|| {
            EncryptionKeyError::Unknown { name: name.to_owned(), has: self.names().join(", ") }
        })
    }
}

impl EncryptionKey {
    fn bytes(&self) -> Option<Secret<[u8; KEY_BYTES]>> {
        let bytes = Secret::new(BASE64_STANDARD.decode(self.secret.expose()).ok()?);
        bytes.expose().as_slice().try_into().ok().map(Secret::new)
    }
}

/// Length of a key of secretbox.
const KEY_BYTES: usize = 32;

const HEAD: &str = "\
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [events]
  providers:
  - identity: {}
- resources: [\"*.*\"]
  providers:
  - secretbox:
      keys:
";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ringfort_model::digest::Digest;

    use super::{EncryptionKeyError, EncryptionKeys};

    const NOW: i64 = 1_800_000_000;

    fn file(keys: &EncryptionKeys) -> String {
        String::from_utf8(keys.configuration().file.expose().clone()).unwrap()
    }

    #[test]
    fn the_file_leaves_events_and_encrypts_all_else_with_secretbox_alone() {
        let keys: EncryptionKeys = serde_json::from_value(serde_json::json!({
            "write": "k2-b", "made": 2, "keys": [
                {"name": "k1-a", "secret": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", "created": 1},
                {"name": "k2-b", "secret": "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=", "created": 2},
            ]
        }))
        .unwrap();
        let expected = "\
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [events]
  providers:
  - identity: {}
- resources: [\"*.*\"]
  providers:
  - secretbox:
      keys:
      - name: k2-b
        secret: \"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=\"
      - name: k1-a
        secret: \"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\"
";
        assert_eq!(keys.complete(), Ok(()));
        assert_eq!(file(&keys), expected);
        let configuration = keys.configuration();
        assert_eq!(configuration.digest, Digest::of(expected.as_bytes()));
        assert_eq!(configuration.keys, ["k2-b", "k1-a"]);
        assert_eq!(keys.secret("k1-a").unwrap().expose(), &[b'A'; 32]);
        assert!(keys.secret("k3-c").is_none());
    }

    #[test]
    fn a_key_reads_before_it_writes_and_never_retires_while_it_writes() {
        let mut keys = EncryptionKeys::make(NOW).unwrap();
        let first = keys.names().remove(0);
        let second = keys.add(NOW + 1).unwrap();
        assert_eq!(keys.names(), [first.clone(), second.clone()]);
        assert_eq!(
            keys.retire(&first),
            Err(EncryptionKeyError::Writes { name: first.clone() }),
            "the only key that writes"
        );
        keys.promote(&second).unwrap();
        assert_eq!(keys.names(), [second.clone(), first.clone()]);
        keys.retire(&first).unwrap();
        assert_eq!(keys.names(), std::slice::from_ref(&second));
        assert_eq!(keys.retired().collect::<Vec<_>>(), [first.as_str()]);
        assert!(keys.secret(&first).is_some(), "old backups are sealed with it");
        assert!(matches!(keys.promote(&first), Err(EncryptionKeyError::Unknown { .. })));
        assert!(matches!(keys.retire(&first), Err(EncryptionKeyError::Unknown { .. })));
        assert!(keys.add(NOW + 2).unwrap().starts_with("k3-"), "numbers are not given twice");
        assert_eq!(keys.complete(), Ok(()));
    }

    #[test]
    fn a_new_key_is_wanted_until_it_is_made() {
        let mut keys = EncryptionKeys::make(NOW).unwrap();
        assert!(!keys.is_wanted());
        keys.want();
        let kept: EncryptionKeys =
            serde_json::from_value(serde_json::to_value(&keys).unwrap()).unwrap();
        assert_eq!(kept, keys);
        let name = keys.add(NOW).unwrap();
        assert_eq!((keys.is_wanted(), keys.newest()), (false, name.as_str()));
        keys.promote(&name).unwrap();
        assert_eq!(keys.loaded(), &BTreeSet::from([name]));
    }

    #[test]
    fn each_key_has_its_own_name_and_each_state_its_own_digest() {
        let mut keys = EncryptionKeys::make(NOW).unwrap();
        let mut digests = BTreeSet::from([keys.configuration().digest]);
        for _ in 0..4 {
            let name = keys.add(NOW).unwrap();
            assert!(digests.insert(keys.configuration().digest));
            keys.promote(&name).unwrap();
            assert!(digests.insert(keys.configuration().digest));
        }
        assert_eq!(keys.names().iter().collect::<BTreeSet<_>>().len(), 5);
        assert_eq!(keys.configuration().digest, keys.clone().configuration().digest);
    }

    #[test]
    fn keys_that_do_not_fit_are_refused() {
        let check = |write: &str, keys: &[(&str, &str)], expected: &str| {
            let key = |(name, secret): &(&str, &str)| serde_json::json!({"name": name, "secret": secret, "created": 1});
            let keys: Vec<_> = keys.iter().map(key).collect();
            let value = serde_json::json!({"write": write, "made": 2, "keys": keys});
            let keys: EncryptionKeys = serde_json::from_value(value).unwrap();
            let error = keys.complete().unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        let good = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
        check("k2", &[("k1", good)], "which writes");
        check("k1", &[], "which writes");
        check("k1", &[("k1", "QUFB")], "32 bytes");
        check("k1", &[("k1", "?")], "32 bytes");
        check("k1", &[("k1", good), ("k1", good)], "two encryption keys");
    }

    #[test]
    fn keys_are_not_printed() {
        let keys = EncryptionKeys::make(NOW).unwrap();
        let text = file(&keys);
        let secret = text.split('"').rev().nth(1).unwrap();
        assert_eq!(secret.len(), 44);
        assert!(!format!("{keys:?} {:?}", keys.configuration()).contains(secret));
    }
}
