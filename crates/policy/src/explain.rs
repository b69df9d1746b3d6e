//! Whether a connection is allowed, and by what.

use std::net::IpAddr;

use ringfort_facts::network::{
    Action, Direction, Peer, Place, Pod, Policy, Protocol, Rule, WiderName,
};

use super::index::Index;
use super::meaning::{Namer, holds, named, written};
use super::turn::Turn;
use super::world::{PolicyName, World};

/// An end of a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// A pod.
    Pod(Place),
    /// An address that is no pod's.
    Address(IpAddr),
}

/// What is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    /// Who begins the connection.
    pub from: End,
    /// Who is reached.
    pub to: End,
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: PortWanted,
}

/// A port that is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PortWanted {
    /// A number.
    Number(u16),
    /// A name that the pod reached has for it.
    Name(String),
}

/// What policies say of a connection at one end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Side {
    /// The way, seen from the end that is judged.
    pub direction: Direction,
    /// The rules of tiers that decided or passed on, in order; behind what decides nothing is judged.
    pub rulings: Vec<Ruling>,
    /// The policies that close the way; without any it is open.
    pub closed_by: Vec<PolicyName>,
    /// The rules that allow it all the same: the policy, and the rule's place in it, from 0.
    pub allowed_by: Vec<(PolicyName, usize)>,
    /// What comes of it.
    pub verdict: Allowed,
}

/// What a rule of a tier did with a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ruling {
    /// The policy.
    pub policy: WiderName,
    /// The rule's place in it, from 0.
    pub at: usize,
    /// What it did.
    pub action: Action,
}

/// What comes of a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Allowed {
    /// It is let through.
    Yes(Why),
    /// It is dropped.
    No,
    /// It cannot be said.
    Unknown(String),
}

/// Why a connection is let through at one end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// No policy closes the way.
    Open,
    /// A rule allows it.
    Rule,
    /// A rule of a tier accepts it.
    Accepted,
    /// A pod always reaches itself.
    Itself,
    /// The end is no pod.
    NoPod,
    /// The pod uses its node's own network, where no policy holds.
    HostNetwork,
    /// It comes from the pod's own machine.
    OwnMachine,
}

/// What is said of a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// At the end that begins it.
    pub egress: Side,
    /// At the end that is reached.
    pub ingress: Side,
}

/// Says what is missing for an answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoAnswer {
    /// The pod is not there.
    #[error("there is no pod {0}")]
    NoPod(Place),
    /// The pod has no port of this name.
    #[error("pod {pod} has no {protocol} port called {name:?}")]
    NoPort {
        /// The pod.
        pod: Place,
        /// The name.
        name: String,
        /// The protocol.
        protocol: Protocol,
    },
    /// An address has no names of ports.
    #[error("{0:?} is the name of a port, and an address has numbers only")]
    NameAtAddress(String),
}

impl Answer {
    /// Says what comes of the connection as a whole.
    pub fn verdict(&self) -> Allowed {
        match (&self.egress.verdict, &self.ingress.verdict) {
            (Allowed::No, _) | (_, Allowed::No) => Allowed::No,
            (Allowed::Unknown(why), _) | (_, Allowed::Unknown(why)) => {
                Allowed::Unknown(why.clone())
            }
            (Allowed::Yes(_), Allowed::Yes(why)) => Allowed::Yes(*why),
        }
    }
}

/// Says whether a connection is allowed, and by what.
///
/// # Errors
/// An end or its port is not there.
pub fn explain(world: &World, question: &Question) -> Result<Answer, NoAnswer> {
    let from = Met::new(world, &question.from)?;
    let to = Met::new(world, &question.to)?;
    let port = port(&to, question)?;
    let connection = Asked { protocol: question.protocol, port };
    let egress = side(world, Direction::Egress, &from, &to, connection);
    let mut ingress = side(world, Direction::Ingress, &to, &from, connection);
    if !matches!(ingress.verdict, Allowed::Yes(_)) {
        own_machine(world, &question.from, &to, &mut ingress);
    }
    Ok(Answer { egress, ingress })
}

