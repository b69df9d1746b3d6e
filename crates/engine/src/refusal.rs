//! Refuses what would lose data, before anything is done: every reason at once, each with its way
//! out. A refusal never depends on what could not be looked at being well.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::blueprint::Blueprint;
use ringfort_model::certificate::Authority;
use ringfort_model::content::Content;
use ringfort_model::item::What;
use ringfort_model::name::NodeName;
use ringfort_model::seen::{ContentSeen, ItemSeen, Seen};

use crate::mission::{Circumstances, Mission};

/// A reason not to go on, and the way out of it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, thiserror::Error)]
#[error("{}{what}: {help}", .node.as_ref().map(|node| format!("{node}: ")).unwrap_or_default())]
pub struct Refusal {
    /// The machine that it concerns, if it is one.
    pub node: Option<NodeName>,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub help: String,
}

impl Refusal {
    fn at(node: &NodeName, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { node: Some(node.clone()), what: what.into(), help: help.into() }
    }

    fn of_all(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { node: None, what: what.into(), help: help.into() }
    }
}

/// Finds every reason not to converge these machines to this blueprint.
pub fn refusals(
    blueprint: &Blueprint,
    seen: &BTreeMap<NodeName, Seen>,
    circumstances: &Circumstances,
) -> Vec<Refusal> {
    let scene = Scene { blueprint, seen, circumstances };
    let mut found = scene.strangers();
    found.extend(scene.foreign_data());
    found.extend(scene.lost_keys());
    found.extend(scene.dropped_keys());
    found.extend(scene.hasty_write_key());
    found.extend(scene.replaced_authorities());
    found.extend(scene.expired_authorities());
    found.sort();
    found.dedup();
    found
}

/// Finds every reason not to touch these machines at all.
pub(crate) fn strangers(mission: &Mission, seen: &BTreeMap<NodeName, Seen>) -> Vec<Refusal> {
    let (blueprint, circumstances) = (&mission.blueprint, &mission.circumstances);
    Scene { blueprint, seen, circumstances }.strangers()
}

#[derive(Clone, Copy)]
struct Scene<'a> {
    blueprint: &'a Blueprint,
    seen: &'a BTreeMap<NodeName, Seen>,
    circumstances: &'a Circumstances,
}

