//! What is in force, and what was refused, for people.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use ringfort_policy::{
    Action, Allowed, Described, Direction, End, Kind as SetKind, Outgrown, Place, Pod, PolicyName,
    PortWanted, Protocol, Question, Rule, Ruled, Ruling, TooLong, disputed, explain, outgrown,
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

/// Gives the refusals that are told now, with their packets, and how many more there are. Pods have their turn one
/// after the other, behind the one that was told of last: none of them hides what others lose.
pub(super) fn to_tell<'a>(
    refused: &'a BTreeMap<Refusal, u64>,
    told: &BTreeSet<Refusal>,
    behind: Option<IpAddr>,
) -> (Vec<(&'a Refusal, u64)>, usize) {
    let mut of_pod: BTreeMap<IpAddr, VecDeque<(&Refusal, u64)>> = BTreeMap::new();
    let new = refused.iter().filter(|(refusal, _)| !told.contains(*refusal));
    for (refusal, packets) in new {
        of_pod.entry(refusal.own).or_default().push_back((refusal, *packets));
    }
    let (before, mut turns): (Vec<_>, Vec<_>) =
        of_pod.into_iter().partition(|(own, _)| behind.is_some_and(|it| *own <= it));
    turns.extend(before);
    let mut now = Vec::new();
    while now.len() < TOLD && !turns.is_empty() {
        turns.retain_mut(|(_, of_it)| {
            if now.len() < TOLD {
                now.extend(of_it.pop_front());
            }
            !of_it.is_empty()
        });
    }
    (now, turns.iter().map(|(_, of_it)| of_it.len()).sum())
}

impl Enforcer {
    /// Tells the log of connections that were refused and not told yet.
    pub(super) async fn tell(&mut self) {
        let Some(refused) = self.refusals().await else { return };
        let mut tally = std::mem::take(&mut self.tally);
        tally.take(&refused, |refusal| self.refused_by(refusal).join(", "));
        self.tally = tally;
        let (now, more) = to_tell(&refused, &self.told, self.told_of);
        for (refusal, packets) in &now {
            let Refusal { way, own, peer, protocol, port } = refusal;
            let (pod, other) = (self.name(*own), self.name(*peer));
            let by = self.refused_by(refusal).join(", ");
            tracing::info!(pod, way, other, %peer, protocol, port, packets, by, "refused");
        }
        if more > 0 {
            tracing::info!(more, "refused as well");
        }
        self.told_of = now.last().map(|(refusal, _)| refusal.own).or(self.told_of);
        let now: BTreeSet<Refusal> = now.into_iter().map(|(refusal, _)| refusal.clone()).collect();
        // What is still to be told is told later, for as long as the kernel remembers it.
        self.told.retain(|refusal| refused.contains_key(refusal));
        self.told.extend(now);
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
        let sets = self.applied.iter().flat_map(|rules| rules.sets.values());
        let counted = sets.filter(|set| set.kind == SetKind::Refused);
        let all: BTreeSet<(String, IpAddr)> = counted
            .flat_map(|set| {
                set.elements
                    .keys()
                    .filter_map(|it| Some((set.direction.word().to_owned(), it.address?)))
            })
            .collect();
        self.carried.retain(|pod, _| all.contains(pod));
        self.tally.retain(&all);
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

    /// Names what refuses a connection: the rule of a cluster-wide policy that denies it, else the policies that close
    /// the way and of which none lets it through; nothing, where the pod or the protocol is not known.
    pub(super) fn refused_by(&self, refusal: &Refusal) -> Vec<String> {
        let world = &self.state.world;
        let attached = self.home.attached.get(&refusal.own).map(|it| &it.place);
        let is_its = |place: &Place, pod: &Pod| match attached {
            Some(attached) => place == attached,
            None => pod.is_subject() && pod.addresses.contains(&refusal.own),
        };
        let own = world.pods.iter().find(|(place, pod)| is_its(place, pod)).map(|(place, _)| place);
        let protocol = Protocol::ALL.into_iter().find(|it| it.word() == refusal.protocol);
        let way = Direction::BOTH.into_iter().find(|it| it.word() == refusal.way);
        let (Some(own), Some(protocol), Some(way)) = (own, protocol, way) else {
            return Vec::new();
        };
        let (own, peer) = (End::Pod(own.clone()), End::Address(refusal.peer));
        let (from, to) = match way {
            Direction::Egress => (own, peer),
            Direction::Ingress => (peer, own),
        };
        let port = PortWanted::Number(refusal.port);
        let Ok(answer) = explain(world, &Question { from, to, protocol, port }) else {
            return Vec::new();
        };
        let side = match way {
            Direction::Egress => answer.egress,
            Direction::Ingress => answer.ingress,
        };
        match (side.verdict, side.rulings.last()) {
            (Allowed::Yes(_), _) => vec!["rules that were changed since".to_owned()],
            (_, Some(Ruling { policy, at, action: Action::Deny })) => {
                vec![format!("{policy}, {way}[{at}]")]
            }
            _ => side.closed_by.iter().map(ToString::to_string).collect(),
        }
    }

    fn refused_by_policy(&self, way: Direction, addresses: &[IpAddr]) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (by, packets) in addresses.iter().flat_map(|it| self.tally.of(way.word(), *it)) {
            *all.entry(by.clone()).or_default() += packets;
        }
        all
    }

    pub(super) async fn shown(&mut self) -> Result<Shown, NftError> {
        let counters = self.counters().await?;
        let held = self.held(Depth::Elements).await;
        let is_whole = held.as_ref().map(|held| self.is_whole(held, Depth::Elements));
        let dropped = held.map(|held| dropped(&held.dropped)).unwrap_or_default();
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
                    refused_by: self.refused_by_policy(direction, &addresses),
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
            is_whole,
            dropped,
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
            .chain(outgrown(world, &self.home).iter().map(|it| Outgrown(it).to_string()))
            .chain(disputed(world, &self.home).into_iter().map(nobodys))
            .collect()
    }

    /// Says whether policies of this node are for a pod.
    fn is_own(&self, pod: &Pod) -> bool {
        pod.is_subject() && pod.node.as_deref() == Some(self.home.node.as_str())
    }
}

/// What packets are that no policy is asked about, by the chains that drop them.
const DROPPED: [(&[&str], &str); 4] = [
    (&["gate"], "from pods that are not their own address, or of a family in which pods have none"),
    (&["strays"], "that belong to no connection"),
    (&["egress_forward"], "from pods to all at once"),
    (&["egress", "ingress"], "of addresses that no pod is known to have"),
];

fn dropped(by_chain: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let of = |chains: &[&str]| chains.iter().filter_map(|chain| by_chain.get(*chain)).sum::<u64>();
    let all = DROPPED.iter().map(|(chains, what)| ((*what).to_owned(), of(chains)));
    all.filter(|(_, packets)| *packets > 0).collect()
}

/// Says of an address that it is nobody's, since several pods claim it.
fn nobodys((address, pods): (IpAddr, Vec<&Place>)) -> String {
    let pods: Vec<String> = pods.into_iter().map(ToString::to_string).collect();
    format!(
        "{address} is the address of several pods in the API, and so of none: {}",
        pods.join(", ")
    )
}

fn by(rule: &Rule, direction: Direction, name: &PolicyName) -> String {
    format!("{}, by {name}", Described(rule, direction))
}
