//! Does steps: one durable change each. Whatever was begun and cut off is done again by the same
//! step, and comes out right.
//!
//! The journal's intent is on the disk before a step comes here, and its end is written after it.
//! Between them, what was there before is kept first and the change comes second. A private key
//! is read and written here, and leaves the machine never.

mod await_serving;
mod etcd;
mod file;
mod image;
mod remove;
mod sysctl;
mod unit;
mod user;

pub(crate) use etcd::members;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use zeroize::Zeroizing;

use ringfort_model::causes::with_causes;
use ringfort_model::certificate::CertRequest;
use ringfort_model::content::SecretName;
use ringfort_model::item::ItemId;
use ringfort_model::seen::{ItemSeen, Look};
use ringfort_model::step::{Act, Outcome, Source, Step};
use ringfort_pki::{KeyError, PrivateKey, TunnelSecretError};

use crate::backup::Backup;
use crate::look::{KnownDigests, Looker, remember};
use crate::misread::{Doubt, Doubts};
use crate::root::{NotAPath, Root};
use crate::store::{Store, StoreError};
use crate::tools::{ToolError, Tools};

/// Says why a step was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActError {
    #[error(transparent)]
    Path(#[from] NotAPath),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Tool(#[from] ToolError),
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A WireGuard key could not be made.
    #[error(transparent)]
    TunnelKey(#[from] TunnelSecretError),
    #[error("{path}: {source}")]
    File { path: String, source: io::Error },
    #[error("the secret did not arrive whole: run again")]
    SecretAltered,
    #[error("{what} cannot be done to {item}: both sides must run the same binary")]
    Misfit { what: &'static str, item: ItemId },
    #[error("{0}")]
    Refused(String),
}

impl ActError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { path, source }
    }
}

/// Does steps on one machine.
pub(crate) struct Actor<'a> {
    pub(crate) root: &'a Root,
    pub(crate) tools: &'a dyn Tools,
    pub(crate) store: &'a Store,
    pub(crate) digests: &'a KnownDigests,
    /// Set when the operator has gone: what waits gives up.
    pub(crate) closing: &'a AtomicBool,
    backup: Backup,
    /// Files that are being put right.
    doubts: Doubts,
    /// The user files have one lock; programs that change them do not wait for it.
    users: Mutex<()>,
    /// Files that a certificate was asked for, so that it is told as one when it is written.
    requested: Mutex<BTreeSet<ItemId>>,
}

impl<'a> Actor<'a> {
    /// Makes ready to act.
    pub(crate) fn new(looker: &Looker<'a>, store: &'a Store, closing: &'a AtomicBool) -> Self {
        Self {
            root: looker.root,
            tools: looker.tools,
            digests: looker.digests,
            store,
            closing,
            backup: Backup::open(looker.root),
            doubts: Doubts::default(),
            users: Mutex::new(()),
            requested: Mutex::new(BTreeSet::new()),
        }
    }

    /// Forgets what is kept for items that are no longer ringfort's: a crash came between the
    /// journal's record and the forgetting.
    pub(crate) fn tidy(&self, owned: &BTreeSet<ItemId>) -> Result<(), ActError> {
        self.backup.tidy(owned).map_err(ActError::at(&self.root.state("backup")))
    }

    /// Forgets what was kept for an item, once the journal says that its place was given back.
    pub(crate) fn forget(&self, item: &ItemId) {
        // What is left is forgotten when the next operator begins.
        let _ = self.backup.forget(item);
    }

    /// Does a step.
    pub(crate) fn apply(&self, step: &Step, secret: &Zeroizing<Vec<u8>>) -> Outcome {
        let done = match &step.act {
            Act::RequestCertificate { request } => self.request(&step.item, request),
            Act::Await { probe, process, inputs, seconds } => {
                self.await_serving(probe, process, inputs, *seconds)
            }
            Act::Etcd(act) => self.etcd(act),
            Act::Remove => self.remove(&step.item).map(Outcome::Done),
            _ => self.make(step, secret).map(Outcome::Done),
        };
        done.unwrap_or_else(|error| Outcome::Failed { why: with_causes(&error) })
    }

    fn make(&self, step: &Step, secret: &[u8]) -> Result<ItemSeen, ActError> {
        self.keep(&step.item)?;
        self.change(step, secret)?;
        Ok(self.looker().one(&step.item, &self.how(step)))
    }

