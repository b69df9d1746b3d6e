//! What the peers and ports of a rule mean. The kernel's rules and explanations read them here and nowhere
//! else, together with [`Index::meant`](super::index::Index::meant) for peers that are pods.

use std::net::IpAddr;

use ringfort_facts::network::{Direction, Pod, Port, Protocol};
use ringfort_model::net::Cidr;

use super::span::{Family, Span, number, of_range, without};

/// Gives the addresses of a block, as runs of its range's family.
pub(crate) fn runs(range: Cidr, except: &[Cidr]) -> Vec<Span<u128>> {
    let family = Family::of(range.base());
    let out = except.iter().filter(|it| Family::of(it.base()) == family);
    without(of_range(range), out.map(|it| of_range(*it)).collect())
}

/// Says whether a block holds an address.
pub(crate) fn holds(range: Cidr, except: &[Cidr], address: IpAddr) -> bool {
    let (family, address) = (Family::of(address), number(address));
    Family::of(range.base()) == family
        && runs(range, except).iter().any(|run| (run.first..=run.last).contains(&address))
}

/// Whose names of ports count: those of whoever is connected to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Namer {
    /// The pod that the rule is for.
    Own,
    /// The other end.
    Peer,
}

impl Namer {
    pub(crate) fn of(direction: Direction) -> Self {
        match direction {
            Direction::Egress => Self::Peer,
            Direction::Ingress => Self::Own,
        }
    }
}

/// Ports of a protocol.
pub(crate) type Ports = (Protocol, Span<u16>);

/// Gives the ports that are written as numbers.
pub(crate) fn written(ports: &[Port]) -> impl Iterator<Item = Ports> + '_ {
    ports.iter().filter_map(|port| match port {
        Port::Numbers(protocol, first, last) => {
            Some((*protocol, Span { first: *first, last: *last }))
        }
        Port::Name(..) => None,
    })
}

/// Gives the numbers that the names of ports stand for at a pod, in order and once each.
pub(crate) fn named(ports: &[Port], pod: &Pod) -> Vec<(Protocol, u16)> {
    let names = ports.iter().filter_map(|port| match port {
        Port::Name(protocol, name) => Some((*protocol, name)),
        Port::Numbers(..) => None,
    });
    let mut numbers: Vec<(Protocol, u16)> = names
        .flat_map(|(protocol, name)| pod.named(name, protocol).map(move |it| (protocol, it)))
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}
