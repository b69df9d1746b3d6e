//! Opens bundles and looks whether every file is what the lock says.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use ringfort_model::bundle::{BundleLock, Entry, LOCK_FILE, LockError};
use ringfort_model::digest::Digest;
use ringfort_model::version::KubeVersion;

use super::files::{FileFault, make_directory, measure, read_text, remove, rename};

/// A bundle on the disk. Its lock is read, its files are not: `verify` looks at them.
#[derive(Clone, Debug)]
pub struct Bundle {
    directory: PathBuf,
    lock: BundleLock,
    digest: Digest,
}

/// Says why a directory cannot be used as a bundle.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is no lock in it.
    #[error("{path} is no bundle, it has no bundle.lock: make one with ringfort bundle build")]
    NoBundle {
        /// The directory.
        path: PathBuf,
    },
    /// The lock is wrong.
    #[error("{path} cannot be used")]
    Lock {
        /// The lock.
        path: PathBuf,
        /// Why.
        #[source]
        source: LockError,
    },
    /// Nothing may be written there.
    #[error("{path} exists already: name a directory that does not")]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// A file is not what the lock says.
    #[error("{0}: build the bundle again, or bring it again")]
    Altered(Flaw),
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FileFault),
}

/// Something about a bundle that is not as its lock says.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Flaw {
    /// The path in the bundle.
    pub path: String,
    /// What is wrong.
    #[serde(flatten)]
    pub wrong: Wrong,
}

/// What is wrong with a file.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(tag = "wrong", rename_all = "kebab-case")]
pub enum Wrong {
    /// It is not there.
    Missing,
    /// Its bytes are others.
    Altered {
        /// The digest of the lock.
        locked: Digest,
        /// The digest of the file.
        found: Digest,
    },
    /// The lock does not know it.
    Unlisted,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, wrong } = self;
        match wrong {
            Wrong::Missing => write!(f, "{path}: missing"),
            Wrong::Unlisted => write!(f, "{path}: not in the lock"),
            Wrong::Altered { locked, found } => {
                write!(f, "{path}: altered: its digest is {found}, the lock says {locked}")
            }
        }
    }
}

impl Bundle {
    /// Opens a bundle.
    ///
    /// # Errors
    /// There is no lock, or it is wrong.
    pub fn open(directory: &Path) -> Result<Self, DirectoryError> {
        let path = directory.join(LOCK_FILE);
        if !path.exists() {
            return Err(DirectoryError::NoBundle { path: directory.to_owned() });
        }
        let text = read_text(&path)?;
        let lock = BundleLock::parse(&text);
        let lock = lock.map_err(|source| DirectoryError::Lock { path, source })?;
        let digest = Digest::of(text.as_bytes());
        Ok(Self { directory: directory.to_owned(), lock, digest })
    }

    /// Gives a bundle whose lock lies in no directory.
    pub(super) fn imagined(directory: PathBuf, lock: BundleLock) -> Self {
        let digest = Digest::of(lock.render().as_bytes());
        Self { directory, lock, digest }
    }

    /// Finds the newest bundle of a version in the cache.
    ///
    /// # Errors
    /// There is one, but it is wrong.
    pub fn newest(cache: &Path, version: KubeVersion) -> Result<Option<Self>, DirectoryError> {
        let directory = cache.join("bundles").join(version.minor.to_string());
        match Self::open(&directory) {
            Err(DirectoryError::NoBundle { .. }) => Ok(None),
            Err(error) => Err(error),
            Ok(bundle) => Ok(Some(bundle).filter(|one| version.is_met_by(one.lock.kubernetes))),
        }
    }

    /// Gives the lock.
    pub fn lock(&self) -> &BundleLock {
        &self.lock
    }

    /// Gives the digest of the lock, which stands for all that is in the bundle.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Gives the directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Gives the path of a file.
    pub fn path(&self, entry: &Entry) -> PathBuf {
        self.directory.join(&entry.path)
    }

