//! What is protected on a machine, how it may change, and what is at stake. Pure.

pub mod live;
mod named;
mod table;

use std::collections::BTreeMap;

use ringfort_model::blueprint::{Machine, Role};
use ringfort_model::content::Content;
use ringfort_model::integrity::BASELINE;
use ringfort_model::item::{ItemId, What};
use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::severity::Severity;
use serde::{Deserialize, Serialize};

use crate::path::FilePath;

pub use named::named;
pub use table::stake;

/// How something protected may change.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// It stays as it is expected.
    Exact,
    /// It is appended to and renamed away when it is full; what it held stays.
    Growing,
    /// A directory of which every entry is known: another is a finding.
    Listed,
    /// A directory of which not every entry is known before; what changes in it is seen.
    Watched,
    /// A directory whose `..data` leads to the directory that counts: a change of it is one change.
    Swapped,
    /// Its content is others' business; its kind, mode and owner stay.
    Kept,
    /// A file that a package brought; it stays as the package has it.
    Packaged,
    /// Something in a container's own directory; it adds nothing that can be run, and hides nothing of its image.
    Layer,
}

/// Whether it has to be there.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// It is there.
    Required,
    /// It may be there.
    Optional,
    /// It is not there: that it exists is a finding.
    Forbidden,
}

/// What its mode may be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModeRule {
    /// Exactly this.
    Is(FileMode),
    /// This or less.
    AtMost(FileMode),
}

/// A digest of what a file holds. Sources that were signed before ringfort use SHA-256, and package databases
/// have nothing but MD5.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hash {
    /// BLAKE3.
    Blake3([u8; 32]),
    /// SHA-256.
    Sha256([u8; 32]),
    /// MD5, of packages.
    Md5([u8; 16]),
}

impl Hash {
    /// Writes it with the name of its kind.
    pub fn text(&self) -> String {
        let (kind, bytes) = match self {
            Self::Blake3(bytes) => ("blake3", bytes.as_slice()),
            Self::Sha256(bytes) => ("sha256", bytes.as_slice()),
            Self::Md5(bytes) => ("md5", bytes.as_slice()),
        };
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{kind}:{hex}")
    }
}

/// What a file should hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Expected {
    /// Its size, where it is known beforehand.
    pub size: Option<u64>,
    /// Its digest.
    pub hash: Hash,
}

/// Something protected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Protected {
    /// Where it is.
    pub path: FilePath,
    /// How it may change.
    pub class: Class,
    /// Whether it has to be there.
    pub presence: Presence,
    /// What is at stake.
    pub severity: Severity,
    /// What its mode may be.
    pub mode: Option<ModeRule>,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// What it holds, where that is known before it exists.
    pub expected: Option<Expected>,
}

/// Everything protected on a machine, in order of paths.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Protection(BTreeMap<FilePath, Protected>);

impl Protection {
    /// Derives it: from what the blueprint writes, from what every machine of its role has, and from the paths that
    /// the live configuration names. The first that knows a path decides about it.
    pub fn derive(blueprint: Option<&Machine>, named: &[FilePath], role: Role) -> Self {
        let mut all = Self::default();
        blueprint.into_iter().flat_map(written).for_each(|it| all.add(it));
        table::rows(role).for_each(|it| all.add(it));
        named.iter().for_each(|path| all.add(bare(path.clone())));
        all
    }

    fn add(&mut self, protected: Protected) {
        self.0.entry(protected.path.clone()).or_insert(protected);
    }

    /// Gives all of it, in order of paths.
    pub fn iter(&self) -> impl Iterator<Item = &Protected> {
        self.0.values()
    }
}

impl FromIterator<Protected> for Protection {
    fn from_iter<I: IntoIterator<Item = Protected>>(all: I) -> Self {
        let mut protection = Self::default();
        all.into_iter().for_each(|it| protection.add(it));
        protection
    }
}

/// Something that is named and of which nothing else is known.
fn bare(path: FilePath) -> Protected {
    let severity = stake(&path);
    let (class, presence) = (Class::Exact, Presence::Optional);
    Protected { path, class, presence, severity, mode: None, owner: None, expected: None }
}

/// What the blueprint writes on a machine.
fn written(machine: &Machine) -> impl Iterator<Item = Protected> {
    machine.items.iter().filter_map(|(id, item)| {
        let (ItemId::File(path) | ItemId::Directory(path)) = id else { return None };
        let is_itself = path == BASELINE;
        let path = path.parse::<FilePath>().ok()?;
        let (mode, owner, class, expected) = match &item.what {
            What::File { mode, owner, content, .. } => {
                (*mode, *owner, Class::Exact, expected(content))
            }
            What::Directory { mode, owner } => {
                (*mode, *owner, table::class_of_directory(&path), None)
            }
            _ => return None,
        };
        // A baseline cannot say what it holds itself; its signature does.
        let expected = expected.filter(|_| !is_itself);
        let severity = stake(&path);
        let (presence, mode) = (Presence::Required, Some(ModeRule::Is(mode)));
        Some(Protected { path, class, presence, severity, mode, owner: Some(owner), expected })
    })
}

