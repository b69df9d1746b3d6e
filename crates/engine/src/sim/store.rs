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
    /// How many of them were ever made.
    pub(super) keys_made: u32,
    /// Whether somebody asked for a new one.
    pub(super) wants_key: bool,
    /// Those that every server was seen to have loaded.
    pub(super) loaded: BTreeSet<String>,
    /// Those that seal nothing any more.
    pub(super) retired: BTreeSet<String>,
    /// Those that the trust facts name, where these are not from the same hand as the keyring.
    pub(super) named: Option<BTreeSet<String>>,
    /// What tells the authorities of one keyring from those of another.
    pub(super) authorities: &'static str,
    /// Whether everything is to be taken from all machines.
    pub(super) resets: bool,
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
            keys_made: 1,
            wants_key: false,
            loaded: BTreeSet::new(),
            retired: BTreeSet::new(),
            named: None,
            authorities: "ours",
            resets: false,
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

    /// Gives the name of the key that was made last.
    pub(super) fn newest_key(&self) -> String {
        format!("k{}", self.keys_made)
    }

    /// Makes a key that reads.
    pub(super) fn add_key(&mut self) {
        self.keys_made += 1;
        self.encryption.push(self.newest_key());
        self.wants_key = false;
    }

    /// Lets a key write.
    pub(super) fn promote_key(&mut self, key: &str) {
        self.encryption.retain(|known| known != key);
        self.encryption.insert(0, key.to_owned());
        self.loaded.insert(key.to_owned());
    }

    /// Lets keys go.
    pub(super) fn retire_keys(&mut self, keys: Vec<String>) {
        self.encryption.retain(|known| !keys.contains(known));
        self.retired.extend(keys);
    }

    /// The trust facts are gone, and written anew from the keyring.
    pub(super) fn lose_facts(&mut self) {
        self.known = false;
        self.forget_machines();
        self.named = None;
    }

    /// Nothing of the cluster is on machines any more.
    pub(super) fn forget_machines(&mut self) {
        self.foundings.clear();
        self.started.clear();
        self.signing.clear();
    }

    /// Says what the engine has to know.
    pub(super) fn circumstances(
        &self,
        now_s: i64,
        epoch: u64,
        signing: Option<Signing>,
    ) -> Circumstances {
        let held: BTreeSet<String> = self.encryption.iter().cloned().collect();
        let named = self.named.clone().unwrap_or_else(|| held.clone());
        let (loaded, retired) = (self.loaded.clone(), self.retired.clone());
        let unannounced = |key: &&SigningKey| key.retired.is_none() && !key.announced;
        Circumstances {
            now_s,
            epoch,
            authorities: Authority::ALL.into_iter().map(|a| (a, self.authority(a))).collect(),
            encryption: Encryption { held, named, loaded, retired },
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

    /// Gives an authority of the keyring.
    pub(super) fn authority(&self, authority: Authority) -> AuthoritySeen {
        let key_id = format!("{} {}", self.authorities, authority.common_name());
        AuthoritySeen { key_id, not_after: 4_000_000_000 }
    }
}
