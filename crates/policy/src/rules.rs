//! Rules of a node as data: maps and sets that a packet is looked up in, and chains that say where.
//!
//! Every packet is judged by what the kernel remembers of its connection: who began it and who was
//! reached behind all translation of addresses. So answers are judged like questions, what was
//! allowed ends when a policy does, and a Service's address is never taken for its pod's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use ringfort_facts::network::{Direction, Protocol};

use super::span::{Family, Span, number};

/// All rules of a node.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RuleSet {
    /// Sets and maps, by name.
    pub sets: BTreeMap<String, Set>,
    /// Chains, by name; packets enter at `egress` and `ingress`.
    pub chains: BTreeMap<String, Vec<Line>>,
}

/// A set or a map of one family and way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Set {
    /// The family of its addresses.
    pub family: Family,
    /// The way whose packets are looked up in it.
    pub direction: Direction,
    /// What its elements are made of.
    pub kind: Kind,
    /// Its elements; those of maps have a verdict.
    pub elements: BTreeMap<Element, Option<Verdict>>,
}

/// What elements of a set are made of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A pod of the node, with a verdict.
    OwnVerdicts,
    /// The other end, with a verdict.
    PeerVerdicts,
    /// The other end.
    Peer,
    /// Ranges that hold the other end.
    PeerRanges,
    /// Ranges that hold pods of the node.
    OwnRanges,
    /// A pod of the node that is its own other end.
    Itself,
    /// A pod of the node.
    Own,
    /// A port.
    Port,
    /// Runs of ports.
    Ports,
    /// Ranges that hold the other end, and ports.
    PeerRangePorts,
    /// A pod of the node whose refused packets are counted.
    Refused,
}

/// An element of a set.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Element {
    /// The pod of the node, the other end, or the first address of a range; none in sets of ports alone.
    pub address: Option<IpAddr>,
    /// Addresses: of other ends, or the range's own last.
    pub to: Option<Span<IpAddr>>,
    /// Ports.
    pub ports: Option<Span<u16>>,
}

/// What a map says.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Verdict {
    /// The way is open.
    Accept,
    /// Another chain decides.
    Goto(String),
    /// Another chain may decide.
    Jump(String),
    /// What led to this chain goes on.
    Return,
}

/// A rule of a chain.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Line {
    /// Does what a map says of the packet.
    Ask(String),
    /// Does so with what a set has, of one protocol or of all.
    Found(String, Option<Protocol>, Verdict),
    /// Drops what a set has, which is the way of pods that are not known yet.
    Drop(String),
    /// Counts, writes down and drops.
    Refuse(Family, Direction),
}

impl Element {
    /// Makes an element of an address alone.
    pub fn of(address: IpAddr) -> Self {
        Self { address: Some(address), to: None, ports: None }
    }

    /// Makes an element of a range of addresses.
    pub(crate) fn range(first: IpAddr, last: IpAddr) -> Self {
        Self { address: Some(first), to: Some(Span { first, last }), ports: None }
    }

    /// Makes an element of ports alone.
    pub(crate) fn ports(ports: Span<u16>) -> Self {
        Self { address: None, to: None, ports: Some(ports) }
    }
}

/// What is known of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Connection {
    /// Who began it.
    pub client: IpAddr,
    /// Who was reached.
    pub server: IpAddr,
    /// Where; `None` for what has no ports.
    pub port: Option<(Protocol, u16)>,
}

impl RuleSet {
    /// Says whether a packet of a connection is let through one way, as the kernel would.
    pub fn lets(&self, direction: Direction, connection: &Connection) -> bool {
        let family = Family::of(connection.client);
        let line = |line: &Line| match line {
            Line::Refuse(of, _) => *of == family,
            Line::Ask(set) | Line::Found(set, ..) | Line::Drop(set) => {
                self.sets.get(set).is_some_and(|set| set.family == family)
            }
        };
        self.walk(direction.word(), connection, &line).unwrap_or(true)
    }

