//! The hand-over of a cluster, as it is kept in `trust.json`. It is on disk before anything is signed
//! for people, and in doubt from the moment that a later run begins its proofs until all have passed.

use jiff::Timestamp;

use ringfort_forge::keyring::HeldState;
use ringfort_model::trust::TrustFacts;

use super::gate::Shown;
use super::session::now_s;
use super::{Fault, kubeconfig};

/// Shows that the cluster was handed over: nothing is signed for people without it.
pub struct HandedOver(());

/// Looks for a hand-over that nothing has put in doubt.
///
/// # Errors
/// There is none.
pub fn stands(trust: &TrustFacts) -> Result<HandedOver, Fault> {
    let shown = once(trust)?;
    let Some(since) = trust.handed_over().and_then(|known| known.doubted) else {
        return Ok(shown);
    };
    let since = Timestamp::from_second(since).map_err(Fault::unable)?;
    Err(Fault::unable(format!(
        "proofs were begun at {since} and have not all passed since, so no kubeconfig is issued: \
         ringfort up proves the cluster again. For a repair that needs one first, there is --break-glass"
    )))
}

/// Looks for a hand-over, in doubt or not: who repairs a cluster does so while its proofs fail.
///
/// # Errors
/// The cluster was never handed over, or it was reset.
pub fn once(trust: &TrustFacts) -> Result<HandedOver, Fault> {
    match trust.handed_over() {
        Some(_) => Ok(HandedOver(())),
        None => Err(Fault::usage(
            "the cluster was not handed over: ringfort up makes it, proves it, and writes the first kubeconfig",
        )),
    }
}

/// An operator's state, with what it says of the hand-over.
pub struct Record<'a> {
    held: &'a HeldState,
    trust: TrustFacts,
}

impl<'a> Record<'a> {
    /// Takes what is known.
    pub fn of(held: &'a HeldState, trust: TrustFacts) -> Self {
        Self { held, trust }
    }

    /// Puts an earlier hand-over in doubt.
    pub fn doubt(&mut self) -> Result<(), Fault> {
        match self.trust.doubt(now_s()) {
            true => self.save(),
            false => Ok(()),
        }
    }

    /// Hands the cluster over: every required proof has passed.
    pub fn hand_over(mut self, shown: Shown) -> Result<HandedOver, Fault> {
        self.trust.hand_over(now_s(), shown.evidence, shown.controls);
        self.save()?;
        once(&self.trust)
    }

    /// Takes the hand-over back, with every kubeconfig that is here, and gives what is known.
    pub fn take_back(mut self) -> Result<TrustFacts, Fault> {
        self.trust.hand_over = None;
        self.save()?;
        let directory = self.held.directory().path();
        kubeconfig::remove_all(directory).map_err(|error| {
            Fault::unable(format!(
                "a kubeconfig in {} cannot be removed: {error}",
                directory.display()
            ))
        })?;
        Ok(self.trust)
    }

    fn save(&self) -> Result<(), Fault> {
        self.held.save_trust(&self.trust).map_err(Fault::unable)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use ringfort_forge::keyring::{ClusterExists, HeldState, Identity, Opened, StateDirectory};
    use ringfort_model::digest::Digest;
    use ringfort_model::name::ClusterName;

    use super::{Record, Shown, once, stands};

    /// An operator's state of a new cluster, and a way to read it again.
    struct Desk {
        _directory: tempfile::TempDir,
        identity: Identity,
        held: HeldState,
    }

    impl Desk {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let cluster = ClusterName::new("harbour").unwrap();
            let state = StateDirectory::beside(&directory.path().join("cluster.yaml"), &cluster);
            let desk = Self {
                held: state.hold().unwrap(),
                identity: Identity::imagine(),
                _directory: directory,
            };
            desk.open();
            desk
        }

        fn open(&self) -> Opened {
            let none = BTreeSet::new();
            let now = super::now_s();
            self.held.open_or_create(&self.identity, &none, ClusterExists::No, now).unwrap()
        }

        fn record(&self) -> Record<'_> {
            Record::of(&self.held, self.open().trust)
        }

        /// Says whether the glass may be broken, and whether kubeconfigs are renewed.
        fn allows(&self) -> (bool, bool) {
            let trust = self.open().trust;
            (once(&trust).is_ok(), stands(&trust).is_ok())
        }
    }

    fn shown() -> Shown {
        let controls = BTreeSet::from(["access/pod-security".to_owned()]);
        Shown { evidence: Digest::of(b"evidence"), controls }
    }

    #[test]
    fn only_proofs_open_the_gate_and_doubt_closes_it_again() {
        let desk = Desk::new();
        let file = desk.held.directory().path().join("admin.conf");
        fs::write(&file, "").unwrap();
        assert_eq!(desk.allows(), (false, false), "a file is no proof");
        desk.record().doubt().unwrap();
        assert_eq!(desk.allows(), (false, false));
        desk.record().hand_over(shown()).unwrap();
        assert_eq!(desk.allows(), (true, true));
        desk.record().doubt().unwrap();
        assert_eq!(desk.allows(), (true, false), "who repairs it may still enter");
        desk.record().hand_over(shown()).unwrap();
        assert_eq!(desk.allows(), (true, true));
        desk.record().take_back().unwrap();
        assert_eq!(desk.allows(), (false, false));
        assert!(!file.exists(), "the kubeconfig outlived the cluster");
    }
}