/// A pod's own machine always reaches it, and so do pods that use that machine's network.
fn own_machine(world: &World, from: &End, to: &Met<'_>, ingress: &mut Side) {
    let Some((_, to)) = to.pod else { return };
    let from = match from {
        End::Pod(place) => world.pods.get(place),
        End::Address(address)
            if to.node_addresses.contains(address)
                || to.node.as_ref().is_some_and(|node| world.is_bridge(node, *address)) =>
        {
            ingress.verdict = Allowed::Yes(Why::OwnMachine);
            return;
        }
        End::Address(address) => {
            world.pods.values().find(|pod| !pod.ended && pod.addresses.contains(address))
        }
    };
    let Some(from) = from.filter(|pod| pod.host_network) else { return };
    match (&from.node, &to.node) {
        (Some(from), Some(to)) if from == to => ingress.verdict = Allowed::Yes(Why::OwnMachine),
        (Some(_), Some(_)) => {}
        _ => {
            ingress.verdict = Allowed::Unknown(
                "a pod's own machine always reaches it, and it is not known whether this is it"
                    .to_owned(),
            );
        }
    }
}

/// An end that was found.
struct Met<'a> {
    pod: Option<(&'a Place, &'a Pod)>,
    addresses: Vec<IpAddr>,
}

#[derive(Clone, Copy)]
struct Asked {
    protocol: Protocol,
    port: u16,
}

impl<'a> Met<'a> {
    fn new(world: &'a World, end: &'a End) -> Result<Self, NoAnswer> {
        match end {
            End::Pod(place) => {
                let found = world.pods.get_key_value(place);
                let (place, pod) = found.ok_or_else(|| NoAnswer::NoPod(place.clone()))?;
                Ok(Self { pod: Some((place, pod)), addresses: pod.addresses.clone() })
            }
            End::Address(address) => {
                Ok(Self { pod: world.holder(*address), addresses: vec![*address] })
            }
        }
    }
}

fn port(to: &Met<'_>, question: &Question) -> Result<u16, NoAnswer> {
    match &question.port {
        PortWanted::Number(number) => Ok(*number),
        PortWanted::Name(name) => {
            let Some((place, pod)) = to.pod else {
                return Err(NoAnswer::NameAtAddress(name.clone()));
            };
            pod.named(name, question.protocol).next().ok_or_else(|| NoAnswer::NoPort {
                pod: place.clone(),
                name: name.clone(),
                protocol: question.protocol,
            })
        }
    }
}

fn side(world: &World, direction: Direction, own: &Met<'_>, peer: &Met<'_>, asked: Asked) -> Side {
    let mut side = Side {
        direction,
        rulings: Vec::new(),
        closed_by: Vec::new(),
        allowed_by: Vec::new(),
        verdict: Allowed::Yes(Why::NoPod),
    };
    let Some(own) = own.pod else { return side };
    let judge = Judge { world, own, peer, asked };
    side.verdict = judge.verdict(&mut side);
    side
}

/// Judges a connection at one end.
struct Judge<'a> {
    world: &'a World,
    own: (&'a Place, &'a Pod),
    peer: &'a Met<'a>,
    asked: Asked,
}