    fn walk(
        &self,
        chain: &str,
        connection: &Connection,
        is_ours: &dyn Fn(&Line) -> bool,
    ) -> Option<bool> {
        for line in self.chains.get(chain)?.iter().filter(|line| is_ours(line)) {
            let verdict = match line {
                Line::Refuse(..) => return Some(false),
                Line::Drop(set) => match self.sets.get(set)?.find(connection) {
                    Some(_) => return Some(false),
                    None => continue,
                },
                Line::Found(set, protocol, verdict) => {
                    let fits = match (protocol, connection.port) {
                        (None, _) => true,
                        (Some(wanted), Some((protocol, _))) => *wanted == protocol,
                        (Some(_), None) => false,
                    };
                    let found = fits && self.sets.get(set)?.find(connection).is_some();
                    found.then_some(verdict)
                }
                Line::Ask(map) => self.sets.get(map)?.find(connection).flatten(),
            };
            match verdict {
                None => {}
                Some(Verdict::Accept) => return Some(true),
                Some(Verdict::Return) => return None,
                Some(Verdict::Goto(chain)) => return self.walk(chain, connection, is_ours),
                Some(Verdict::Jump(chain)) => {
                    if let Some(decided) = self.walk(chain, connection, is_ours) {
                        return Some(decided);
                    }
                }
            }
        }
        None
    }

    /// Gives the names of chains and sets that no chain or map leads to: none, if all is well.
    pub fn unreached(&self) -> BTreeSet<String> {
        let mut reached: BTreeSet<String> =
            Direction::BOTH.iter().map(|way| way.word().to_owned()).collect();
        for line in self.chains.values().flatten() {
            if let Line::Ask(set) | Line::Found(set, ..) | Line::Drop(set) = line {
                reached.insert(set.clone());
            }
        }
        let of_lines = self.chains.values().flatten().filter_map(|line| match line {
            Line::Found(_, _, verdict) => Some(verdict),
            _ => None,
        });
        let of_maps = self.sets.values().flat_map(|set| set.elements.values()).flatten();
        for verdict in of_lines.chain(of_maps) {
            if let Verdict::Goto(chain) | Verdict::Jump(chain) = verdict {
                reached.insert(chain.clone());
            }
        }
        let counted = |set: &Set| set.kind == Kind::Refused;
        let all = self.sets.iter().filter(|(_, set)| !counted(set)).map(|(name, _)| name);
        all.chain(self.chains.keys()).filter(|name| !reached.contains(*name)).cloned().collect()
    }
}

impl Set {
    /// Finds the element that a packet of a connection is looked up to.
    fn find(&self, connection: &Connection) -> Option<Option<&Verdict>> {
        let (own, peer) = match self.direction {
            Direction::Egress => (connection.client, connection.server),
            Direction::Ingress => (connection.server, connection.client),
        };
        let within = |span: &Option<Span<IpAddr>>, address: IpAddr| {
            span.is_some_and(|span| {
                (number(span.first)..=number(span.last)).contains(&number(address))
            })
        };
        let port = |element: &Element| {
            let Some((_, port)) = connection.port else { return false };
            element.ports.is_some_and(|span| (span.first..=span.last).contains(&port))
        };
        let fits = |element: &Element| match self.kind {
            Kind::OwnVerdicts | Kind::Own | Kind::Refused => element.address == Some(own),
            Kind::PeerVerdicts | Kind::Peer => element.address == Some(peer),
            Kind::OwnRanges => within(&element.to, own),
            Kind::PeerRanges => within(&element.to, peer),
            Kind::Itself => own == peer && element.address == Some(own),
            Kind::Port | Kind::Ports => port(element),
            Kind::PeerRangePorts => within(&element.to, peer) && port(element),
        };
        self.elements.iter().find(|(element, _)| fits(element)).map(|(_, verdict)| verdict.as_ref())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Goto(chain) => write!(f, "goto {chain}"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Return => f.write_str("return"),
        }
    }
}
