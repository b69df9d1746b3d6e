//! Refuses what would lose data, before anything is done: every reason at once, each with its way
//! out. A refusal never depends on what could not be looked at being well.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::blueprint::Blueprint;
use ringfort_model::certificate::Authority;
use ringfort_model::content::{Content, SecretName};
use ringfort_model::day::day;
use ringfort_model::item::What;
use ringfort_model::name::NodeName;
use ringfort_model::seen::{ContentSeen, ItemSeen, Seen};

use crate::mission::{Circumstances, Goal};

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

    /// Another operator acted on a machine after the state was written that is here.
    pub(crate) fn of_stale_facts(node: &NodeName, seen: u64, here: u64) -> Self {
        Self::at(
            node,
            format!("another operator acted on it later (epoch {seen}, here {here})"),
            "fetch the newer operator state beside cluster.yaml, then run again; if it is lost for good, run with --take-over",
        )
    }
}

/// Finds every reason not to converge these machines to this blueprint.
pub fn refusals(
    blueprint: &Blueprint,
    seen: &BTreeMap<NodeName, Seen>,
    circumstances: &Circumstances,
) -> Vec<Refusal> {
    let scene = Scene { blueprint, seen, circumstances };
    let mut found = doubts(Goal::Converge, blueprint, seen, circumstances);
    found.extend(scene.dropped_keys());
    found.extend(scene.hasty_write_key());
    found.sort();
    found.dedup();
    found
}

