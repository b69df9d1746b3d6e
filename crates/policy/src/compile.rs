//! From policies, pods and namespaces to the rules of one node.
//!
//! What a packet costs does not grow with the number of NetworkPolicies. Other ends that are allowed the
//! same things form a class; an address leads by one look to its class, and a class has sets of who
//! of the node it may reach and where. Names of chains are digests of what classes are, so that a
//! change touches only what it changes.
//!
//! A tier of cluster-wide policies has an order, and its cost grows with how often its rules change
//! between accepting, denying and passing on: rules that do the same and follow each other are one
//! step, however many they are. Pods that no such policy selects never see a tier.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringfort_facts::network::{Direction, Place};
use ringfort_model::net::Cidr;

use super::budget::{Beyond, Meter};
use super::index::{Index, Owner};
use super::pen::Pen;
use super::rules::{Element, Kind, Line, RuleSet, Verdict};
use super::span::{Family, Span, of_range, without};
use super::way::Way;
use super::world::World;

/// The node whose rules are wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Home {
    /// Its name.
    pub node: String,
    /// The ranges of its pods' addresses.
    pub ranges: Vec<Cidr>,
    /// The ranges of all pods of the cluster. Where a rule means all of them, it means these, so that
    /// a pod is let through before its address is heard of.
    pub all: Vec<Cidr>,
    /// Its pods' addresses as its network plugin gave them, which the API learns later.
    pub attached: BTreeMap<IpAddr, Attached>,
}

/// Whom an address was given to.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Attached {
    /// The pod's place.
    pub place: Place,
    /// Which one it is among all that had this name.
    pub uid: String,
}

/// Makes the rules of a node. A namespace whose policies take more of them than they may has closed ways.
pub fn compile(world: &World, home: &Home) -> RuleSet {
    settle(world, home).0
}

/// Gives the namespaces whose policies take more of a node's rules than they may.
pub fn outgrown(world: &World, home: &Home) -> BTreeSet<String> {
    settle(world, home).1
}

/// Makes the rules of a node, and gives the namespaces whose policies take more of them than they may.
pub fn settle(world: &World, home: &Home) -> (RuleSet, BTreeSet<String>) {
    let mut world = Cow::Borrowed(world);
    loop {
        match attempt(&world, home) {
            Ok(rules) => return (rules, world.outgrown.clone()),
            Err(more) => world.to_mut().outgrown.extend(more),
        }
    }
}

/// Gives a world in which the policies of namespaces close and open nothing.
pub fn shut(world: &World, outgrown: BTreeSet<String>) -> World {
    let mut world = world.clone();
    world.outgrown.extend(outgrown);
    world
}

/// Makes the rules of a node, unless namespaces take too many of them, which are given then.
fn attempt(world: &World, home: &Home) -> Result<RuleSet, BTreeSet<String>> {
    let index = Index::new(world, owners(world, home));
    let grounds = Grounds::new(world, home);
    let (mut rules, mut meter) = (RuleSet::default(), Meter::default());
    for direction in Direction::BOTH {
        let mut lines = Vec::new();
        for family in Family::BOTH {
            lines.extend(entrance(home, &mut Pen { rules: &mut rules, direction, family }));
        }
        rules.chains.insert(direction.word().to_owned(), lines);
        let way = Way::new(world, home, &grounds, &index, direction);
        if let Err(Beyond) = way.write(&mut rules, &mut meter) {
            return Err(meter.outgrown());
        }
    }
    Ok(rules)
}

/// Where addresses of the cluster's pods lie.
pub(super) struct Grounds {
    /// Where pods may have them: in the ranges of all pods, but for what is machines' own.
    pub(super) pods: BTreeMap<Family, Vec<Span<u128>>>,
    /// What in ranges of pods is machines' own.
    pub(super) machines: BTreeMap<Family, Vec<Span<u128>>>,
}

impl Grounds {
    fn new(world: &World, home: &Home) -> Self {
        let of_nodes = home.ranges.iter().chain(world.ranges.values().flatten()).copied();
        let of_nodes: Vec<Cidr> = of_nodes.collect();
        let (mut pods, mut machines) = (BTreeMap::new(), BTreeMap::new());
        for family in Family::BOTH {
            let mut own: Vec<Span<u128>> =
                ranges(&of_nodes, family).into_iter().map(machine).collect();
            own.sort_unstable();
            own.dedup();
            let all = ranges(&home.all, family).into_iter();
            let all: Vec<_> = all.flat_map(|all| without(all, own.clone())).collect();
            if !all.is_empty() {
                pods.insert(family, all);
            }
            machines.insert(family, own);
        }
        Self { pods, machines }
    }
}