    /// Reads every file, and names those that are not what the lock says.
    ///
    /// # Errors
    /// Something could not be read, so that nothing can be said.
    pub fn verify(&self) -> Result<Vec<Flaw>, DirectoryError> {
        let mut flaws = Vec::new();
        let locked = self.locked();
        for (path, digest) in &locked {
            if let Some(wrong) = judge(&self.directory.join(path), digest)? {
                flaws.push(Flaw { path: (*path).to_owned(), wrong });
            }
        }
        for path in list(&self.directory)? {
            if path != LOCK_FILE && !locked.contains_key(path.as_str()) {
                flaws.push(Flaw { path, wrong: Wrong::Unlisted });
            }
        }
        flaws.sort();
        Ok(flaws)
    }

    /// Reads the files of these digests, and names those that are not what the lock says.
    ///
    /// # Errors
    /// Something could not be read, so that nothing can be said.
    pub fn flaws_among(&self, digests: &BTreeSet<Digest>) -> Result<Vec<Flaw>, DirectoryError> {
        let mut flaws = Vec::new();
        for entry in self.lock.entries.iter().filter(|entry| digests.contains(&entry.sha256)) {
            if let Some(wrong) = judge(&self.path(entry), &entry.sha256)? {
                flaws.push(Flaw { path: entry.path.clone(), wrong });
            }
        }
        Ok(flaws)
    }

    /// Copies the bundle to a directory that does not exist yet.
    ///
    /// # Errors
    /// The directory exists, or the disk cannot hold it.
    pub fn copy(&self, to: &Path) -> Result<(), DirectoryError> {
        if to.exists() {
            return Err(DirectoryError::Exists { path: to.to_owned() });
        }
        let mut partial = to.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        remove(&partial)?;
        for path in self.locked().into_keys().chain([LOCK_FILE]) {
            let target = partial.join(path);
            make_directory(target.parent().expect("a path in a bundle has a directory"))?;
            fs::copy(self.directory.join(path), &target).map_err(FileFault::of(&target))?;
        }
        Ok(rename(&partial, to)?)
    }

    fn locked(&self) -> BTreeMap<&str, &Digest> {
        let sbom = (self.lock.sbom.path.as_str(), &self.lock.sbom.sha256);
        let entries = self.lock.entries.iter().map(|entry| (entry.path.as_str(), &entry.sha256));
        entries.chain([sbom]).collect()
    }
}

/// Finds the operator's cache, as the XDG base directory specification says.
pub fn cache_directory(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let base = variable("XDG_CACHE_HOME").and_then(absolute);
    let home = || Some(variable("HOME").and_then(absolute)?.join(".cache"));
    Some(base.or_else(home)?.join("ringfort"))
}

fn judge(path: &Path, locked: &Digest) -> Result<Option<Wrong>, FileFault> {
    // A link may point anywhere, and a bundle has none.
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return Ok(Some(Wrong::Missing));
    }
    let found = measure(path)?.sha256;
    let altered = Wrong::Altered { locked: locked.clone(), found: found.clone() };
    Ok(Some(altered).filter(|_| found != *locked))
}

