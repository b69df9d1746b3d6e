//! What an invented operator keeps beside `cluster.yaml`. Every change of it is durable at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringfort_model::blueprint::Role;
use ringfort_model::certificate::Authority;
use ringfort_model::digest::Digest;
use ringfort_model::etcd::Founding;
use ringfort_model::name::NodeName;

use crate::message::Remember;
use crate::mission::{AuthoritySeen, Circumstances, Encryption, Signing};

/// How long a token lives, in milliseconds.
pub(super) const TOKEN_LIFE_MS: u64 = 3_600_000;
/// What must never be in a journal or a step.
pub(super) const SECRET: &str = "TOP-SECRET";

/// The operator's state.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) spec: BTreeMap<NodeName, (Role, IpAddr)>,
    /// Machines that left the spec and still have to be reset.
    pub(super) leaving: BTreeMap<NodeName, (Role, IpAddr)>,
    pub(super) version: u32,
    pub(super) epoch: u64,
    pub(super) known: bool,
    pub(super) foundings: BTreeMap<NodeName, Founding>,
    pub(super) started: BTreeSet<NodeName>,
    /// Keys that sign tokens, by the digest of their public half.
    pub(super) signing: BTreeMap<Digest, SigningKey>,
    /// Keys that seal data, the one that writes first.
    pub(super) encryption: Vec<String>,
    /// Whether the last key of the list is to be promoted.
    pub(super) rotates: bool,
}

/// Everything that the blueprint is rendered from.
pub(super) type Rendered =
    (u32, Vec<NodeName>, BTreeMap<NodeName, Founding>, BTreeSet<String>, Vec<String>);

/// A key that signs tokens.
#[derive(Clone, Debug)]
pub(super) struct SigningKey {
    pub(super) node: NodeName,
    pub(super) retired: Option<u64>,
    /// Whether every server was seen to have loaded its public half.
    pub(super) announced: bool,
}

impl Store {
    pub(super) fn new(spec: BTreeMap<NodeName, (Role, IpAddr)>) -> Self {
        Self {
            spec,
            leaving: BTreeMap::new(),
            version: 1,
            epoch: 0,
            known: false,
            foundings: BTreeMap::new(),
            started: BTreeSet::new(),
            signing: BTreeMap::new(),
            encryption: vec!["k1".to_owned()],
            rotates: false,
        }
    }

    /// Gives everything that the blueprint is rendered from.
    pub(super) fn rendered(&self) -> Rendered {
        let spec = self.spec.keys().cloned().collect();
        (self.version, spec, self.foundings.clone(), self.accepted(), self.encryption.clone())
    }

    /// Gives the file that holds the sealing keys.
    pub(super) fn encryption_file(&self) -> String {
        format!("keys:{} {SECRET}", self.encryption.join(","))
    }

    /// Lists the public halves that servers accept tokens of.
    pub(super) fn accepted(&self) -> BTreeSet<String> {
        self.signing.keys().map(|id| id.as_str().to_owned()).collect()
    }

    /// Takes note of the key that a control plane signs with.
    pub(super) fn note_key(&mut self, node: &NodeName, id: &Digest, now: u64) {
        for (known, key) in &mut self.signing {
            if key.node == *node && known != id {
                key.retired.get_or_insert(now);
            }
        }
        let fresh = || SigningKey { node: node.clone(), retired: None, announced: false };
        self.signing.entry(id.clone()).or_insert_with(fresh).retired = None;
    }

    /// Lets go of keys whose last token is dead.
    pub(super) fn forget_keys(&mut self, now: u64) {
        for key in self.signing.values_mut() {
            if !self.spec.contains_key(&key.node) {
                key.retired.get_or_insert(now);
            }
        }
        // Its server stopped some time after the key was found to be gone; twice is enough.
        let is_dead = |since: u64| now.saturating_sub(since) > 2 * TOKEN_LIFE_MS;
        self.signing.retain(|_, key| !key.retired.is_some_and(is_dead));
    }

    /// Takes note of what the engine asks to be remembered.
    pub(super) fn remember(&mut self, remember: &Remember) {
        match remember {
            Remember::Founding { node, founding } => {
                self.started.remove(node);
                match founding {
                    Some(founding) => self.foundings.insert(node.clone(), founding.clone()),
                    None => self.foundings.remove(node),
                };
            }
            Remember::Started { node } => {
                self.started.insert(node.clone());
            }
        }
    }

    /// Says what the engine has to know.
    pub(super) fn circumstances(
        &self,
        now_s: i64,
        epoch: u64,
        loaded: BTreeSet<String>,
        signing: Option<Signing>,
    ) -> Circumstances {
        let held: BTreeSet<String> = self.encryption.iter().cloned().collect();
        let unannounced = |key: &&SigningKey| key.retired.is_none() && !key.announced;
        Circumstances {
            now_s,
            epoch,
            authorities: Authority::ALL.into_iter().map(|a| (a, authority(a))).collect(),
            encryption: Encryption { named: held.clone(), held, loaded, retired: BTreeSet::new() },
            signing,
            unannounced: self
                .signing
                .values()
                .filter(unannounced)
                .map(|k| k.node.clone())
                .collect(),
            known: self.known,
            started: self.started.clone(),
            foundings: self.foundings.clone(),
        }
    }
}

/// The authority that signs in this world.
pub(super) fn authority(authority: Authority) -> AuthoritySeen {
    AuthoritySeen { key_id: authority.common_name().to_owned(), not_after: 4_000_000_000 }
}