/// Finds every reason to think that these machines are somebody else's, or that these are not the
/// keys of what is on them.
pub fn doubts(
    goal: Goal,
    blueprint: &Blueprint,
    seen: &BTreeMap<NodeName, Seen>,
    circumstances: &Circumstances,
) -> Vec<Refusal> {
    let scene = Scene { blueprint, seen, circumstances };
    let mut found = scene.strangers();
    // Whoever may enter a machine of the cluster may empty it, with whatever keys.
    if goal != Goal::Reset {
        found.extend(scene.foreign_data());
        found.extend(scene.lost_keys());
        found.extend(scene.replaced_authorities());
        found.extend(scene.expired_authorities());
    }
    found
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
                found.push(Refusal::of_stale_facts(node, seen.epoch, self.circumstances.epoch));
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
            What::File {
                content: Content::Secret { name: SecretName::EncryptionConfiguration, keys, .. },
                ..
            } => Some(keys),
            _ => None,
        })
    }

    /// The keyring lacks a key that may seal something.
    fn lost_keys(&self) -> Vec<Refusal> {
        if !self.has_data()
            || (self.wanted_keys().is_none() && self.circumstances.encryption.named.is_empty())
        {
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
                        "the authority {} expired on {}",
                        authority.common_name(),
                        day(seen.not_after)
                    ),
                    "check the clock; if it is right, ringfort reset and then ringfort up make the cluster anew, with new authorities and without its data",
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::blueprint::{Machine, Role};
    use ringfort_model::certificate::{CertRequest, CertSeen, Subject};
    use ringfort_model::content::SecretName;
    use ringfort_model::digest::Digest;
    use ringfort_model::item::{Item, ItemId};
    use ringfort_model::mode::{FileMode, Owner};
    use ringfort_model::name::ClusterName;

    use super::{
        Authority, BTreeMap, BTreeSet, Blueprint, Circumstances, Content, ContentSeen, Goal,
        ItemSeen, NodeName, Seen, What, doubts, refusals,
    };
    use crate::mission::{AuthoritySeen, Encryption};

    const KEYS: &str = "/etc/kubernetes/encryption/config.yaml";
    const CERTIFICATE: &str = "/etc/kubernetes/pki/apiserver.crt";

    fn node(number: u8) -> NodeName {
        NodeName::new(format!("cp{number}")).unwrap()
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Two control planes of an established cluster, with one sealing key.
    struct Case {
        wanted: Vec<&'static str>,
        seen: BTreeMap<NodeName, Seen>,
        circumstances: Circumstances,
    }

    fn case() -> Case {
        let seen =
            Seen { etcd_data: true, cluster: Some("c".to_owned()), epoch: 3, ..Seen::default() };
        let held = names(&["k1", "k2"]);
        let authority = AuthoritySeen { key_id: "ours".to_owned(), not_after: 2_000 };
        let circumstances = Circumstances {
            now_s: 1_000,
            epoch: 4,
            known: true,
            authorities: BTreeMap::from([(Authority::Cluster, authority)]),
            encryption: Encryption { held, named: names(&["k1"]), ..Encryption::default() },
            ..Circumstances::default()
        };
        let mut case = Case {
            wanted: vec!["k1"],
            seen: BTreeMap::from([(node(1), seen.clone()), (node(2), seen)]),
            circumstances,
        };
        case.lists(1, &["k1"]);
        case.lists(2, &["k1"]);
        case.signed(1, "ours");
        case.signed(2, "ours");
        case
    }

    impl Case {
        fn put(&mut self, number: u8, path: &str, content: ContentSeen) {
            let file = ItemSeen::File { mode: FileMode(0o600), owner: Owner::ROOT, content };
            let seen = self.seen.get_mut(&node(number)).unwrap();
            seen.items.insert(ItemId::file(path), file);
        }

        fn lists(&mut self, number: u8, keys: &[&str]) {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            let digest = Digest::of(keys.join(",").as_bytes());
            self.put(number, KEYS, ContentSeen::EncryptionKeys { digest, keys });
        }

        fn signed(&mut self, number: u8, authority: &str) {
            let certificate = CertSeen {
                authority_key_id: authority.to_owned(),
                subject: Subject::user("a"),
                usages: BTreeSet::new(),
                names: BTreeSet::new(),
                public_key: Digest::of(b"key"),
                key_kind: String::new(),
                not_before: 0,
                not_after: 1_500,
            };
            self.put(number, CERTIFICATE, ContentSeen::Certificate(certificate));
        }

        fn blueprint(&self) -> Blueprint {
            let secret = Content::Secret {
                name: SecretName::EncryptionConfiguration,
                digest: Digest::of(b"file"),
                keys: self.wanted.iter().map(|key| (*key).to_owned()).collect(),
            };
            let request = CertRequest {
                authority: Authority::Cluster,
                subject: Subject::user("a"),
                usages: BTreeSet::new(),
                names: BTreeSet::new(),
                key: "/k".to_owned(),
            };
            let item = |content: Content| Item {
                by: "test/control".to_owned(),
                needs: BTreeSet::new(),
                what: What::File {
                    mode: FileMode(0o600),
                    owner: Owner::ROOT,
                    content,
                    rolling: None,
                },
            };
            let machine = || Machine {
                role: Role::ControlPlane,
                address: "10.0.0.1".parse().unwrap(),
                items: BTreeMap::from([
                    (ItemId::file(KEYS), item(secret.clone())),
                    (ItemId::file(CERTIFICATE), item(Content::Issued(request.clone()))),
                ]),
            };
            Blueprint {
                cluster: ClusterName::new("c").unwrap(),
                kubernetes: "v1.37.2".to_owned(),
                machines: [1, 2].map(|number| (node(number), machine())).into(),
                objects: Vec::new(),
            }
        }
    }

    fn check(change: impl Fn(&mut Case), expected: &[&str]) {
        let mut case = case();
        change(&mut case);
        let found = refusals(&case.blueprint(), &case.seen, &case.circumstances);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found:?} does not say {expected:?}");
        }
    }

    #[test]
    fn a_key_is_missing_while_data_is_sealed_with_it() {
        let lost = |case: &mut Case| case.circumstances.encryption.held = names(&["k2"]);
        check(lost, &["lacks the key k1"]);
        // Another keyring, whose only key is new.
        let other = |case: &mut Case| {
            case.circumstances.encryption.held = names(&["k9"]);
            case.circumstances.encryption.named = names(&["k9"]);
            case.wanted = vec!["k9"];
        };
        check(
            other,
            &["would no longer have the key k1", "lacks the key k1", "no key k9", "no key k9"],
        );
        // Without data nothing can be lost.
        let empty = move |case: &mut Case| {
            other(case);
            case.seen.values_mut().for_each(|seen| *seen = Seen::default());
        };
        check(empty, &[]);
    }

    #[test]
    fn a_key_writes_only_after_every_server_can_read_it() {
        check(|case| case.wanted = vec!["k1", "k2"], &[]);
        check(
            |case| case.wanted = vec!["k2", "k1"],
            &["cp1: its API server has no key k2", "cp2:"],
        );
        let second_on_one = |case: &mut Case| {
            case.wanted = vec!["k2", "k1"];
            case.lists(1, &["k1", "k2"]);
        };
        check(second_on_one, &["cp2: its API server has no key k2"]);
        let second_everywhere = move |case: &mut Case| {
            second_on_one(case);
            case.lists(2, &["k1", "k2"]);
        };
        check(second_everywhere, &["not every API server was seen to have loaded the key k2"]);
        let loaded = move |case: &mut Case| {
            second_everywhere(case);
            case.circumstances.encryption.loaded = names(&["k2"]);
        };
        check(loaded, &[]);
        // Half a promotion is carried on with.
        let begun = move |case: &mut Case| {
            second_everywhere(case);
            case.lists(1, &["k2", "k1"]);
        };
        check(begun, &[]);
    }

    #[test]
    fn a_key_is_dropped_only_when_it_seals_nothing() {
        let dropped = |case: &mut Case| {
            case.wanted = vec!["k2"];
            case.lists(1, &["k2", "k1"]);
            case.lists(2, &["k2", "k1"]);
        };
        check(dropped, &["would no longer have the key k1"]);
        let retired = move |case: &mut Case| {
            dropped(case);
            case.circumstances.encryption.retired = names(&["k1"]);
        };
        check(retired, &[]);
    }

    #[test]
    fn an_authority_is_never_replaced_in_passing() {
        let replaced = |case: &mut Case| {
            case.signed(1, "theirs");
            case.signed(2, "theirs");
        };
        check(replaced, &["authority kubernetes is not the one"]);
        // One odd certificate among right ones is put right.
        check(|case| case.signed(1, "theirs"), &[]);
        check(
            |case| case.circumstances.now_s = 2_000,
            &["the authority kubernetes expired on 1970-01-01"],
        );
    }

    #[test]
    fn a_reset_asks_for_no_keys_and_leaves_machines_of_others_alone() {
        let mut case = case();
        case.lists(1, &["lost"]);
        case.signed(1, "theirs");
        case.signed(2, "theirs");
        let doubted = |case: &Case, goal| {
            doubts(goal, &case.blueprint(), &case.seen, &case.circumstances).len()
        };
        assert_eq!(doubted(&case, Goal::Converge), 2);
        assert_eq!(doubted(&case, Goal::Reset), 0);
        case.seen.get_mut(&node(2)).unwrap().cluster = Some("d".to_owned());
        assert_eq!(doubted(&case, Goal::Reset), 1);
    }

    #[test]
    fn other_clusters_and_other_operators_are_left_alone() {
        let at =
            |case: &mut Case, change: fn(&mut Seen)| change(case.seen.get_mut(&node(2)).unwrap());
        check(
            |case| at(case, |s| s.cluster = Some("d".to_owned())),
            &["belongs to the cluster \"d\""],
        );
        check(
            |case| at(case, |seen| seen.cluster = None),
            &["etcd data that ringfort did not make"],
        );
        check(|case| at(case, |seen| seen.epoch = 5), &["another operator acted on it later"]);
        check(
            |case| case.circumstances.known = false,
            &["cp1: it holds data", "cp2: it holds data"],
        );
    }
}
