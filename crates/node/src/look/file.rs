//! Files and directories: kind, mode, owner, and what they hold as far as it may be told.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Mutex;

use serde::Deserialize;
use zeroize::Zeroizing;

use ringfort_model::digest::Digest;
use ringfort_model::seen::{ContentSeen, ItemSeen, Look};
use ringfort_pki::{PrivateKey, TunnelSecret};

use crate::files;
use crate::root::Root;

/// Digests of files that did not change since they were hashed in the same conversation.
#[derive(Default)]
pub(crate) struct Digests(Mutex<BTreeMap<Stamp, Digest>>);

/// Tells one state of a file from another: the kernel sets the change time, nobody can set it back.
type Stamp = (u64, u64, u64, i64, i64);

impl Digests {
    fn of(&self, file: &mut File) -> io::Result<Digest> {
        let is = file.metadata()?;
        let stamp = (is.dev(), is.ino(), is.size(), is.ctime(), is.ctime_nsec());
        if let Some(known) = self.0.lock().ok().and_then(|known| known.get(&stamp).cloned()) {
            return Ok(known);
        }
        let digest = files::copy(file, &mut io::sink())?;
        // Too young a file may change again within one tick of the clock.
        let settled = is.ctime() + 2 < now_s();
        if let Some(mut known) = self.0.lock().ok().filter(|_| settled) {
            known.insert(stamp, digest.clone());
        }
        Ok(digest)
    }
}

fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or_default()
}

/// The most that is read of a key, a certificate or a configuration, in bytes.
const TEXT_LIMIT: u64 = 1 << 20;

/// Looks at a path.
pub(crate) fn look(root: &Root, digests: &Digests, path: &str, look: &Look) -> ItemSeen {
    let place = match root.item(path) {
        Ok(place) => place,
        Err(error) => return ItemSeen::Unreadable(error.to_string()),
    };
    let looked = std::fs::symlink_metadata(&place).and_then(|is| seen(digests, &place, &is, look));
    match looked {
        Ok(seen) => seen,
        Err(error) if error.kind() == io::ErrorKind::NotFound => ItemSeen::Absent,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => ItemSeen::Absent,
        Err(error) => ItemSeen::Unreadable(error.to_string()),
    }
}

fn seen(digests: &Digests, path: &Path, is: &Metadata, look: &Look) -> io::Result<ItemSeen> {
    let files::Permissions { mode, owner } = files::permissions(is);
    if is.is_dir() {
        return Ok(ItemSeen::Directory { mode, owner });
    }
    let content = if is.is_symlink() {
        ContentSeen::Other("a symbolic link".to_owned())
    } else if is.is_file() {
        content(digests, path, look)?
    } else {
        ContentSeen::Other("neither a file nor a directory".to_owned())
    };
    Ok(ItemSeen::File { mode, owner, content })
}

fn content(digests: &Digests, path: &Path, look: &Look) -> io::Result<ContentSeen> {
    let mut file = files::open(path)?;
    let whole = |file: &File| -> io::Result<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(TEXT_LIMIT).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    Ok(match look {
        Look::Plain | Look::Serving { .. } => ContentSeen::Bytes(digests.of(&mut file)?),
        Look::Key => key(&whole(&file)?),
        Look::TunnelKey => tunnel_key(&whole(&file)?),
        Look::Certificate => match ringfort_facts::certificate::read(&whole(&file)?) {
            Ok(certificate) => ContentSeen::Certificate(certificate),
            Err(error) => ContentSeen::Other(error.to_string()),
        },
        Look::EncryptionKeys => encryption_keys(&whole(&file)?),
    })
}

fn key(bytes: &[u8]) -> ContentSeen {
    let key = std::str::from_utf8(bytes).ok().and_then(|text| PrivateKey::read(text).ok());
    match key.map(|key| key.public()) {
        Some(public) => ContentSeen::Key { id: public.id, public_pem: public.pem },
        None => ContentSeen::Other("no private key of ringfort's kind".to_owned()),
    }
}

fn tunnel_key(bytes: &[u8]) -> ContentSeen {
    let secret = std::str::from_utf8(bytes).ok().and_then(|text| TunnelSecret::read(text).ok());
    match secret.and_then(|secret| secret.public().ok()) {
        Some(public) => ContentSeen::TunnelKey(public),
        None => ContentSeen::Other("no WireGuard key".to_owned()),
    }
}

