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

use std::collections::BTreeMap;
use std::net::IpAddr;

use ringfort_facts::network::{Direction, Place};
use ringfort_model::net::Cidr;

use super::index::{Index, Owner};
use super::pen::Pen;
use super::rules::{Element, Kind, Line, RuleSet, Verdict};
use super::span::{Family, Span, of_range};
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

/// Makes the rules of a node.
pub fn compile(world: &World, home: &Home) -> RuleSet {
    let index = Index::new(world, owners(world, home));
    let mut rules = RuleSet::default();
    for direction in Direction::BOTH {
        let mut lines = Vec::new();
        for family in Family::BOTH {
            lines.extend(entrance(home, &mut Pen { rules: &mut rules, direction, family }));
        }
        rules.chains.insert(direction.word().to_owned(), lines);
        Way::new(world, home, &index, direction).write(&mut rules);
    }
    rules
}

/// Says which addresses each pod has: as the node's plugin gave them, else as the API says. An address
/// that two pods claim is nobody's, unless all but one of them are ending.
fn owners<'a>(world: &'a World, home: &Home) -> Vec<(Owner<'a>, Vec<IpAddr>)> {
    let subjects: Vec<Owner<'a>> = world.pods.iter().filter(|(_, pod)| pod.is_subject()).collect();
    let mut claims: Vec<(IpAddr, bool, usize)> = Vec::new();
    for (at, (_, pod)) in subjects.iter().enumerate() {
        let own = pod.addresses.iter().filter(|it| !home.attached.contains_key(it));
        claims.extend(own.map(|address| (*address, pod.ending, at)));
    }
    claims.sort_unstable();
    let mut owned: Vec<(usize, IpAddr)> = Vec::new();
    for of_one in claims.chunk_by(|one, other| one.0 == other.0) {
        // Those that are not ending stand first.
        let is_disputed = of_one.get(1).is_some_and(|second| second.1 == of_one[0].1);
        if !is_disputed {
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
        let range = Element { address: first, to: Some(Span { first, last }), ports: None };
        pen.element(&own, Kind::OwnRanges, range, None);
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
    family.address(range.first + 1)
}
