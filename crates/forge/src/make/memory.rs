//! What the operator remembers of a cluster while it makes it: on its disk before anything rests on
//! it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ringfort_engine::Remember;
use ringfort_model::name::NodeName;
use ringfort_model::trust::TrustFacts;

use crate::keyring::{HeldState, Identity, Keyring, StateError};

/// What the operator remembers of a cluster.
pub struct Memory<'a> {
    /// The facts.
    pub trust: TrustFacts,
    /// Where they are written down; nowhere, if nothing is to be changed.
    pub held: Option<&'a HeldState>,
    /// Whether they were there before this run.
    pub known: bool,
}

impl Memory<'_> {
    pub(super) fn save(&self) -> Result<(), StateError> {
        match self.held {
            Some(held) => held.save_trust(&self.trust),
            None => Ok(()),
        }
    }

    /// No machine of the spec belongs to the cluster any more: what was known of them is over.
    pub(super) fn forget(
        &mut self,
        current: &BTreeMap<NodeName, IpAddr>,
    ) -> Result<(), StateError> {
        self.trust.foundings.clear();
        self.trust.started.clear();
        self.trust.service_account_keys.clear();
        self.trust.tunnel_keys.clear();
        self.trust.pod_ranges.clear();
        self.trust.carriage = None;
        self.trust.objects.clear();
        self.trust.machines.retain(|machine| current.get(&machine.name) != Some(&machine.address));
        self.save()
    }

    /// The next cluster has other authorities: none of those that signed for this one.
    pub(super) fn renew_authorities(
        &mut self,
        keyring: &mut Keyring,
        identity: &Identity,
        now_s: i64,
    ) -> Result<(), StateError> {
        match self.held {
            Some(held) => held.renew_authorities(keyring, &mut self.trust, identity, now_s),
            None => Ok(()),
        }
    }

    /// Every server was seen to run as the blueprint says, with the public half of every key.
    pub(super) fn announce(&mut self) -> Result<(), StateError> {
        let keys = self.trust.service_account_keys.values_mut();
        let silent = keys.filter(|key| !key.announced).map(|key| key.announced = true).count();
        if silent > 0 { self.save() } else { Ok(()) }
    }

    pub(super) fn remember(&mut self, what: &Remember) -> Result<(), StateError> {
        match what {
            Remember::Founding { node, founding: Some(founding) } => {
                self.trust.foundings.insert(node.clone(), founding.clone());
                self.trust.started.remove(node);
            }
            Remember::Founding { node, founding: None } => {
                self.trust.foundings.remove(node);
                self.trust.started.remove(node);
            }
            Remember::Started { node } => {
                self.trust.started.insert(node.clone());
            }
        }
        self.save()
    }
}
