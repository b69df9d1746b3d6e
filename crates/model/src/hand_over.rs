//! What an operator remembers of a cluster's hand-over. Without it no identity for people is signed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::certificate::Authority;
use crate::digest::Digest;
use crate::trust::TrustFacts;

/// A cluster's hand-over: every required proof had passed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HandOver {
    /// When, in seconds since 1970.
    pub at: i64,
    /// Digest of the certificate of the cluster's authority: of another cluster it says nothing.
    pub authority: Digest,
    /// Digest of the signed evidence.
    pub evidence: Digest,
    /// The controls that were proved.
    pub controls: BTreeSet<String>,
    /// Since when it is in doubt, in seconds since 1970: a later run began its proofs then, and not
    /// all of them have passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubted: Option<i64>,
}

impl TrustFacts {
    /// Hands the cluster over, with what was shown of it.
    pub fn hand_over(&mut self, at: i64, evidence: Digest, controls: BTreeSet<String>) {
        let hand_over = |authority| HandOver { at, authority, evidence, controls, doubted: None };
        self.hand_over = self.cluster_authority().map(hand_over);
    }

    /// Puts the hand-over in doubt, if there was one. Says whether anything changed.
    pub fn doubt(&mut self, at: i64) -> bool {
        let sure = self.hand_over.as_mut().filter(|known| known.doubted.is_none());
        sure.map(|known| known.doubted = Some(at)).is_some()
    }

    /// Gives the hand-over of the cluster that has the authority known now.
    pub fn handed_over(&self) -> Option<&HandOver> {
        let authority = self.cluster_authority()?;
        self.hand_over.as_ref().filter(|known| known.authority == authority)
    }

    fn cluster_authority(&self) -> Option<Digest> {
        let authority = self.authorities.get(&Authority::Cluster)?;
        Some(Digest::of(authority.certificate_pem.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Authority, Digest, TrustFacts};
    use crate::trust::AuthorityFacts;

    fn facts(certificate: &str) -> TrustFacts {
        let authority = AuthorityFacts {
            certificate_pem: certificate.to_owned(),
            key_id: "00ff".to_owned(),
            not_after: 2_115_360_000,
        };
        let mut facts = TrustFacts::sample();
        facts.authorities.insert(Authority::Cluster, authority);
        facts
    }

    fn handed_over() -> TrustFacts {
        let mut facts = facts("PEM");
        let controls = BTreeSet::from(["access/pod-security".to_owned()]);
        facts.hand_over(7, Digest::of(b"evidence"), controls);
        facts
    }

    #[test]
    fn a_hand_over_is_of_one_authority() {
        assert_eq!(facts("PEM").handed_over(), None);
        let mut facts = handed_over();
        assert_eq!(facts.handed_over().map(|known| (known.at, known.doubted)), Some((7, None)));
        facts.authorities = self::facts("ANOTHER").authorities;
        assert_eq!(facts.handed_over(), None, "it was another cluster's");
        facts.authorities.clear();
        assert_eq!(facts.handed_over(), None);
        facts.hand_over(8, Digest::of(b"evidence"), BTreeSet::new());
        assert_eq!(facts.hand_over, None, "nothing tells whose it would be");
    }

    #[test]
    fn doubt_stays_until_the_next_hand_over() {
        assert!(!facts("PEM").doubt(8), "nothing was handed over");
        let mut facts = handed_over();
        assert!(facts.doubt(8) && !facts.doubt(9));
        assert_eq!(facts.handed_over().unwrap().doubted, Some(8));
        facts.hand_over(10, Digest::of(b"evidence"), BTreeSet::new());
        assert_eq!(facts.handed_over().unwrap().doubted, None);
    }

    #[test]
    fn version_1_stays_as_it_was_released() {
        let mut facts = handed_over();
        let kept = r#"  "hand_over": {
    "at": 7,
    "authority": "384fb9a44fabe158be2757b9b8d8f67029f2280fcc1776ab2a53103e6f0c582d",
    "evidence": "ee8250fb76e094b34b471f13a73dbbe51d1ae142e9df59d7c0d31ec20f0a0a8e",
    "controls": [
      "access/pod-security"
    ]
  }
}
"#;
        assert!(facts.write().ends_with(kept), "{}", facts.write());
        assert_eq!(TrustFacts::read(&facts.write()), Ok(facts.clone()));
        facts.doubt(8);
        assert_eq!(TrustFacts::read(&facts.write()), Ok(facts));
    }
}