impl Scene<'_> {
    /// Machines of another cluster, and machines on which a later operator acted.
    fn strangers(&self) -> Vec<Refusal> {
        let mut found = Vec::new();
        let ours = self.blueprint.cluster.as_str();
        for (node, seen) in self.seen {
            if let Some(other) = seen.cluster.as_deref().filter(|cluster| *cluster != ours) {
                found.push(Refusal::at(
                    node,
                    format!("it belongs to the cluster {other:?}"),
                    "take it out of cluster.yaml, or reset it with that cluster's cluster.yaml",
                ));
            }
            if self.circumstances.epoch != 0 && seen.epoch > self.circumstances.epoch {
                found.push(Refusal::at(
                    node,
                    format!(
                        "another operator acted on it later (epoch {}, here {})",
                        seen.epoch, self.circumstances.epoch
                    ),
                    "fetch the newer operator state beside cluster.yaml, then run again",
                ));
            }
        }
        found
    }

    /// Data that no operator here knows of.
    fn foreign_data(&self) -> Vec<Refusal> {
        let mut found = Vec::new();
        for (node, seen) in self.seen.iter().filter(|(_, seen)| seen.etcd_data) {
            if seen.cluster.is_none() {
                found.push(Refusal::at(
                    node,
                    "it holds etcd data that ringfort did not make",
                    "move /var/lib/etcd away if nothing in it is needed",
                ));
            } else if !self.circumstances.known {
                found.push(Refusal::at(
                    node,
                    "it holds data of this cluster, but the operator state is not here",
                    "put the directory .ringfort back beside cluster.yaml; new keys would make the data unreadable",
                ));
            }
        }
        found
    }

    fn has_data(&self) -> bool {
        self.seen.values().any(|seen| seen.etcd_data)
    }

    /// Keys that may seal something: those that machines list and those that trust facts name.
    fn sealing_keys(&self) -> BTreeSet<&str> {
        let encryption = &self.circumstances.encryption;
        self.listed_keys()
            .flat_map(|(_, keys)| keys)
            .chain(&encryption.named)
            .filter(|key| !encryption.retired.contains(*key))
            .map(String::as_str)
            .collect()
    }

    fn listed_keys(&self) -> impl Iterator<Item = (&NodeName, &Vec<String>)> {
        self.seen.iter().flat_map(|(node, seen)| {
            seen.items.values().filter_map(move |item| match item {
                ItemSeen::File { content: ContentSeen::EncryptionKeys { keys, .. }, .. } => {
                    Some((node, keys))
                }
                _ => None,
            })
        })
    }

    fn wanted_keys(&self) -> Option<&Vec<String>> {
        let items = self.blueprint.machines.values().flat_map(|machine| machine.items.values());
        items.into_iter().find_map(|item| match &item.what {
            What::File { content: Content::Secret { keys, .. }, .. } => Some(keys),
            _ => None,
        })
    }

    /// The keyring lacks a key that may seal something.
    fn lost_keys(&self) -> Vec<Refusal> {
        if !self.has_data() || (self.wanted_keys().is_none() && self.circumstances.encryption.named.is_empty()) {
            return Vec::new();
        }
        let held = &self.circumstances.encryption.held;
        self.sealing_keys()
            .into_iter()
            .filter(|key| !held.contains(*key))
            .map(|key| {
                Refusal::of_all(
                    format!("the keyring lacks the key {key}, with which data of the cluster may be sealed"),
                    "put back the keyring that has it; a new key cannot read that data",
                )
            })
            .collect()
    }

    /// The blueprint leaves out a key that may seal something.
    fn dropped_keys(&self) -> Vec<Refusal> {
        let Some(wanted) = self.wanted_keys().filter(|_| self.has_data()) else {
            return Vec::new();
        };
        self.sealing_keys()
            .into_iter()
            .filter(|key| !wanted.iter().any(|wanted| wanted == key))
            .map(|key| {
                Refusal::of_all(
                    format!("API servers would no longer have the key {key}, with which data may be sealed"),
                    "keep it as a reader until every object was written anew",
                )
            })
            .collect()
    }

    /// A key that writes before every server can read it makes whole lists unreadable for the
    /// servers that lack it.
    fn hasty_write_key(&self) -> Vec<Refusal> {
        let Some(write) = self.wanted_keys().and_then(|keys| keys.first()) else {
            return Vec::new();
        };
        let servers: Vec<_> = self.listed_keys().filter(|(_, keys)| !keys.is_empty()).collect();
        let writes_already = servers.iter().any(|(_, keys)| keys.first() == Some(write));
        if servers.is_empty() || writes_already {
            return Vec::new();
        }
        let lacking = servers.iter().filter(|(_, keys)| !keys.contains(write));
        let mut found: Vec<Refusal> = lacking
            .map(|(node, _)| {
                Refusal::at(
                    node,
                    format!("its API server has no key {write}, which others would write with"),
                    "give the key to every server as a reader first",
                )
            })
            .collect();
        if found.is_empty() && !self.circumstances.encryption.loaded.contains(write) {
            found.push(Refusal::of_all(
                format!("not every API server was seen to have loaded the key {write}"),
                "wait a minute and run again",
            ));
        }
        found
    }

    /// Authorities whose certificates are all signed by another key than the keyring's.
    fn replaced_authorities(&self) -> Vec<Refusal> {
        if !self.has_data() && self.circumstances.started.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (authority, ours) in &self.circumstances.authorities {
            let signers = self.signers(*authority);
            if !signers.is_empty() && !signers.contains(ours.key_id.as_str()) {
                found.push(Refusal::of_all(
                    format!(
                        "the keyring's authority {} is not the one that signed the cluster's certificates",
                        authority.common_name()
                    ),
                    "put back the keyring of this cluster; with another authority every component would be locked out",
                ));
            }
        }
        found
    }

    /// Lists the key ids that signed the certificates found where this authority signs.
    fn signers(&self, authority: Authority) -> BTreeSet<&str> {
        let mut signers = BTreeSet::new();
        for (node, seen) in self.seen {
            let Some(machine) = self.blueprint.machines.get(node) else { continue };
            for (id, item) in &machine.items {
                let What::File { content: Content::Issued(request), .. } = &item.what else {
                    continue;
                };
                if let Some(ItemSeen::File { content: ContentSeen::Certificate(found), .. }) =
                    seen.items.get(id).filter(|_| request.authority == authority)
                {
                    signers.insert(found.authority_key_id.as_str());
                }
            }
        }
        signers
    }

    fn expired_authorities(&self) -> Vec<Refusal> {
        let is_over = |end: i64| end <= self.circumstances.now_s;
        self.circumstances
            .authorities
            .iter()
            .filter(|(_, seen)| is_over(seen.not_after))
            .map(|(authority, seen)| {
                Refusal::of_all(
                    format!(
                        "the authority {} ended at {} (seconds since 1970)",
                        authority.common_name(),
                        seen.not_after
                    ),
                    "check the clock; if it is right, the cluster needs a new authority, which ringfort does not bring in by itself",
                )
            })
            .collect()
    }
}
