//! The public half of a cluster's trust: what an operator remembers beside `cluster.yaml` and may
//! commit. Certificates, key ids and assignments; never a secret.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::certificate::Authority;
use crate::digest::Digest;
use crate::etcd::Founding;
use crate::name::{ClusterName, NodeName};
use crate::net::Cidr;

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
    use std::collections::{BTreeMap, BTreeSet};

    use super::{EncryptionFacts, NotTrust, TRUST_VERSION, TrustFacts};
    use crate::digest::Digest;
    use crate::name::{ClusterName, NodeName};

    fn facts() -> TrustFacts {
        TrustFacts {
            version: TRUST_VERSION,
            cluster: ClusterName::new("harbour").unwrap(),
            epoch: 0,
            authorities: BTreeMap::new(),
            encryption: EncryptionFacts { keys: vec!["k1".to_owned()], digest: Digest::of(b"") },
            service_account_keys: BTreeMap::new(),
            pod_ranges: BTreeMap::new(),
            foundings: BTreeMap::new(),
            started: BTreeSet::new(),
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
        let mut facts = facts();
        facts.note_service_account_key(&node("cp1"), &Digest::of(b"1"), "PEM", 7);
        let text = facts.write();
        assert_eq!(TrustFacts::read(&text), Ok(facts));
        assert!(text.ends_with("}\n"));
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
        let text = facts().write();
        let newer = text.replace("\"version\": 1", "\"version\": 2");
        assert_eq!(TrustFacts::read(&newer), Err(NotTrust::Version { found: 2 }));
        let unknown = text.replacen('{', "{\"moons\": 2,", 1);
        for bad in ["", "{}", "[]", &text[..text.len() / 2], &unknown] {
            assert!(matches!(TrustFacts::read(bad), Err(NotTrust::Shape { .. })), "{bad}");
        }
    }

    #[test]
    fn a_replaced_key_stays_until_its_tokens_are_dead() {
        let (mut facts, old, new) = (facts(), Digest::of(b"old"), Digest::of(b"new"));
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
        let (mut facts, id) = (facts(), Digest::of(b"1"));
        facts.note_service_account_key(&node("cp1"), &id, "PEM", 100);
        assert!(facts.retire_service_account_keys(|node| node.as_str() == "cp1", 200));
        assert!(!facts.retire_service_account_keys(|node| node.as_str() == "cp1", 300));
        assert_eq!(retired(&facts, &id), Some(Some(200)));
        assert!(facts.note_service_account_key(&node("cp1"), &id, "PEM", 400));
        assert_eq!(retired(&facts, &id), Some(None));
    }
}