/// The first two addresses of a node's range: that of the range itself, and the bridge's.
pub(super) fn machine(range: Span<u128>) -> Span<u128> {
    Span { first: range.first, last: range.last.min(range.first.saturating_add(1)) }
}

/// A claim to an address: whether the pod is ending, and its place among those that are asked.
type Claim = (IpAddr, bool, usize);

/// Gives the claims to addresses that the API tells of, those to one address beside each other.
fn claims(world: &World, home: &Home, subjects: &[Owner<'_>]) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    for (at, (_, pod)) in subjects.iter().enumerate() {
        let is_own = |address: IpAddr| home.ranges.iter().any(|it| it.contains(address));
        let is_there = pod.node.as_deref() == Some(home.node.as_str());
        let may_have = |it: &&IpAddr| world.may_have(pod, **it) && (is_there || !is_own(**it));
        let own = pod.addresses.iter().filter(|it| !home.attached.contains_key(it));
        claims.extend(own.filter(may_have).map(|address| (*address, pod.ending, at)));
    }
    claims.sort_unstable();
    claims
}

/// Says whether several pods claim an address with the same right. Those that are not ending stand first.
fn is_disputed(of_one: &[Claim]) -> bool {
    of_one.get(1).is_some_and(|second| second.1 == of_one[0].1)
}

/// Gives the addresses that several pods claim, and whose they are said to be: they are nobody's.
pub fn disputed<'a>(world: &'a World, home: &Home) -> Vec<(IpAddr, Vec<&'a Place>)> {
    let subjects: Vec<Owner<'_>> = world.pods.iter().filter(|(_, pod)| pod.is_subject()).collect();
    let claims = claims(world, home, &subjects);
    let of_one = claims.chunk_by(|one, other| one.0 == other.0).filter(|it| is_disputed(it));
    of_one.map(|it| (it[0].0, it.iter().map(|(.., at)| subjects[*at].0).collect())).collect()
}

/// Says which addresses each pod has: as the node's plugin gave them, else as the API says. An address
/// that two pods claim is nobody's, unless all but one of them are ending.
fn owners<'a>(world: &'a World, home: &Home) -> Vec<(Owner<'a>, Vec<IpAddr>)> {
    let subjects: Vec<Owner<'a>> = world.pods.iter().filter(|(_, pod)| pod.is_subject()).collect();
    let mut owned: Vec<(usize, IpAddr)> = Vec::new();
    for of_one in claims(world, home, &subjects).chunk_by(|one, other| one.0 == other.0) {
        if !is_disputed(of_one) {
            owned.push((of_one[0].2, of_one[0].0));
        }
    }
    for (address, attached) in &home.attached {
        let at = subjects.binary_search_by(|(place, _)| (*place).cmp(&attached.place));
        if let Ok(at) = at
            && subjects[at].1.uid == attached.uid
        {
            owned.push((at, *address));
        }
    }
    owned.sort_unstable();
    let of_pod = owned.chunk_by(|one, other| one.0 == other.0);
    of_pod.map(|all| (subjects[all[0].0], all.iter().map(|(_, it)| *it).collect())).collect()
}

/// Writes where packets enter: known pods, the machine itself, and what is not known yet.
fn entrance(home: &Home, pen: &mut Pen<'_>) -> Vec<Line> {
    let family = pen.family;
    let (pods, own) = (pen.name("pods"), pen.name("own"));
    for span in ranges(&home.ranges, family) {
        let (first, last) = (family.address(span.first), family.address(span.last));
        pen.element(&own, Kind::OwnRanges, Element::range(first, last), None);
        pen.element(
            &pods,
            Kind::OwnVerdicts,
            Element::of(bridge(family, span)),
            Some(Verdict::Accept),
        );
    }
    if !pen.has(&own) {
        return Vec::new();
    }
    vec![Line::Ask(pods), Line::Drop(own)]
}

/// Gives the ranges of a family as runs.
pub(super) fn ranges(ranges: &[Cidr], family: Family) -> Vec<Span<u128>> {
    let of_family = ranges.iter().filter(|range| Family::of(range.base()) == family);
    of_family.map(|range| of_range(*range)).collect()
}

/// The first host address of a node's range is the bridge's: the machine's own.
pub(super) fn bridge(family: Family, range: Span<u128>) -> IpAddr {
    family.address(range.first.saturating_add(1))
}
