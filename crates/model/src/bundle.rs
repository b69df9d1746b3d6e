//! The lock of a bundle: every binary and image with its version, origin, digest and licence.
//!
//! A bundle is a directory that may have come on a stick. Its lock is read as text from a stranger:
//! nothing in it leads out of the directory, and no two entries go by one name.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::mode::FileMode;
use crate::version::KubeVersion;

/// What is in a bundle.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleLock {
    /// The version of this format.
    pub api_version: String,
    /// The name of this format.
    pub kind: String,
    /// The release of Kubernetes, with its patch.
    pub kubernetes: KubeVersion,
    /// Where the binaries come from.
    pub source: Source,
    /// The compiler that built them, if they were built here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiler: Option<String>,
    /// Digest of what the bundle was made from: two of one recipe are the same, byte for byte.
    pub recipe: Digest,
    /// The list of all that is inside the binaries.
    pub sbom: Sbom,
    /// Programs that Kubernetes calls and machines must bring themselves.
    pub host_tools: Vec<HostTool>,
    /// Binaries and images, sorted by kind and name.
    pub entries: Vec<Entry>,
}

/// Where the binaries of a bundle come from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Built from Go modules whose sums the checksum database vouches for.
    Modules,
    /// Upstream's release files, by pinned checksum.
    Upstream,
}

/// The CycloneDX document of a bundle.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sbom {
    /// Its path in the bundle.
    pub path: String,
    /// Its digest.
    pub sha256: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// A program that is not in the bundle but must be on every machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostTool {
    /// Its name.
    pub name: String,
    /// The oldest version that serves, if there is such a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<String>,
    /// Who calls it and what for.
    pub why: String,
}

/// One file of a bundle.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// What it is called; unique among its kind.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its path in the bundle.
    pub path: String,
    /// The version of the program in it.
    pub version: String,
    /// Where the program comes from, with the sum that upstream vouches for.
    pub origin: String,
    /// Digest of the file.
    pub sha256: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Its mode on a machine.
    pub mode: FileMode,
    /// Its licence as an SPDX expression.
    pub licence: String,
    /// The program's entry in the bundle's software bill of materials.
    pub sbom: String,
    /// The image's name, as a pod names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Digest of the image's manifest, as the container runtime reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
}

/// What a file of a bundle is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// A program.
    File,
    /// An archive of one container image.
    Image,
}

/// An image of a bundle, with what only images have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ImageEntry<'a> {
    /// The archive.
    pub archive: &'a Entry,
    /// The image's name, as a pod names it.
    pub reference: &'a str,
    /// Digest of the image's manifest.
    pub manifest: &'a Digest,
}

/// Says why a text is no lock of a bundle.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is not JSON of the right shape.
    #[error("the lock of the bundle cannot be read: build or fetch the bundle again")]
    Syntax {
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// It is something else, or of another version.
    #[error("expected {API_VERSION} {KIND}, found {found:?}: build the bundle with this ringfort")]
    OtherFormat {
        /// What it says it is.
        found: String,
    },
    /// The release has no patch.
    #[error("the lock names Kubernetes {found} without a patch: build the bundle again")]
    NoPatch {
        /// What it names.
        found: KubeVersion,
    },
    /// Two entries go by one name.
    #[error("the lock has two entries called {kind} {name:?}: build the bundle again")]
    Twice {
        /// What they are.
        kind: EntryKind,
        /// Their name, or their path.
        name: String,
    },
    /// A path leads out of the bundle.
    #[error(
        "the lock names the path {path:?}, which is not a plain path inside the bundle: do not use this bundle"
    )]
    Path {
        /// The path.
        path: String,
    },
    /// An image lacks what every image has, or a file has what only images have.
    #[error(
        "the lock's entry {name:?} must have a reference and a manifest if, and only if, it is an image: build the bundle again"
    )]
    HalfAnImage {
        /// The entry.
        name: String,
    },
}

/// The version of the format.
pub const API_VERSION: &str = "ringfort.dev/v1";
/// The name of the format.
pub const KIND: &str = "BundleLock";
/// The lock's name in the directory of the bundle.
pub const LOCK_FILE: &str = "bundle.lock";

impl BundleLock {
    /// Reads a lock, and refuses what could mislead its reader.
    ///
    /// # Errors
    /// The text is no lock of this version, two entries have one name or path, or a path leads out
    /// of the bundle.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let format: Format =
            serde_json::from_str(text).map_err(|source| LockError::Syntax { source })?;
        if format.api_version != API_VERSION || format.kind != KIND {
            let found = format!("{} {}", format.api_version, format.kind);
            return Err(LockError::OtherFormat { found });
        }
        let lock: Self =
            serde_json::from_str(text).map_err(|source| LockError::Syntax { source })?;
        lock.validate()?;
        Ok(lock)
    }

    /// Writes the lock, the same bytes for the same content.
    pub fn render(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a lock has text keys only");
        text.push('\n');
        text
    }

    /// Finds a program by name.
    pub fn file(&self, name: &str) -> Option<&Entry> {
        self.entry(EntryKind::File, name)
    }

    /// Finds an image by name.
    pub fn image(&self, name: &str) -> Option<ImageEntry<'_>> {
        let archive = self.entry(EntryKind::Image, name)?;
        let reference = archive.reference.as_deref()?;
        let manifest = archive.manifest.as_ref()?;
        Some(ImageEntry { archive, reference, manifest })
    }

    fn entry(&self, kind: EntryKind, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.kind == kind && entry.name == name)
    }

    fn validate(&self) -> Result<(), LockError> {
        if self.kubernetes.patch.is_none() {
            return Err(LockError::NoPatch { found: self.kubernetes });
        }
        let mut names = BTreeSet::new();
        let mut paths = BTreeSet::from([LOCK_FILE, self.sbom.path.as_str()]);
        plain(&self.sbom.path)?;
        for entry in &self.entries {
            plain(&entry.path)?;
            entry.is_whole()?;
            if !names.insert((entry.kind, entry.name.as_str())) {
                return Err(LockError::Twice { kind: entry.kind, name: entry.name.clone() });
            }
            if !paths.insert(entry.path.as_str()) {
                return Err(LockError::Twice { kind: entry.kind, name: entry.path.clone() });
            }
        }
        Ok(())
    }
}

