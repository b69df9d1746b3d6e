//! Looks for private keys where a cluster's files lie. Only their public halves leave the machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ringfort_model::act::KeyFile;
use ringfort_model::secret::Secret;
use ringfort_pki::public_half;

use crate::root::Root;

/// Where keys of a cluster may lie, or be left.
const PLACES: [&str; 9] = [
    "etc/cni",
    "etc/containerd",
    "etc/etcd",
    "etc/kubernetes",
    "home",
    "root",
    "tmp",
    "var/lib/kubelet",
    "var/lib/ringfort",
];
/// Files of pods belong to pods.
const SKIPPED: [&str; 1] = ["var/lib/kubelet/pods"];
/// A larger file is no key.
const MOST_BYTES: u64 = 64 << 10;
/// What a key begins with, but for the kind that only SSH reads.
const BEGINS: &str = "PRIVATE KEY-----";
const SSH: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";

/// Finds every private key.
///
/// # Errors
/// A directory or a file could not be read: what was not looked at may be a key.
pub fn look(root: &Root) -> io::Result<Vec<KeyFile>> {
    let mut found = Vec::new();
    let mut places: Vec<PathBuf> = PLACES.iter().map(|place| root.own(place)).collect();
    let skipped: Vec<PathBuf> = SKIPPED.iter().map(|place| root.own(place)).collect();
    while let Some(place) = places.pop() {
        let entries = match fs::read_dir(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(|error| at(&place, &error))?,
        };
        for entry in entries {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            match () {
                () if skipped.contains(&path) => {}
                () if kind.is_dir() => places.push(path),
                () if kind.is_file() => found.extend(keys(root, &path)?),
                () => {}
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// Reads the keys of one file; one that went away meanwhile has none.
fn keys(root: &Root, path: &Path) -> io::Result<Vec<KeyFile>> {
    let gone = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(Vec::new()),
        _ => Err(at(path, &error)),
    };
    let size = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) => return gone(error),
    };
    if size > MOST_BYTES {
        return Ok(Vec::new());
    }
    let bytes = match fs::read(path) {
        Ok(bytes) => Secret::new(bytes),
        Err(error) => return gone(error),
    };
    let Ok(text) = std::str::from_utf8(bytes.expose()) else { return Ok(Vec::new()) };
    let shown = path.strip_prefix(root.path()).unwrap_or(path);
    let shown = format!("/{}", shown.display());
    let key = |block: &str| KeyFile { path: shown.clone(), public_key: public_half(block) };
    Ok(blocks(text).into_iter().map(key).collect())
}

/// Names what could not be read.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Cuts a text into its private keys.
fn blocks(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find("-----BEGIN ") {
        rest = &rest[begin..];
        let first = rest.lines().next().unwrap_or_default();
        let Some(end) = rest.find("-----END ") else { break };
        let length = rest[end..].find('\n').map_or(rest.len(), |line| end + line + 1);
        if first.trim_end().ends_with(BEGINS) && first.trim_end() != SSH {
            found.push(&rest[..length]);
        }
        rest = &rest[length..];
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ringfort_pki::PrivateKey;

    use super::look;
    use crate::root::Root;

    #[test]
    fn keys_are_found_wherever_they_were_left_and_only_their_public_halves_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let key = PrivateKey::make().unwrap();
        let put = |path: &str, text: &str| {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("root/backup/notes.txt", &format!("kept here:\n{}", key.pem().expose()));
        put(
            "etc/kubernetes/pki/ca.crt",
            "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
        );
        put(
            "etc/kubernetes/odd.key",
            "-----BEGIN RSA PRIVATE KEY-----\nAA==\n-----END RSA PRIVATE KEY-----\n",
        );
        put("var/lib/kubelet/pods/1/key", key.pem().expose());
        let found = look(&Root::new(directory.path())).unwrap();
        let paths: Vec<&str> = found.iter().map(|key| key.path.as_str()).collect();
        assert_eq!(paths, ["/etc/kubernetes/odd.key", "/root/backup/notes.txt"]);
        assert_eq!(found[0].public_key, None);
        assert_eq!(found[1].public_key.as_ref(), Some(&key.public().id));
    }
}
