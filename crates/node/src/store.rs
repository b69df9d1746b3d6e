//! Files of the bundle on this machine, each under its digest. What is taken out is hashed on the
//! way, so that an altered file is never used, wherever it came from.
//!
//! Three places are looked in: the store that the operator fills, a bundle that was put here
//! beforehand (`seed`, read only), and this very program.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;

use ringfort_model::digest::Digest;

use crate::files;
use crate::root::Root;

/// Says what is wrong with a file of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No place has it.
    #[error(
        "the file with the digest {digest} is not on this machine: bring it before the step that needs it"
    )]
    Lacking {
        /// The digest.
        digest: Digest,
    },
    /// Its bytes are not those of its digest.
    #[error(
        "{path} is not what its digest {digest} says; it is not used: run again to bring it anew"
    )]
    Altered {
        /// Where it was.
        path: String,
        /// The digest.
        digest: Digest,
    },
    /// A piece does not follow the one before.
    #[error(
        "a piece of {digest} begins at byte {offset}, but {held} bytes are here: bring it from the start"
    )]
    Gap {
        /// The digest.
        digest: Digest,
        /// Where the piece begins.
        offset: u64,
        /// What is here.
        held: u64,
    },
    /// A file cannot be read or written.
    #[error("{path} cannot be used")]
    Unusable {
        /// Which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

/// The store.
pub(crate) struct Store {
    directory: PathBuf,
    seed: BTreeMap<Digest, PathBuf>,
    own: PathBuf,
    own_digest: OnceLock<Option<Digest>>,
}

/// The part of a bundle's lock that a seed is looked up by.
#[derive(Deserialize)]
struct Lock {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    sha256: Digest,
    path: String,
}

impl Store {
    /// Finds the store and the seed of a machine.
    pub(crate) fn open(root: &Root) -> Self {
        Self {
            directory: root.state("store/sha256"),
            seed: seed(&root.state("seed")),
            own: PathBuf::from("/proc/self/exe"),
            own_digest: OnceLock::new(),
        }
    }

    /// Picks out the digests that no place has.
    pub(crate) fn lacks(&self, digests: &[Digest]) -> Vec<Digest> {
        digests.iter().filter(|digest| self.find(digest).is_none()).cloned().collect()
    }

    /// Takes a piece of a file; after the last one the file is checked and put in its place.
    pub(crate) fn receive(
        &self,
        digest: &Digest,
        offset: u64,
        last: bool,
        piece: &[u8],
    ) -> Result<(), StoreError> {
        let partial = self.directory.join(".partial").join(digest.as_str());
        let unusable = |source| unusable(&partial, source);
        partial.parent().map_or(Ok(()), files::private_directory).map_err(unusable)?;
        let mut file = open_partial(&partial).map_err(unusable)?;
        let held = file.metadata().map_err(unusable)?.len();
        if offset > held {
            return Err(StoreError::Gap { digest: digest.clone(), offset, held });
        }
        file.set_len(offset)
            .and_then(|()| file.seek(io::SeekFrom::End(0)))
            .and_then(|_| file.write_all(piece))
            .map_err(unusable)?;
        if last { self.finish(digest, &file, &partial) } else { Ok(()) }
    }

    fn finish(&self, digest: &Digest, file: &File, partial: &Path) -> Result<(), StoreError> {
        let unusable = |source| unusable(partial, source);
        file.sync_all().map_err(unusable)?;
        if files::digest(partial).map_err(unusable)? != *digest {
            files::remove_if_there(partial).map_err(unusable)?;
            let path = partial.display().to_string();
            return Err(StoreError::Altered { path, digest: digest.clone() });
        }
        let place = self.directory.join(digest.as_str());
        std::fs::rename(partial, &place).and_then(|()| files::sync_parent(&place)).map_err(unusable)
    }

    /// Copies a file out, and fails after the last byte if they were not the right ones: the
    /// caller must not have shown what it wrote to anybody.
    pub(crate) fn copy(&self, digest: &Digest, to: &mut impl io::Write) -> Result<(), StoreError> {
        let path = self.path(digest)?;
        let copied = open(&path).and_then(|mut file| files::copy(&mut file, to));
        self.matches(digest, &path, &copied.map_err(|source| unusable(&path, source))?)
    }

    /// Gives the path of a file whose bytes were just checked, for programs that read files.
    pub(crate) fn checked(&self, digest: &Digest) -> Result<PathBuf, StoreError> {
        let path = self.path(digest)?;
        let found = open(&path).and_then(|mut file| files::copy(&mut file, &mut io::sink()));
        self.matches(digest, &path, &found.map_err(|source| unusable(&path, source))?)?;
        Ok(path)
    }

    fn matches(&self, digest: &Digest, path: &Path, found: &Digest) -> Result<(), StoreError> {
        if found == digest {
            return Ok(());
        }
        if path.starts_with(&self.directory) {
            files::remove_if_there(path).map_err(|source| unusable(path, source))?;
        }
        Err(StoreError::Altered { path: path.display().to_string(), digest: digest.clone() })
    }

    fn path(&self, digest: &Digest) -> Result<PathBuf, StoreError> {
        self.find(digest).ok_or_else(|| StoreError::Lacking { digest: digest.clone() })
    }

    fn find(&self, digest: &Digest) -> Option<PathBuf> {
        let stored = self.directory.join(digest.as_str());
        if stored.is_file() {
            return Some(stored);
        }
        if let Some(seeded) = self.seed.get(digest).filter(|path| path.is_file()) {
            return Some(seeded.clone());
        }
        let own = self.own_digest.get_or_init(|| {
            open(&self.own).and_then(|mut file| files::copy(&mut file, &mut io::sink())).ok()
        });
        (own.as_ref() == Some(digest)).then(|| self.own.clone())
    }
}

/// Opens a file that may be reached through a link: its bytes are hashed, so the way is free.
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

fn open_partial(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn unusable(path: &Path, source: io::Error) -> StoreError {
    StoreError::Unusable { path: path.display().to_string(), source }
}

/// Reads which files a seed promises. One that cannot be read promises none: the operator brings
/// what is lacking.
fn seed(directory: &Path) -> BTreeMap<Digest, PathBuf> {
    let lock = std::fs::read(directory.join("bundle.lock")).ok();
    let lock = lock.and_then(|bytes| serde_json::from_slice::<Lock>(&bytes).ok());
    let inside =
        |path: &str| Path::new(path).components().all(|c| matches!(c, Component::Normal(_)));
    let entries = lock.map(|lock| lock.entries).unwrap_or_default();
    entries
        .into_iter()
        .filter(|entry| inside(&entry.path))
        .map(|entry| (entry.sha256, directory.join(entry.path)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Store, StoreError};
    use crate::root::Root;
    use ringfort_model::digest::Digest;

    fn fresh() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        (directory, root)
    }

    #[test]
    fn pieces_become_a_file_that_is_checked() {
        let (_directory, root) = fresh();
        let store = Store::open(&root);
        let digest = Digest::of(b"onetwo");
        assert_eq!(store.lacks(std::slice::from_ref(&digest)), std::slice::from_ref(&digest));
        store.receive(&digest, 0, false, b"one").unwrap();
        assert!(matches!(
            store.receive(&digest, 9, false, b"x"),
            Err(StoreError::Gap { held: 3, .. })
        ));
        // A piece that comes twice, and a new start, are fine.
        store.receive(&digest, 0, false, b"one").unwrap();
        store.receive(&digest, 3, true, b"two").unwrap();
        assert_eq!(store.lacks(std::slice::from_ref(&digest)), []);
        let mut copy = Vec::new();
        store.copy(&digest, &mut copy).unwrap();
        assert_eq!(copy, b"onetwo");
    }

    #[test]
    fn altered_files_are_refused_and_lacking_again() {
        let (_directory, root) = fresh();
        let store = Store::open(&root);
        let digest = Digest::of(b"good");
        let refused = store.receive(&digest, 0, true, b"evil").unwrap_err();
        assert!(matches!(refused, StoreError::Altered { .. }), "{refused}");
        store.receive(&digest, 0, true, b"good").unwrap();
        std::fs::write(root.state("store/sha256").join(digest.as_str()), "evil").unwrap();
        assert!(matches!(store.checked(&digest), Err(StoreError::Altered { .. })));
        assert_eq!(store.lacks(std::slice::from_ref(&digest)), [digest]);
    }

    #[test]
    fn a_seed_serves_what_its_lock_names_inside_it() {
        let (directory, root) = fresh();
        let seed = root.state("seed");
        std::fs::create_dir_all(seed.join("files")).unwrap();
        std::fs::write(seed.join("files/a"), "a").unwrap();
        std::fs::write(directory.path().join("b"), "b").unwrap();
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let lock = format!(
            r#"{{"entries":[{{"sha256":"{a}","path":"files/a"}},{{"sha256":"{b}","path":"../../../../b"}}]}}"#
        );
        std::fs::write(seed.join("bundle.lock"), lock).unwrap();
        let store = Store::open(&root);
        assert_eq!(store.lacks(&[a.clone(), b.clone()]), [b]);
        std::fs::write(seed.join("files/a"), "altered").unwrap();
        assert!(matches!(store.checked(&a), Err(StoreError::Altered { .. })));
    }
}