/// What of a content is known before it exists: keys and certificates are made on their way.
fn expected(content: &Content) -> Option<Expected> {
    match content {
        Content::Text(text) => {
            let hash = Hash::Blake3(*blake3::hash(text.as_bytes()).as_bytes());
            Some(Expected { size: Some(text.len() as u64), hash })
        }
        Content::Bundled { digest, .. } | Content::Secret { digest, .. } => {
            Some(Expected { size: None, hash: Hash::Sha256(digest_bytes(digest.as_str())?) })
        }
        Content::Issued(_) | Content::PrivateKey | Content::TunnelKey => None,
    }
}

fn digest_bytes(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use ringfort_model::digest::Digest;
    use ringfort_model::integrity::AUDIT_LOG;
    use ringfort_model::item::Item;

    use super::*;

    fn machine(items: impl IntoIterator<Item = (ItemId, What)>) -> Machine {
        let item = |what| Item { by: "a/b".to_owned(), needs: BTreeSet::new(), what };
        Machine {
            role: Role::ControlPlane,
            address: [10, 0, 0, 1].into(),
            items: items.into_iter().map(|(id, what)| (id, item(what))).collect(),
        }
    }

    fn file(path: &str, content: Content) -> (ItemId, What) {
        let (mode, owner) = (FileMode(0o600), Owner::ROOT);
        (ItemId::file(path), What::File { mode, owner, content, rolling: None })
    }

    fn derived() -> BTreeMap<String, Protected> {
        let digest = Digest::of(b"program");
        let directory = What::Directory { mode: FileMode(0o700), owner: Owner::ETCD };
        let written = machine([
            file("/etc/kubernetes/manifests/etcd.yaml", Content::Text("pod".to_owned())),
            file("/usr/local/bin/kubelet", Content::Bundled { name: "kubelet".into(), digest }),
            file("/etc/kubernetes/pki/sa.key", Content::PrivateKey),
            file(BASELINE, Content::Text("signed".to_owned())),
            (ItemId::directory("/var/lib/etcd"), directory.clone()),
            (ItemId::directory("/etc/kubernetes/manifests"), directory),
            (ItemId::unit("kubelet.service"), What::Sysctl { value: "1".to_owned() }),
        ]);
        let named = ["/srv/audit/policy.yaml", AUDIT_LOG, "/etc/kubernetes/manifests"];
        let named = named.map(|path| path.parse().unwrap());
        let all = Protection::derive(Some(&written), &named, Role::ControlPlane);
        all.iter().map(|it| (it.path.to_string(), it.clone())).collect()
    }

    #[test]
    fn what_the_blueprint_writes_is_known_before_it_exists() {
        let all = derived();
        let manifest = &all["/etc/kubernetes/manifests/etcd.yaml"];
        assert_eq!(manifest.severity, Severity::Critical);
        assert_eq!(manifest.mode, Some(ModeRule::Is(FileMode(0o600))));
        let expected = manifest.expected.unwrap();
        assert_eq!(expected.size, Some(3));
        assert_eq!(expected.hash, Hash::Blake3(*blake3::hash(b"pod").as_bytes()));
        let program = all["/usr/local/bin/kubelet"].expected.unwrap();
        assert_eq!(program.hash.text(), format!("sha256:{}", Digest::of(b"program")));
        assert_eq!(all["/etc/kubernetes/pki/sa.key"].expected, None);
        assert_eq!(all["/etc/kubernetes/pki/sa.key"].presence, Presence::Required);
        assert_eq!(all[BASELINE].expected, None, "it cannot hold its own digest");
    }

    #[test]
    fn directories_have_the_class_of_what_they_are_for() {
        let all = derived();
        assert_eq!(all["/etc/kubernetes/manifests"].class, Class::Listed);
        assert_eq!(all["/var/lib/etcd"].class, Class::Kept);
        assert_eq!(all["/var/lib/etcd"].owner, Some(Owner::ETCD));
        assert!(!all.contains_key("kubelet.service"));
    }

    #[test]
    fn what_flags_name_and_what_every_machine_has_is_protected_too() {
        let all = derived();
        assert_eq!(all["/srv/audit/policy.yaml"].class, Class::Exact);
        assert_eq!(all[AUDIT_LOG].class, Class::Growing, "that a flag names it says less");
        assert_eq!(all["/etc/ld.so.preload"].presence, Presence::Forbidden);
        assert_eq!(all["/etc/shadow"].severity, Severity::Critical);
        let worker = Protection::derive(None, &[], Role::Worker);
        let of_worker: Vec<String> = worker.iter().map(|it| it.path.to_string()).collect();
        assert!(!of_worker.contains(&"/etc/kubernetes/pki".to_owned()));
        assert!(of_worker.contains(&"/etc/kubernetes/manifests".to_owned()));
    }
}
