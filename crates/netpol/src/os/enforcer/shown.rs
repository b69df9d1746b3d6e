//! What is in force, and what was refused, for people.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ringfort_policy::{
    Action, Allowed, Described, Direction, End, Kind as SetKind, Outgrown, Place, Pod, PolicyName,
    PortWanted, Protocol, Question, Rule, Ruled, Ruling, TooLong, disputed, explain,
};

use super::super::door::{InForce, Shown, ShownPod, ShownWay, Waited};
use super::super::nft::{Depth, NftError};
use super::super::refused::{self, Refusal};
use super::super::state::{Kind, State};
use super::Enforcer;

/// How many refusals are told at a time.
pub(super) const TOLD: usize = 20;
/// For how long it is looked up at a time who refused: whoever is refused must not keep the machine busy.
const LOOKING_UP: Duration = Duration::from_millis(200);
/// What is told where there was no time for that.
const NOT_LOOKED_UP: &str = "not looked up, since too much is refused at once";
/// How many of the policies that close a way are named.
const NAMED: usize = 5;

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
        let (now, more) = to_tell(&refused, &self.told, self.told_of);
        self.count(&refused, &now, Instant::now() + LOOKING_UP);
        for (refusal, packets) in &now {
            let Refusal { way, own, peer, protocol, port } = refusal;
            let (pod, other) = (self.name(*own), self.name(*peer));
            let by = self.tally.by(refusal).unwrap_or(NOT_LOOKED_UP);
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

    /// Counts what was refused by who refused it, as far as that can be looked up in time; some of it first.
    pub(super) fn count(
        &mut self,
        refused: &BTreeMap<Refusal, u64>,
        first: &[(&Refusal, u64)],
        until: Instant,
    ) {
        let mut tally = std::mem::take(&mut self.tally);
        tally.take(refused, first, self.changes, |refusal| {
            (Instant::now() < until).then(|| self.refused_by(refusal).join(", "))
        });
        self.tally = tally;
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
            _ => named(&side.closed_by),
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
            .chain(world.outgrown.iter().map(|it| Outgrown(it).to_string()))
            .chain(disputed(world, &self.home).into_iter().map(nobodys))
            .collect()
    }

    /// Says whether policies of this node are for a pod.
    fn is_own(&self, pod: &Pod) -> bool {
        pod.is_subject() && pod.node.as_deref() == Some(self.home.node.as_str())
    }
}

/// Names the first of the policies that close a way, and says how many more they are.
fn named(closed_by: &[PolicyName]) -> Vec<String> {
    let mut names: Vec<String> = closed_by.iter().take(NAMED).map(ToString::to_string).collect();
    if closed_by.len() > NAMED {
        names.push(format!("and {} more", closed_by.len() - NAMED));
    }
    names
}

/// What packets are that no policy is asked about, by the chains that drop them.
const DROPPED: [(&[&str], &str); 4] = [
    (
        &["gate", "neighbours"],
        "from pods at addresses that are no pods' of their node, or that links give themselves, or as routers",
    ),
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
