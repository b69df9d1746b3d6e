//! What is in force, and what was refused, for people.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringfort_policy::{
    Described, Direction, Kind as SetKind, Place, Pod, PolicyName, Rule, Ruled, TooLong,
};

use super::super::door::{InForce, Shown, ShownPod, ShownWay, Waited};
use super::super::nft::{Depth, NftError};
use super::super::refused::{self, Refusal};
use super::super::state::{Kind, State};
use super::Enforcer;

/// How many refusals are told at a time.
pub(super) const TOLD: usize = 20;

/// How many packets of each pod were refused, by way and address.
pub(super) type Counters = BTreeMap<(String, IpAddr), u64>;

/// Gives the refusals that are told now, with their packets, and how many more there are.
pub(super) fn to_tell<'a>(
    refused: &'a BTreeMap<Refusal, u64>,
    told: &BTreeSet<Refusal>,
) -> (Vec<(&'a Refusal, u64)>, usize) {
    let new = || refused.iter().filter(|(refusal, _)| !told.contains(*refusal));
    let now: Vec<_> = new().take(TOLD).map(|(refusal, packets)| (refusal, *packets)).collect();
    let more = new().count() - now.len();
    (now, more)
}

impl Enforcer {
    /// Tells the log of connections that were refused and not told yet.
    pub(super) async fn tell(&mut self) {
        let Some(refused) = self.refusals().await else { return };
        let (told, more) = to_tell(&refused, &self.told);
        for (refusal, packets) in told {
            let Refusal { way, own, peer, protocol, port } = refusal;
            let (pod, other) = (self.name(*own), self.name(*peer));
            let by = self.closed_by(*own, way).join(", ");
            tracing::info!(pod, way, other, %peer, protocol, port, packets, by, "refused");
        }
        if more > 0 {
            tracing::info!(more, "refused as well");
        }
        self.told = refused.into_keys().collect();
        if let Err(error) = self.counters().await {
            tracing::warn!(%error, "how much was refused cannot be read");
        }
    }

    /// Reads how many packets of each pod were refused, also by rules that were put back since.
    async fn counters(&mut self) -> Result<Counters, NftError> {
        let sets = self.applied.iter().flat_map(|rules| &rules.sets);
        let counted = sets.filter(|(_, set)| set.kind == SetKind::Refused);
        let counted: Vec<String> = counted.map(|(name, _)| name.clone()).collect();
        self.counted = refused::pods(&self.around.nft.list(&counted).await?);
        let mut all = self.carried.clone();
        for (pod, packets) in &self.counted {
            *all.entry(pod.clone()).or_default() += packets;
        }
        Ok(all)
    }

    /// Keeps what was counted, since the kernel counts anew in a new table.
    pub(super) fn carry(&mut self) {
        for (pod, packets) in std::mem::take(&mut self.counted) {
            *self.carried.entry(pod).or_default() += packets;
        }
    }

    /// Forgets what was counted for addresses that are nobody's any more.
    pub(super) fn forget_gone(&mut self) {
        if self.carried.is_empty() {
            return;
        }
        let sets = self.applied.iter().flat_map(|rules| rules.sets.values());
        let counted = sets.filter(|set| set.kind == SetKind::Refused);
        let all: BTreeSet<(String, IpAddr)> = counted
            .flat_map(|set| {
                set.elements.keys().map(|it| (set.direction.word().to_owned(), it.address))
            })
            .collect();
        self.carried.retain(|pod, _| all.contains(pod));
    }

    async fn refusals(&self) -> Option<BTreeMap<Refusal, u64>> {
        let rules = self.applied.as_ref()?;
        if !rules.sets.values().any(|set| set.kind == SetKind::Refused) {
            return None;
        }
        match self.around.nft.list(&refused::flows()).await {
            Ok(listed) => Some(refused::connections(&listed)),
            Err(error) => {
                tracing::warn!(%error, "what was refused cannot be read");
                None
            }
        }
    }

    /// Says whose an address is.
    fn name(&self, address: IpAddr) -> String {
        if let Some(attached) = self.home.attached.get(&address) {
            return attached.place.to_string();
        }
        let pods = &self.state.world.pods;
        let of_it =
            pods.iter().find(|(_, pod)| pod.is_subject() && pod.addresses.contains(&address));
        of_it.map_or_else(|| "no pod".to_owned(), |(place, _)| place.to_string())
    }

    /// Names the policies that close a way of the pod with an address: none of them lets through what was refused.
    fn closed_by(&self, address: IpAddr, way: &str) -> Vec<String> {
        let world = &self.state.world;
        let attached = self.home.attached.get(&address).map(|it| &it.place);
        let is_its = |place: &Place, pod: &Pod| match attached {
            Some(attached) => place == attached,
            None => pod.is_subject() && pod.addresses.contains(&address),
        };
        let direction = Direction::BOTH.into_iter().find(|it| it.word() == way);
        let found = world.pods.iter().find(|(place, pod)| is_its(place, pod));
        let (Some(direction), Some((place, pod))) = (direction, found) else { return Vec::new() };
        let turns = world.turns((place, pod), direction).into_iter();
        let closing = world.closing(place, pod, direction).into_iter();
        turns.map(|it| it.to_string()).chain(closing.map(|(name, _)| name.to_string())).collect()
    }

    pub(super) async fn shown(&mut self) -> Result<Shown, NftError> {
        let counters = self.counters().await?;
        let rules = self.applied.clone().unwrap_or_default();
        let attached = |place: &Place, uid: &str| -> Vec<IpAddr> {
            let own = self.home.attached.iter();
            own.filter(|(_, it)| it.place == *place && it.uid == uid).map(|(it, _)| *it).collect()
        };
        let world = &self.state.world;
        let own = world.pods.iter().filter(|(_, pod)| self.is_own(pod));
        let pods = own.map(|(place, pod)| {
            let mut addresses = attached(place, &pod.uid);
            if addresses.is_empty() {
                addresses.clone_from(&pod.addresses);
            }
            let way = |direction: Direction| {
                let closing = world.closing(place, pod, direction);
                let allows = closing.iter().flat_map(|(name, policy)| {
                    let rules = policy.rules(direction).into_iter().flatten();
                    rules.map(move |rule| by(rule, direction, name))
                });
                let rulings = world.turns((place, pod), direction).into_iter();
                let packets = addresses
                    .iter()
                    .filter_map(|address| counters.get(&(direction.word().to_owned(), *address)));
                ShownWay {
                    rulings: rulings
                        .map(|it| format!("{}, by {it}", Ruled(&it, direction)))
                        .collect(),
                    allows: allows.collect(),
                    closed_by: closing.iter().map(|(name, _)| name.to_string()).collect(),
                    refused_packets: packets.sum(),
                }
            };
            let (egress, ingress) = (way(Direction::Egress), way(Direction::Ingress));
            ShownPod { pod: place.to_string(), egress, ingress, addresses }
        });
        Ok(Shown {
            node: self.home.node.clone(),
            pods: pods.collect(),
            sets: rules.sets.len(),
            chains: rules.chains.len(),
            elements: rules.sets.values().map(|set| set.elements.len()).sum(),
            trouble: self.troubles(),
            behind: self.state.is_behind(),
            in_force: self.in_force(),
            is_whole: self.is_missing(Depth::Elements).await.map(|is_missing| !is_missing),
            meddled: self.meddlings.times(),
            meddlings: self.meddlings.last().to_vec(),
            waited: Waited::of(self.waited.iter().copied()),
            refused: self.refusals().await.unwrap_or_default().into_iter().collect(),
        })
    }

    fn in_force(&self) -> InForce {
        match &self.applied {
            None => InForce::ProcessBefore,
            Some(_) if !self.decided => InForce::Closed,
            Some(_) if self.dirty => InForce::Older,
            Some(_) => InForce::Shown,
        }
    }

    /// Lists what keeps the enforcer from hearing of changes, and policies that are not enforced as they are
    /// written.
    fn troubles(&self) -> Vec<String> {
        let State { world, trouble, unread, .. } = &self.state;
        let away = |(kind, why): (&Kind, &String)| {
            format!("{} are not heard of, and the rules stay as they are: {why}", kind.plural())
        };
        let heard = trouble.iter().map(away).chain(unread.values().cloned());
        let own = world.pods.iter().filter(|(_, pod)| self.is_own(pod));
        let namespaces: BTreeSet<&str> = own.map(|(place, _)| place.namespace.as_str()).collect();
        let beyond = namespaces.into_iter().flat_map(|it| world.beyond_budget(it));
        heard
            .chain(self.unbridged.clone())
            .chain(beyond.map(|it| TooLong(it).to_string()))
            .collect()
    }

    /// Says whether policies of this node are for a pod.
    fn is_own(&self, pod: &Pod) -> bool {
        pod.is_subject() && pod.node.as_deref() == Some(self.home.node.as_str())
    }
}

fn by(rule: &Rule, direction: Direction, name: &PolicyName) -> String {
    format!("{}, by {name}", Described(rule, direction))
}