/// The names in an `EncryptionConfiguration`; the secrets beside them are skipped.
#[derive(Deserialize)]
struct EncryptionConfiguration {
    resources: Vec<Resources>,
}

#[derive(Deserialize)]
struct Resources {
    #[serde(default)]
    providers: Vec<BTreeMap<String, Provider>>,
}

#[derive(Deserialize)]
struct Provider {
    #[serde(default)]
    keys: Vec<KeyName>,
}

#[derive(Deserialize)]
struct KeyName {
    name: String,
}

fn encryption_keys(bytes: &[u8]) -> ContentSeen {
    let text = std::str::from_utf8(bytes).ok();
    // The parser's complaint may quote the file, so it is not passed on.
    let read = text.and_then(|text| serde_saphyr::from_str::<EncryptionConfiguration>(text).ok());
    let Some(configuration) = read else {
        return ContentSeen::Other("no EncryptionConfiguration".to_owned());
    };
    let providers = configuration.resources.into_iter().flat_map(|rule| rule.providers);
    let named = providers.flat_map(BTreeMap::into_values).flat_map(|provider| provider.keys);
    let mut keys: Vec<String> = Vec::new();
    for KeyName { name } in named {
        if !keys.contains(&name) {
            keys.push(name);
        }
    }
    ContentSeen::EncryptionKeys { digest: Digest::of(bytes), keys }
}

/// Says whether etcd's data directory holds a member.
pub(crate) fn etcd_data(root: &Root) -> bool {
    root.own("var/lib/etcd/data/member").is_dir()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::{Digests, encryption_keys, look};
    use crate::root::Root;
    use ringfort_model::digest::Digest;
    use ringfort_model::seen::{ContentSeen, ItemSeen, Look};
    use ringfort_pki::PrivateKey;

    const CONFIGURATION: &str = "\
kind: EncryptionConfiguration
apiVersion: apiserver.config.k8s.io/v1
resources:
- resources: [events]
  providers: [{identity: {}}]
- resources: [\"*.*\"]
  providers:
  - secretbox:
      keys:
      - {name: k2, secret: c2VjcmV0}
      - {name: k1, secret: b2xk}
";

    #[test]
    fn names_of_keys_are_told_and_never_the_keys() {
        let seen = encryption_keys(CONFIGURATION.as_bytes());
        let digest = Digest::of(CONFIGURATION.as_bytes());
        let keys = vec!["k2".to_owned(), "k1".to_owned()];
        assert_eq!(seen, ContentSeen::EncryptionKeys { digest, keys });
        for bad in ["", "resources: 7", "a: [", "\u{0}", "hunter2: {"] {
            let seen = encryption_keys(bad.as_bytes());
            assert_eq!(seen, ContentSeen::Other("no EncryptionConfiguration".to_owned()), "{bad}");
        }
    }

    #[test]
    fn what_is_at_a_path_is_told_by_kind() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        let key = PrivateKey::make().unwrap();
        std::fs::write(directory.path().join("key"), key.pem().expose()).unwrap();
        symlink("key", directory.path().join("link")).unwrap();
        let digests = Digests::default();
        let check = |path: &str, how: Look, expected: fn(&ItemSeen, &PrivateKey) -> bool| {
            let seen = look(&root, &digests, path, &how);
            assert!(expected(&seen, &key), "{path}: {seen:?}");
        };
        let _ = std::fs::create_dir(directory.path().join("dir"));
        check("/none", Look::Plain, |s, _| *s == ItemSeen::Absent);
        check("/key/none", Look::Plain, |s, _| *s == ItemSeen::Absent);
        check("/dir", Look::Plain, |s, _| matches!(s, ItemSeen::Directory { .. }));
        check("/../x", Look::Plain, |s, _| matches!(s, ItemSeen::Unreadable(_)));
        check("/link", Look::Plain, |s, _| {
            matches!(s, ItemSeen::File { content: ContentSeen::Other(_), .. })
        });
        check("/key", Look::Certificate, |s, _| {
            matches!(s, ItemSeen::File { content: ContentSeen::Other(_), .. })
        });
        check(
            "/key",
            Look::Key,
            |s, key| matches!(s, ItemSeen::File { content: ContentSeen::Key { id, .. }, .. } if *id == key.public().id),
        );
        check("/key", Look::Plain, |s, key| {
            let bytes = Digest::of(key.pem().expose().as_bytes());
            matches!(s, ItemSeen::File { content: ContentSeen::Bytes(d), .. } if *d == bytes)
        });
    }
}