impl Judge<'_> {
    fn verdict(&self, side: &mut Side) -> Allowed {
        let (place, pod) = self.own;
        if pod.host_network {
            return Allowed::Yes(Why::HostNetwork);
        }
        let closing = self.world.closing(place, pod, side.direction);
        // What a pod says to its own address does not leave it.
        let is_itself = self.peer.pod.is_some_and(|(other, _)| other == place);
        if let (false, Some(decided)) = (is_itself, self.tiers(side)) {
            return decided;
        }
        side.closed_by = closing.iter().map(|(name, _)| name.clone()).collect();
        match (closing.as_slice(), is_itself) {
            ([], false) => Allowed::Yes(Why::Open),
            (_, true) => Allowed::Yes(Why::Itself),
            (closing, false) => self.closed(closing, side),
        }
    }

    /// Says what tiers decide, if they do.
    fn tiers(&self, side: &mut Side) -> Option<Allowed> {
        let mut passed = None;
        for turn in self.world.turns(self.own, side.direction) {
            let tier = turn.policy.tier;
            if passed == Some(tier) {
                continue;
            }
            let action = match self.is_meant(&turn, side.direction) {
                Err(why) => return Some(Allowed::Unknown(why)),
                Ok(false) => continue,
                Ok(true) => turn.rule.action,
            };
            side.rulings.push(Ruling { policy: turn.name.clone(), at: turn.at, action });
            match action {
                Action::Accept => return Some(Allowed::Yes(Why::Accepted)),
                Action::Deny => return Some(Allowed::No),
                Action::Pass => passed = Some(tier),
            }
        }
        None
    }

    /// Whether a rule of a tier means the connection; or why that cannot be said.
    fn is_meant(&self, turn: &Turn<'_>, direction: Direction) -> Result<bool, String> {
        let rule = turn
            .rule
            .means
            .as_ref()
            .map_err(|doubt| format!("{turn}, {direction}[{}]: {doubt}", turn.at))?;
        if !ports(rule, self.asked, self.server(direction)) {
            return Ok(false);
        }
        let is_meant = peers(self.world, None, rule, self.peer)?;
        // Of several addresses of the other end, only some may be in a range.
        let alone = |address: &IpAddr| {
            let peer = Met { pod: self.peer.pod, addresses: vec![*address] };
            peers(self.world, None, rule, &peer)
        };
        for address in &self.peer.addresses {
            if alone(address)? != is_meant {
                return Err(format!(
                    "{turn}, {direction}[{}] means some addresses of the other end \
                     and not all",
                    turn.at
                ));
            }
        }
        Ok(is_meant)
    }

    /// The pod whose ports count.
    fn server(&self, direction: Direction) -> Option<&Pod> {
        match Namer::of(direction) {
            Namer::Peer => self.peer.pod.map(|(_, pod)| pod),
            Namer::Own => Some(self.own.1),
        }
    }

    fn closed(&self, closing: &[(PolicyName, &Policy)], side: &mut Side) -> Allowed {
        let (place, _) = self.own;
        let mut gap = None;
        for (name, policy) in closing {
            for (at, rule) in rules(policy, side.direction) {
                if !ports(rule, self.asked, self.server(side.direction)) {
                    continue;
                }
                match peers(self.world, Some(&place.namespace), rule, self.peer) {
                    Ok(true) => side.allowed_by.push((name.clone(), at)),
                    Ok(false) => {}
                    Err(why) => gap = Some(why),
                }
            }
        }
        match (side.allowed_by.is_empty(), gap) {
            (false, _) => Allowed::Yes(Why::Rule),
            (true, Some(why)) => Allowed::Unknown(why),
            (true, None) => Allowed::No,
        }
    }
}

fn rules(policy: &Policy, direction: Direction) -> impl Iterator<Item = (usize, &Rule)> {
    policy.rules(direction).into_iter().flatten().enumerate()
}

/// Whether a rule means the port.
fn ports(rule: &Rule, asked: Asked, server: Option<&Pod>) -> bool {
    let by_name = server.map(|pod| named(&rule.ports, pod)).unwrap_or_default();
    rule.ports.is_empty()
        || by_name.contains(&(asked.protocol, asked.port))
        || written(&rule.ports).any(|(protocol, span)| {
            protocol == asked.protocol && (span.first..=span.last).contains(&asked.port)
        })
}

/// Whether a rule means the other end; or why that cannot be said.
fn peers(
    world: &World,
    namespace: Option<&str>,
    rule: &Rule,
    peer: &Met<'_>,
) -> Result<bool, String> {
    if rule.peers.is_empty() {
        return Ok(true);
    }
    // A pod that has ended is judged as if it ran.
    let subject = peer.pod.filter(|(_, pod)| !pod.host_network);
    let index = Index::new(world, subject.map(|it| (it, peer.addresses.clone())));
    let mut gap = None;
    for each in &rule.peers {
        if !index.meant(each, namespace).is_empty() {
            return Ok(true);
        }
        let Peer::Block { range, except } = each else { continue };
        if peer.addresses.iter().any(|it| holds(*range, except, *it)) {
            return Ok(true);
        }
        if let (Some((place, _)), []) = (peer.pod, peer.addresses.as_slice()) {
            gap = Some(format!("pod {place} has no address yet, and {range} may hold it"));
        }
    }
    gap.map_or(Ok(false), Err)
}