/// Lists all but directories below one, by their paths from there.
fn list(directory: &Path) -> Result<Vec<String>, FileFault> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).map_err(FileFault::of(&next))? {
            let entry = entry.map_err(FileFault::of(&next))?;
            let path = entry.path();
            if entry.file_type().map_err(FileFault::of(&path))?.is_dir() {
                waiting.push(path);
            } else {
                let inside = path.strip_prefix(directory).expect("it was found below");
                found.push(inside.display().to_string());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    use serde_json::json;

    use ringfort_model::digest::Digest;

    use super::{Bundle, cache_directory};

    /// Writes a bundle of one program.
    fn write(directory: &Path) -> Bundle {
        let (program, list) = (b"kubelet".as_slice(), b"{}".as_slice());
        let lock = json!({
            "apiVersion": "ringfort.dev/v1", "kind": "BundleLock", "kubernetes": "1.37.2",
            "source": "modules", "recipe": Digest::of(b""), "hostTools": [],
            "sbom": {"path": "sbom.cdx.json", "sha256": Digest::of(list), "size": 2},
            "entries": [{
                "name": "kubelet", "kind": "file", "path": "files/kubelet", "version": "1.37.2",
                "origin": "here", "sha256": Digest::of(program), "size": 7, "mode": 493,
                "licence": "Apache-2.0", "sbom": "x",
            }],
        });
        fs::create_dir_all(directory.join("files")).expect("a directory");
        fs::write(directory.join("files/kubelet"), program).expect("the program");
        fs::write(directory.join("sbom.cdx.json"), list).expect("the list");
        fs::write(directory.join("bundle.lock"), lock.to_string()).expect("the lock");
        Bundle::open(directory).expect("a bundle")
    }

    #[test]
    fn every_change_of_a_bundle_is_seen() {
        let check = |change: &dyn Fn(&Path), expected: &[&str]| {
            let directory = tempfile::tempdir().expect("a directory");
            let bundle = write(directory.path());
            change(directory.path());
            let flaws = bundle.verify().expect("it can be read");
            let texts: Vec<String> = flaws.iter().map(ToString::to_string).collect();
            assert_eq!(texts.len(), expected.len(), "{texts:?}");
            for (text, expected) in texts.iter().zip(expected) {
                assert!(text.starts_with(expected), "{text}");
            }
        };
        let put = |path: &Path, text: &str| fs::write(path, text).expect("a change");
        check(&|_| {}, &[]);
        check(&|at| put(&at.join("files/kubelet"), "kubelex"), &["files/kubelet: altered: "]);
        check(&|at| put(&at.join("files/kubelet"), "kube"), &["files/kubelet: altered: "]);
        check(&|at| put(&at.join("sbom.cdx.json"), "[]"), &["sbom.cdx.json: altered: "]);
        check(&|at| put(&at.join("files/new"), ""), &["files/new: not in the lock"]);
        let missing = ["files/kubelet: missing"];
        check(&|at| fs::remove_file(at.join("files/kubelet")).expect("a file"), &missing);
        let link = |at: &Path| {
            let (real, place) = (at.join("real"), at.join("files/kubelet"));
            fs::rename(&place, &real).expect("a file");
            symlink(real, place).expect("a link");
        };
        check(&link, &["files/kubelet: missing", "real: not in the lock"]);
    }

    #[test]
    fn what_no_machine_needs_is_not_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let bundle = write(directory.path());
        fs::write(directory.path().join("files/kubelet"), "kubelex").expect("a change");
        let flaws = |digest| bundle.flaws_among(&[digest].into()).expect("it can be read").len();
        assert_eq!(flaws(Digest::of(b"kubelet")), 1);
        assert_eq!(flaws(Digest::of(b"another")), 0);
    }

    #[test]
    fn a_copy_is_the_same_bundle_and_overwrites_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let bundle = write(&directory.path().join("one"));
        let two = directory.path().join("two");
        bundle.copy(&two).expect("a copy");
        let copy = Bundle::open(&two).expect("a bundle");
        assert_eq!(copy.digest(), bundle.digest());
        assert_eq!(copy.verify().expect("it can be read"), []);
        let error = bundle.copy(&two).expect_err("it exists").to_string();
        assert!(error.contains("exists already"), "{error}");
    }

    #[test]
    fn a_directory_without_a_lock_is_no_bundle() {
        let directory = tempfile::tempdir().expect("a directory");
        let error = Bundle::open(directory.path()).expect_err("it is empty").to_string();
        assert!(error.ends_with("make one with ringfort bundle build"), "{error}");
    }

    #[test]
    fn the_cache_is_where_the_environment_says() {
        let check = |set: &[(&str, &str)], expected: Option<&str>| {
            let variable = |name: &str| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
            };
            assert_eq!(cache_directory(variable), expected.map(PathBuf::from), "{set:?}");
        };
        check(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/c")], Some("/c/ringfort"));
        check(&[("HOME", "/home/a")], Some("/home/a/.cache/ringfort"));
        check(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "c")], Some("/home/a/.cache/ringfort"));
        check(&[("HOME", "")], None);
        check(&[], None);
    }
}
