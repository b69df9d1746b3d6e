//! How much each policy refused of each pod, as far as the kernel remembers single connections.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::super::refused::Refusal;

/// Of how many new connections it is asked at a time who refused them.
const ASKED: usize = 1_000;

/// Packets that were refused, by who refused them.
#[derive(Default)]
pub(super) struct Tally {
    /// Connections that the kernel remembers: who refused them, and the packets that were counted already.
    flows: BTreeMap<Refusal, (String, u64)>,
    packets: BTreeMap<(String, IpAddr), BTreeMap<String, u64>>,
}

impl Tally {
    /// Counts what the kernel remembers now.
    pub(super) fn take(
        &mut self,
        refused: &BTreeMap<Refusal, u64>,
        by: impl Fn(&Refusal) -> String,
    ) {
        self.flows.retain(|refusal, _| refused.contains_key(refusal));
        let mut left = ASKED;
        for (refusal, packets) in refused {
            if !self.flows.contains_key(refusal) {
                if left == 0 {
                    continue;
                }
                left -= 1;
                self.flows.insert(refusal.clone(), (by(refusal), 0));
            }
            let Some((by, counted)) = self.flows.get_mut(refusal) else { continue };
            // Where it was forgotten in between, the kernel counts anew.
            let more = packets.checked_sub(*counted).unwrap_or(*packets);
            *counted = *packets;
            let of_pod = self.packets.entry((refusal.way.clone(), refusal.own)).or_default();
            *of_pod.entry(by.clone()).or_default() += more;
        }
    }

    /// Gives what was counted for a way of a pod with an address.
    pub(super) fn of(&self, way: &str, own: IpAddr) -> impl Iterator<Item = (&String, u64)> {
        let of_it = self.packets.get(&(way.to_owned(), own)).into_iter().flatten();
        of_it.map(|(by, packets)| (by, *packets))
    }

    /// Forgets addresses that are nobody's any more.
    pub(super) fn retain(&mut self, all: &BTreeSet<(String, IpAddr)>) {
        self.packets.retain(|of, _| all.contains(of));
    }
}
