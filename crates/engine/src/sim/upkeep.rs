//! What an invented operator does around its passes: epochs, other copies of its state, and the keys
//! that seal.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::digest::Digest;
use ringfort_model::name::NodeName;

use super::Plant;
use super::draft;
use super::world::{Event, World};
use crate::rotation::{self, Turn};

impl World {
    pub(super) fn trusted_epoch(&self, remembered: Option<u64>) -> Option<u64> {
        remembered.filter(|_| self.plant != Some(Plant::StaleFacts))
    }

    /// The epochs that machines have seen, as far as they can be asked.
    pub(super) fn epochs(&self) -> BTreeMap<NodeName, u64> {
        let of_spec = self.store.spec.keys().filter_map(|node| {
            let machine = self.machines.get(node).filter(|machine| machine.is_on)?;
            Some((node.clone(), machine.tenure.epoch))
        });
        of_spec.collect()
    }

    /// Somebody else acted since: the newer copy takes the place of this one.
    pub(super) fn fetch_newer_state(&mut self) {
        self.refused += 1;
        match &self.copy {
            Some(copy) if copy.epoch > self.store.epoch => self.store = copy.clone(),
            _ => self.breaks(|| "the newest copy of the state counts as an old one".to_owned()),
        }
        self.next_session(false, Err("refused: the facts are old"));
    }

    /// Says what is to be done about the keys that seal.
    pub(super) fn turn_of_keys(&self, has_asked: bool) -> Turn {
        let newest = self.store.newest_key();
        let loaded = self.store.foundings.keys().map(|node| {
            let machine = self.machines.get(node).filter(|_| has_asked);
            let process = machine.and_then(|machine| machine.processes.get("kube-apiserver"));
            let written = || machine.and_then(|machine| machine.digest_of(draft::ENCRYPTION));
            let loaded = match self.plant {
                Some(Plant::HastyPromotion) => written(),
                _ => process.filter(|p| p.is_running).and_then(|p| p.loaded.clone()),
            };
            (node.clone(), loaded)
        });
        rotation::next(&rotation::Standing {
            keys: &self.store.encryption,
            newest: &newest,
            is_wanted: self.store.wants_key,
            configuration: &Digest::of(self.store.encryption_file().as_bytes()),
            loaded: &loaded.collect(),
        })
    }

    /// Goes on with the keys once everything is as the blueprint says; says whether the passes
    /// have to be gone through again.
    pub(super) fn turn_keys(&mut self) -> bool {
        let turn = self.turn_of_keys(true);
        match turn.clone() {
            Turn::Rest | Turn::Wait { .. } => return false,
            Turn::Add => self.store.add_key(),
            Turn::Promote { key } => self.store.promote_key(&key),
            Turn::Rewrite { retiring } => {
                if self.plant != Some(Plant::EarlyRetirement) {
                    self.write_all_again();
                }
                self.store.retire_keys(retiring);
            }
        }
        for session in self.sessions.values_mut() {
            session.disturbed = true;
        }
        self.note(|| format!("operator: keys: {turn:?}"));
        true
    }

    /// Every object is written by some server, with the key that writes there.
    fn write_all_again(&mut self) {
        // Without its member of etcd, the server of a machine that left writes nothing any more.
        let is_in = |id: &u64| self.etcd.members.contains_key(id);
        let machines = self.machines.values().filter(|m| m.member.as_ref().is_some_and(is_in));
        let servers = machines.filter_map(|m| m.processes.get("kube-apiserver"));
        let writing = servers.filter(|server| server.is_running);
        self.sealed = writing.filter_map(|server| server.seals_with.first().cloned()).collect();
    }

    /// After a reset the machines become a cluster again.
    pub(super) fn begin_again(&mut self) {
        if std::mem::take(&mut self.store.resets) {
            let is_strict = std::mem::take(&mut self.etcd).is_strict;
            self.etcd.is_strict = is_strict;
            (self.sealed, self.issued) = (BTreeSet::new(), BTreeMap::new());
            self.objects.clear();
            self.machines.values_mut().for_each(|machine| machine.node = None);
            self.schedule(5_000, Event::Up);
        }
    }
}