    fn change(&self, step: &Step, secret: &[u8]) -> Result<(), ActError> {
        match (&step.item, &step.act) {
            (ItemId::User(name), Act::AddUser { owner }) => self.add_user(name, *owner),
            (ItemId::Sysctl(name), Act::SetSysctl { value }) => self.set_sysctl(name, value),
            (ItemId::Directory(path), Act::MakeDirectory { mode, owner }) => {
                file::make_directory(&self.root.item(path)?, *mode, *owner)
            }
            (ItemId::File(path), Act::WriteFile { mode, owner, source, readers }) => {
                let path = self.root.item(path)?;
                let doubts = self.doubt(readers)?;
                self.write_file(&path, *mode, *owner, source, secret)?;
                let ended = doubts.into_iter().try_for_each(Doubt::end);
                ended.map_err(ActError::at(&self.root.state("misread")))
            }
            (ItemId::File(path), Act::MakeKey { mode, owner }) => {
                file::make_key(&self.root.item(path)?, *mode, *owner)
            }
            (ItemId::File(path), Act::MakeTunnelKey { mode, owner }) => {
                file::make_tunnel_key(&self.root.item(path)?, *mode, *owner)
            }
            (ItemId::Image(reference), Act::ImportImage { archive }) => {
                self.import_image(reference, archive)
            }
            (ItemId::Unit(name), Act::RunUnit { inputs, anew }) => {
                self.run_unit(name, inputs, *anew)
            }
            (item, act) => Err(ActError::Misfit { what: kind(act), item: item.clone() }),
        }
    }

    /// Writes down that nobody knows what these have read.
    fn doubt(&self, readers: &BTreeSet<ItemId>) -> Result<Vec<Doubt<'_>>, ActError> {
        let mut doubts = Vec::new();
        for reader in readers {
            let done = match reader {
                ItemId::Unit(name) => remember(self.root, name, None),
                ItemId::Serving(name) => {
                    self.doubts.begin(self.root, name).map(|doubt| doubts.push(doubt))
                }
                _ => Ok(()),
            };
            done.map_err(ActError::at(&self.root.state("misread")))?;
        }
        Ok(doubts)
    }

    fn request(&self, item: &ItemId, request: &CertRequest) -> Result<Outcome, ActError> {
        let path = self.root.item(&request.key)?;
        let pem = std::fs::read_to_string(&path).map(Zeroizing::new);
        let key = PrivateKey::read(&pem.map_err(ActError::at(&path))?)?;
        if let Ok(mut requested) = self.requested.lock() {
            requested.insert(item.clone());
        }
        Ok(Outcome::Signing { csr_pem: key.signing_request()? })
    }

    /// Chooses how closely to look at what a step made.
    fn how(&self, step: &Step) -> Look {
        let requested = || self.requested.lock().is_ok_and(|items| items.contains(&step.item));
        match &step.act {
            Act::MakeKey { .. } => Look::Key,
            Act::MakeTunnelKey { .. } => Look::TunnelKey,
            Act::WriteFile {
                source: Source::Secret { name: SecretName::EncryptionConfiguration, .. },
                ..
            } => Look::EncryptionKeys,
            Act::WriteFile { source: Source::Text(_), .. } if requested() => Look::Certificate,
            _ => Look::Plain,
        }
    }

    fn looker(&self) -> Looker<'_> {
        Looker { root: self.root, tools: self.tools, digests: self.digests }
    }

    fn keep(&self, item: &ItemId) -> Result<(), ActError> {
        let kept = match item {
            ItemId::File(path) | ItemId::Directory(path) => {
                self.backup.keep_path(item, &self.root.item(path)?)
            }
            other => self.backup.keep_value(other, words(&self.looker().one(other, &Look::Plain))),
        };
        kept.map_err(|error| {
            ActError::Refused(format!("what was there before {item} cannot be kept: {error}"))
        })
    }
}

/// Writes down a state that is no file.
fn words(seen: &ItemSeen) -> Option<String> {
    match seen {
        ItemSeen::Absent => None,
        ItemSeen::Sysctl { value } => Some(value.clone()),
        other => serde_json::to_string(other).ok(),
    }
}

fn kind(act: &Act) -> &'static str {
    match act {
        Act::AddUser { .. } => "adding a user",
        Act::SetSysctl { .. } => "setting a kernel setting",
        Act::MakeDirectory { .. } => "making a directory",
        Act::WriteFile { .. } => "writing a file",
        Act::MakeKey { .. } => "making a key",
        Act::MakeTunnelKey { .. } => "making a WireGuard key",
        Act::RequestCertificate { .. } => "asking for a certificate",
        Act::ImportImage { .. } => "importing an image",
        Act::RunUnit { .. } => "running a unit",
        Act::Await { .. } => "waiting",
        Act::Remove => "removing",
        Act::Etcd(_) => "a change of etcd's members",
    }
}
