//! The public half of a cluster's trust: what an operator remembers beside `cluster.yaml` and may
//! commit. Certificates, key ids and assignments; never a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::certificate::Authority;
use crate::digest::Digest;
use crate::etcd::Founding;
use crate::hand_over::HandOver;
use crate::known::{KnownMachine, KnownObject};
use crate::name::{ClusterName, NodeName};
use crate::net::Cidr;
use crate::tunnel::{Carriage, TunnelKey};

/// Version of `trust.json`. Another version is refused, and so is an unknown field: a ringfort that
/// does not know a fact must not write the file without it.
pub const TRUST_VERSION: u32 = 1;

/// The public half of a cluster's trust.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TrustFacts {
    /// Version of the format.
    pub version: u32,
    /// The cluster.
    pub cluster: ClusterName,
    /// The highest epoch that was acted in from here; 0 before the first.
    pub epoch: u64,
    /// The authorities.
    pub authorities: BTreeMap<Authority, AuthorityFacts>,
    /// How the API servers encrypt what they store.
    pub encryption: EncryptionFacts,
    /// Keys that sign service accounts' tokens, by the digest of their public half.
    pub service_account_keys: BTreeMap<Digest, ServiceAccountKey>,
    /// The range of pod addresses of each node.
    pub pod_ranges: BTreeMap<NodeName, Cidr>,
    /// How the data of each etcd member began.
    pub foundings: BTreeMap<NodeName, Founding>,
    /// Machines whose etcd was seen to answer since its founding: if its data is gone, it was lost.
    pub started: BTreeSet<NodeName>,
    /// Machines that belong to the cluster, and those that left the spec and are not reset yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub machines: BTreeSet<KnownMachine>,
    /// Objects of the API that were applied.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub objects: BTreeSet<KnownObject>,
    /// How packets of pods travel between machines; absent until it is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carriage: Option<Carriage>,
    /// The public halves of the machines' WireGuard keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tunnel_keys: BTreeMap<NodeName, TunnelKey>,
    /// That the cluster was handed over; absent before, and after a reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand_over: Option<HandOver>,
    /// The public half of the key that signs baselines of machines' files, in PEM; absent until there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_key: Option<String>,
    /// The newest baseline of each machine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub baselines: BTreeMap<NodeName, BaselineFacts>,
}

/// What is known of the newest baseline of a machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineFacts {
    /// Its number, which rises whenever it says something else.
    pub number: u64,
    /// Digest of what it says.
    pub digest: Digest,
}

/// What everybody may know of an authority.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityFacts {
    /// Its certificate.
    pub certificate_pem: String,
    /// Its subject key id, in lower-case hexadecimal, as certificates that it signs repeat it.
    pub key_id: String,
    /// End of its life, in seconds since 1970.
    pub not_after: i64,
}

/// What everybody may know of the API servers' `EncryptionConfiguration`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EncryptionFacts {
    /// Names of its keys, the one that writes first.
    pub keys: Vec<String>,
    /// Digest of the file: with `sha256:` before it, the label `hash` of the API servers' metric
    /// `apiserver_encryption_config_controller_last_config_info`.
    pub digest: Digest,
}

/// The public half of a key that signs service accounts' tokens.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceAccountKey {
    /// The public key in PEM.
    pub public_pem: String,
    /// The control plane that has, or had, the private half.
    pub node: NodeName,
    /// When it was first seen, in seconds since 1970.
    pub since: i64,
    /// When its control plane was found with another key or was gone, in seconds since 1970. Its
    /// public half stays on every server until no token that it signed can be alive.
    pub retired: Option<i64>,
    /// Whether every API server was seen to run with its public half. Until then its server starts
    /// last.
    pub announced: bool,
}

/// Says why a text is no trust file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotTrust {
    /// The text has another shape.
    #[error("trust.json is not understood ({why}): put back its last good version")]
    Shape {
        /// What the parser says.
        why: String,
    },
    /// The text has another version.
    #[error(
        "trust.json has version {found}, but this ringfort reads {TRUST_VERSION}: use the ringfort that wrote it"
    )]
    Version {
        /// The version found.
        found: u64,
    },
}

impl TrustFacts {
    /// Facts of a cluster that has these keys and nothing else yet.
    pub fn of(
        cluster: ClusterName,
        authorities: BTreeMap<Authority, AuthorityFacts>,
        encryption: EncryptionFacts,
    ) -> Self {
        Self {
            version: TRUST_VERSION,
            cluster,
            epoch: 0,
            authorities,
            encryption,
            service_account_keys: BTreeMap::new(),
            pod_ranges: BTreeMap::new(),
            foundings: BTreeMap::new(),
            started: BTreeSet::new(),
            machines: BTreeSet::new(),
            objects: BTreeSet::new(),
            carriage: None,
            tunnel_keys: BTreeMap::new(),
            hand_over: None,
            baseline_key: None,
            baselines: BTreeMap::new(),
        }
    }