impl Entry {
    fn is_whole(&self) -> Result<(), LockError> {
        let image = self.kind == EntryKind::Image;
        if image == self.reference.is_some() && image == self.manifest.is_some() {
            Ok(())
        } else {
            Err(LockError::HalfAnImage { name: self.name.clone() })
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Image => "image",
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Modules => "modules",
            Self::Upstream => "upstream",
        })
    }
}

/// What is read first, so that a later version is told from a broken file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Format {
    api_version: String,
    kind: String,
}

/// Accepts a relative path of ordinary names, so that what is joined to it stays below.
fn plain(path: &str) -> Result<(), LockError> {
    let ordinary = |part: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
        !part.is_empty() && part != "." && part != ".." && part.bytes().all(known)
    };
    if path.split('/').all(ordinary) {
        Ok(())
    } else {
        Err(LockError::Path { path: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::BundleLock;

    fn sample() -> Value {
        let digest = "00".repeat(32);
        json!({
            "apiVersion": "ringfort.dev/v1", "kind": "BundleLock", "kubernetes": "1.37.2",
            "source": "modules", "compiler": "go1.26.8", "recipe": digest,
            "sbom": {"path": "sbom.cdx.json", "sha256": digest, "size": 2},
            "hostTools": [{"name": "nft", "atLeast": "1.0.1", "why": "kube-proxy"}],
            "entries": [
                {"name": "kubelet", "kind": "file", "path": "files/kubelet", "version": "1.37.2",
                 "origin": "module m@v1.37.2 h1:x", "sha256": digest, "size": 1, "mode": 493,
                 "licence": "Apache-2.0", "sbom": "pkg:golang/m@v1.37.2#kubelet"},
                {"name": "pause", "kind": "image", "path": "images/pause.tar", "version": "3.10.2",
                 "origin": "ringfort", "sha256": digest, "size": 1, "mode": 420,
                 "licence": "Apache-2.0", "sbom": "pkg:generic/pause@3.10.2",
                 "reference": "registry.k8s.io/pause:3.10.2", "manifest": digest},
            ],
        })
    }

    #[test]
    fn a_lock_is_read_and_written_alike() {
        let lock = BundleLock::parse(&sample().to_string()).expect("the sample is good");
        assert_eq!(lock.file("kubelet").map(|entry| entry.path.as_str()), Some("files/kubelet"));
        let pause = lock.image("pause").map(|image| image.reference);
        assert_eq!(pause, Some("registry.k8s.io/pause:3.10.2"));
        assert_eq!(lock.file("pause"), None);
        assert_eq!(BundleLock::parse(&lock.render()).expect("what was written is good"), lock);
    }

    #[test]
    fn what_could_mislead_is_refused() {
        let check = |place: &str, value: Value, expected: &str| {
            let mut lock = sample();
            *lock.pointer_mut(place).expect("the place exists") = value;
            let error = BundleLock::parse(&lock.to_string()).expect_err(place);
            assert!(error.to_string().contains(expected), "{place}: {error}");
        };
        check("/apiVersion", json!("ringfort.dev/v2"), "found \"ringfort.dev/v2 BundleLock\"");
        check("/kind", json!("Cluster"), "found \"ringfort.dev/v1 Cluster\"");
        check("/kubernetes", json!("1.37"), "without a patch");
        check("/kubernetes", json!("1.12.0"), "cannot be read");
        for path in ["../kubelet", "/etc/passwd", "files//x", "files/./x", "a/../../b", "", "a\\b"]
        {
            check("/entries/0/path", json!(path), "not a plain path");
        }
        check("/sbom/path", json!("../sbom"), "not a plain path");
        check("/entries/0/path", json!("images/pause.tar"), "two entries called image");
        check("/entries/0/path", json!("bundle.lock"), "two entries");
        check("/entries/1/kind", json!("file"), "if, and only if, it is an image");
        check("/entries/1/manifest", Value::Null, "if, and only if, it is an image");
        check("/entries/0/sha256", json!("abc"), "cannot be read");
    }

    #[test]
    fn two_entries_of_one_name_are_refused() {
        let mut lock = sample();
        let mut copy = lock["entries"][0].clone();
        copy["path"] = json!("files/other");
        lock["entries"].as_array_mut().expect("a list").push(copy);
        let error = BundleLock::parse(&lock.to_string()).expect_err("a name is used twice");
        assert_eq!(
            error.to_string(),
            "the lock has two entries called file \"kubelet\": build the bundle again"
        );
    }
}