    /// Digests the key that signs baselines as agents do, which tell it of the one that they believe.
    pub fn baseline_key_digest(&self) -> Option<Digest> {
        self.baseline_key.as_ref().map(|key| Digest::of(key.trim().as_bytes()))
    }

    /// Reads `trust.json`.
    ///
    /// # Errors
    /// The text is no trust file, or one of another version.
    pub fn read(text: &str) -> Result<Self, NotTrust> {
        let shape = |error: serde_json::Error| NotTrust::Shape { why: error.to_string() };
        let value: serde_json::Value = serde_json::from_str(text).map_err(shape)?;
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(found) if found != u64::from(TRUST_VERSION) => Err(NotTrust::Version { found }),
            _ => serde_json::from_value(value).map_err(shape),
        }
    }

    /// Writes `trust.json`. The same facts give the same bytes.
    pub fn write(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("the keys of every map are written as text");
        text.push('\n');
        text
    }

    /// Takes note of the key that a control plane signs tokens with. A key that the same node had
    /// before retires; a retired key that is back signs again. Says whether anything changed.
    pub fn note_service_account_key(
        &mut self,
        node: &NodeName,
        id: &Digest,
        public_pem: &str,
        now: i64,
    ) -> bool {
        let before = self.service_account_keys.clone();
        for (known, key) in &mut self.service_account_keys {
            if key.node == *node && known != id {
                key.retired.get_or_insert(now);
            }
        }
        let fresh = || ServiceAccountKey {
            public_pem: public_pem.to_owned(),
            node: node.clone(),
            since: now,
            retired: None,
            announced: false,
        };
        let key = self.service_account_keys.entry(id.clone()).or_insert_with(fresh);
        key.retired = None;
        before != self.service_account_keys
    }

    /// Retires the keys of control planes that are gone. Says whether anything changed.
    pub fn retire_service_account_keys(
        &mut self,
        is_gone: impl Fn(&NodeName) -> bool,
        now: i64,
    ) -> bool {
        let mut changed = false;
        for key in self.service_account_keys.values_mut() {
            if key.retired.is_none() && is_gone(&key.node) {
                key.retired = Some(now);
                changed = true;
            }
        }
        changed
    }

    /// Takes note of the machines that the spec names. Those that it no longer names stay known.
    /// Says whether anything changed.
    pub fn note_machines(&mut self, current: Vec<KnownMachine>) -> bool {
        let before = self.machines.clone();
        let place = |machine: &KnownMachine| (machine.name.clone(), machine.address);
        let places: BTreeSet<_> = current.iter().map(place).collect();
        self.machines.retain(|machine| !places.contains(&place(machine)));
        self.machines.extend(current);
        before != self.machines
    }

    /// Lists known machines that are none of these.
    pub fn left(&self, current: &BTreeMap<NodeName, IpAddr>) -> Vec<KnownMachine> {
        let is_current = |m: &&KnownMachine| current.get(&m.name) == Some(&m.address);
        self.machines.iter().filter(|machine| !is_current(machine)).cloned().collect()
    }

    /// Gives up machines of a name that left: they are not entered again. Says whether one was.
    pub fn give_up(&mut self, name: &str, current: &BTreeMap<NodeName, IpAddr>, now: i64) -> bool {
        let given_up =
            self.left(current).into_iter().filter(|machine| machine.name.as_str() == name);
        let given_up: Vec<KnownMachine> = given_up.collect();
        for machine in &given_up {
            self.machines.remove(machine);
            let since = machine.given_up.or(Some(now));
            self.machines.insert(KnownMachine { given_up: since, ..machine.clone() });
        }
        !given_up.is_empty()
    }

    /// Forgets keys that retired longer ago than any token lives. Says whether anything changed.
    pub fn forget_service_account_keys(&mut self, now: i64, token_life_seconds: i64) -> bool {
        let count = self.service_account_keys.len();
        self.service_account_keys
            .retain(|_, key| key.retired.is_none_or(|at| now - at <= token_life_seconds));
        count != self.service_account_keys.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{EncryptionFacts, KnownMachine, NotTrust, TrustFacts};
    use crate::blueprint::Role;
    use crate::digest::Digest;
    use crate::name::{ClusterName, NodeName};

    impl TrustFacts {
        /// Facts of a cluster of which nothing is known.
        pub(crate) fn sample() -> Self {
            let digest = Digest::of(b"");
            Self::of(
                ClusterName::new("harbour").unwrap(),
                BTreeMap::new(),
                EncryptionFacts { keys: vec!["k1".to_owned()], digest },
            )
        }
    }

    fn node(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    fn retired(facts: &TrustFacts, id: &Digest) -> Option<Option<i64>> {
        facts.service_account_keys.get(id).map(|key| key.retired)
    }

    #[test]
    fn what_is_written_is_read() {
        let mut facts = TrustFacts::sample();
        facts.note_service_account_key(&node("cp1"), &Digest::of(b"1"), "PEM", 7);
        let text = facts.write();
        assert_eq!(TrustFacts::read(&text), Ok(facts));
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn the_key_of_baselines_is_digested_without_what_is_around_it() {
        let mut facts = TrustFacts::sample();
        assert_eq!(facts.baseline_key_digest(), None);
        facts.baseline_key = Some("our key\n".to_owned());
        assert_eq!(facts.baseline_key_digest(), Some(Digest::of(b"our key")));
    }

    #[test]
    fn version_1_stays_as_it_was_released() {
        let kept = r#"{
  "version": 1,
  "cluster": "harbour",
  "epoch": 3,
  "authorities": {
    "etcd-client": {
      "certificate_pem": "PEM",
      "key_id": "00ff",
      "not_after": 2115360000
    }
  },
  "encryption": {
    "keys": [
      "k1-0817bef0"
    ],
    "digest": "acff802a5dc7ac358c969131e0cbf86c0423ca16bfd065c81b17eb9e1c2e5ee1"
  },
  "service_account_keys": {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855": {
      "public_pem": "PEM",
      "node": "cp1",
      "since": 1800000000,
      "retired": null,
      "announced": false
    }
  },
  "pod_ranges": {
    "cp1": "10.244.0.0/24"
  },
  "foundings": {
    "cp1": {
      "state": "new",
      "members": [
        [
          "cp1",
          "https://10.0.0.11:2380"
        ]
      ]
    }
  },
  "started": [
    "cp1"
  ]
}
"#;
        assert_eq!(TrustFacts::read(kept).unwrap().write(), kept);
    }

    #[test]
    fn another_shape_or_version_is_refused() {
        let text = TrustFacts::sample().write();
        let newer = text.replace("\"version\": 1", "\"version\": 2");
        assert_eq!(TrustFacts::read(&newer), Err(NotTrust::Version { found: 2 }));
        let unknown = text.replacen('{', "{\"moons\": 2,", 1);
        for bad in ["", "{}", "[]", &text[..text.len() / 2], &unknown] {
            assert!(matches!(TrustFacts::read(bad), Err(NotTrust::Shape { .. })), "{bad}");
        }
    }

    #[test]
    fn a_replaced_key_stays_until_its_tokens_are_dead() {
        let (mut facts, old, new) = (TrustFacts::sample(), Digest::of(b"old"), Digest::of(b"new"));
        assert!(facts.note_service_account_key(&node("cp1"), &old, "OLD", 100));
        assert!(!facts.note_service_account_key(&node("cp1"), &old, "OLD", 150));
        assert!(facts.note_service_account_key(&node("cp1"), &new, "NEW", 200));
        assert!(!facts.note_service_account_key(&node("cp1"), &new, "NEW", 300));
        assert_eq!(retired(&facts, &old), Some(Some(200)));
        assert_eq!(retired(&facts, &new), Some(None));
        assert!(!facts.forget_service_account_keys(260, 60));
        assert!(facts.forget_service_account_keys(261, 60));
        assert_eq!(retired(&facts, &old), None);
        assert_eq!(retired(&facts, &new), Some(None));
    }

    #[test]
    fn the_key_of_a_control_plane_that_is_gone_retires_and_can_come_back() {
        let (mut facts, id) = (TrustFacts::sample(), Digest::of(b"1"));
        facts.note_service_account_key(&node("cp1"), &id, "PEM", 100);
        assert!(facts.retire_service_account_keys(|node| node.as_str() == "cp1", 200));
        assert!(!facts.retire_service_account_keys(|node| node.as_str() == "cp1", 300));
        assert_eq!(retired(&facts, &id), Some(Some(200)));
        assert!(facts.note_service_account_key(&node("cp1"), &id, "PEM", 400));
        assert_eq!(retired(&facts, &id), Some(None));
    }

    fn machine(name: &str, address: &str) -> KnownMachine {
        KnownMachine {
            name: node(name),
            address: address.parse().unwrap(),
            role: Role::Worker,
            user: "root".to_owned(),
            port: 22,
            identity: Some("~/.ssh/id".into()),
            host_key: None,
            known_hosts: "~/.ssh/known_hosts".into(),
            sudo: false,
            openssh: false,
            given_up: None,
        }
    }

    #[test]
    fn a_machine_that_left_stays_known_until_it_is_reset() {
        let mut facts = TrustFacts::sample();
        assert!(facts.note_machines(vec![machine("w1", "10.0.0.1"), machine("w2", "10.0.0.2")]));
        let now = vec![machine("w1", "10.0.0.1"), machine("w2", "10.0.0.9")];
        let current = now.iter().map(|m| (m.name.clone(), m.address)).collect();
        assert!(facts.note_machines(now.clone()));
        assert!(!facts.note_machines(now), "nothing is new");
        assert_eq!(facts.left(&current), [machine("w2", "10.0.0.2")]);
        assert!(!facts.give_up("w1", &current, 7), "it is in the spec");
        assert!(facts.give_up("w2", &current, 7));
        assert_eq!(facts.left(&current)[0].given_up, Some(7));
        assert_eq!(facts.machines.len(), 3);
        assert_eq!(TrustFacts::read(&facts.write()), Ok(facts));
    }
}
