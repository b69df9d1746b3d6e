//! What becomes of packets before policies are asked: those that no pod may send, and those that the kernel
//! knows no connection of.
//!
//! In IPv6 neighbours find each other by packets that belong to no connection, so that no policy could name
//! them. They get through where they can be nothing else: on one link, short, and between addresses of that
//! link. What else looks like them is dropped.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ringfort_facts::network::Direction;
use ringfort_model::network_policy::BRIDGE;

use super::change::{ip, nfproto};
use super::compile::machine;
use super::rules::Set;
use super::span::{Family, Span, number};

/// The sets of the ranges of this node's pods, by name.
pub(super) type Own<'a> = [(&'a String, &'a Set)];

/// A chain and a rule of it.
type Rule = (&'static str, String);

/// The chain of what neighbours say to each other.
const NEIGHBOURS: &str = "neighbours";

/// What they say (RFC 4861): solicitations of routers and neighbours, and advertisements of these.
const FOUND: &str = "133, 135, 136";
/// What says which groups are listened to (RFC 2710, RFC 3810).
const LISTENED: &str = "131, 132, 143";
/// What only a router says: queries for groups, advertisements, redirects. No pod is one.
const ROUTED: &str = "130, 134, 137";

/// No router sends on what has this: it would be one less (RFC 4861, 7.1).
const ON_LINK: &str = "ip6 hoplimit 255";
/// How many bytes a message to a neighbour may have. One with a hardware address has 72, and with a nonce 80.
const LONGEST: u32 = 128;
/// Who has no other address yet.
const NAMELESS: &str = "{ ::, fe80::/10 }";

/// Gives the chains that are beside those of every table.
pub(super) fn chains(own: &Own<'_>) -> Option<&'static str> {
    own.iter().any(|(_, set)| set.family == Family::V6).then_some(NEIGHBOURS)
}

/// Says what of a pod gets no further, whatever policies say: what claims an address that is none of this
/// node's pods' or the machine's own, and a family in which these have no addresses at all but those that
/// the kernel makes for every link.
pub(super) fn gate(own: &Own<'_>) -> Vec<Rule> {
    let own = own.iter().filter(|(_, set)| set.direction == Direction::Egress);
    let own: BTreeMap<Family, (&String, Vec<IpAddr>)> =
        own.map(|(name, set)| (set.family, (*name, machines(set)))).collect();
    if own.is_empty() {
        return Vec::new();
    }
    let mut rules = vec![format!("iifname != \"{BRIDGE}\" return")];
    for (family, (_, machines)) in &own {
        // The kernel itself drops such packets in IPv4 alone, and only those that it routes.
        rules.push(format!("{} saddr {{ {} }} counter drop", ip(*family), listed(machines)));
    }
    let mut of_neighbours = Vec::new();
    if let Some((name, machines)) = own.get(&Family::V6) {
        rules.extend(links(machines));
        of_neighbours = neighbours(name);
    }
    for family in Family::BOTH {
        rules.push(match own.get(&family) {
            Some((name, _)) => format!("{} saddr != @{name} counter drop", ip(family)),
            None => format!("{} counter drop", nfproto(family)),
        });
    }
    rules.into_iter().map(|rule| ("gate", rule)).chain(of_neighbours).collect()
}

/// Says what pods may send on their link where that speaks IPv6. Nobody is reached at the address that a link
/// gives itself: policies know nobody by it.
fn links(machines: &[IpAddr]) -> Vec<String> {
    // As numbers, since older nft knows no name for the field: the address that is advertised.
    let targets: Vec<String> = machines.iter().map(|it| format!("{:#034x}", number(*it))).collect();
    vec![
        format!("icmpv6 type {{ {ROUTED} }} counter drop"),
        format!("icmpv6 type 136 @th,64,128 {{ {} }} counter drop", targets.join(", ")),
        format!("icmpv6 type {{ {FOUND} }} goto {NEIGHBOURS}"),
        format!("icmpv6 type {{ {LISTENED} }} ip6 saddr {NAMELESS} ip6 daddr ff02::/16 return"),
        "ip6 daddr fe80::/10 counter drop".to_owned(),
    ]
}

/// Says which messages of pods to neighbours are none.
fn neighbours(own: &str) -> Vec<Rule> {
    let rules = [
        "ip6 hoplimit != 255 counter drop".to_owned(),
        format!("meta length > {LONGEST} counter drop"),
        format!("ip6 saddr != {NAMELESS} ip6 saddr != @{own} counter drop"),
        format!("ip6 daddr != {{ fe80::/10, ff02::/16 }} ip6 daddr != @{own} counter drop"),
    ];
    rules.map(|rule| (NEIGHBOURS, rule)).into()
}

/// Says what of pods is for all at once: it has no end whose policies could be asked.
pub(super) fn at_once() -> [Rule; 3] {
    let all = [
        "ip daddr { 224.0.0.0/4, 255.255.255.255 }".to_owned(),
        "ip6 daddr ff00::/8 meta l4proto != 58".to_owned(),
        format!("ip6 daddr ff00::/8 icmpv6 type != {{ {FOUND}, {LISTENED} }}"),
    ];
    all.map(|all| ("egress_forward", format!("iifname \"{BRIDGE}\" {all} counter drop")))
}

/// Says what becomes of packets of no connection, to pods and from them.
pub(super) fn strays(own: &Own<'_>) -> Vec<Rule> {
    let mut rules = vec![
        // An error about a connection says no more than that connection did.
        "ct state related meta l4proto { 1, 58 } accept".to_owned(),
        "ct state != { invalid, untracked } return".to_owned(),
        format!("icmpv6 type {{ {FOUND} }} {ON_LINK} meta length <= {LONGEST} return"),
    ];
    for (name, set) in own {
        rules.push(format!("{} {} @{name} counter drop", ip(set.family), end(set.direction)));
    }
    rules.into_iter().map(|rule| ("strays", rule)).collect()
}

/// The header field of a packet without a connection that is a pod's.
fn end(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => "saddr",
        Direction::Ingress => "daddr",
    }
}

/// Gives the machine's own addresses in the ranges of its pods.
fn machines(set: &Set) -> Vec<IpAddr> {
    let ranges = set.elements.keys().filter_map(|element| element.to);
    let own = ranges.flat_map(|Span { first, last }| {
        let Span { first, last } = machine(Span { first: number(first), last: number(last) });
        first..=last
    });
    own.map(|number| set.family.address(number)).collect()
}

fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use ringfort_model::network_policy::Defaults;

    use crate::{Home, World, change, compile, replace};

    /// The rules that a node without pods has, of chains whose packets no policy is asked about.
    fn written(range: &str) -> (crate::RuleSet, Vec<String>) {
        let ranges = vec![range.parse().unwrap()];
        let home = Home {
            node: "n1".to_owned(),
            all: ranges.clone(),
            ranges,
            attached: std::collections::BTreeMap::new(),
        };
        let rules = compile(&World::new(Defaults::default()), &home);
        let text = replace(&rules);
        let begin = "add rule inet ringfort-policy ";
        let lines = text.lines().filter_map(|line| line.strip_prefix(begin)).map(str::to_owned);
        let asks = ["gate ", "neighbours ", "strays "];
        let lines = lines.filter(|line| asks.iter().any(|chain| line.starts_with(chain)));
        (rules, lines.collect())
    }

    #[test]
    fn a_pod_speaks_as_nobody_else_in_ipv4() {
        let (_, lines) = written("10.1.1.0/24");
        assert_eq!(
            lines,
            [
                "gate iifname != \"cni0\" return",
                "gate ip saddr { 10.1.1.0, 10.1.1.1 } counter drop",
                "gate ip saddr != @egress4_own counter drop",
                "gate meta nfproto ipv6 counter drop",
                "strays ct state related meta l4proto { 1, 58 } accept",
                "strays ct state != { invalid, untracked } return",
                "strays icmpv6 type { 133, 135, 136 } ip6 hoplimit 255 meta length <= 128 return",
                "strays ip saddr @egress4_own counter drop",
                "strays ip daddr @ingress4_own counter drop",
            ]
        );
    }

    #[test]
    fn neighbours_are_found_on_the_link_and_nobody_is_reached_by_what_links_give() {
        let (_, lines) = written("fd00:1::/64");
        assert_eq!(
            lines,
            [
                "gate iifname != \"cni0\" return",
                "gate ip6 saddr { fd00:1::, fd00:1::1 } counter drop",
                "gate icmpv6 type { 130, 134, 137 } counter drop",
                "gate icmpv6 type 136 @th,64,128 { 0xfd000001000000000000000000000000, \
                 0xfd000001000000000000000000000001 } counter drop",
                "gate icmpv6 type { 133, 135, 136 } goto neighbours",
                "gate icmpv6 type { 131, 132, 143 } ip6 saddr { ::, fe80::/10 } ip6 daddr ff02::/16 return",
                "gate ip6 daddr fe80::/10 counter drop",
                "gate meta nfproto ipv4 counter drop",
                "gate ip6 saddr != @egress6_own counter drop",
                "neighbours ip6 hoplimit != 255 counter drop",
                "neighbours meta length > 128 counter drop",
                "neighbours ip6 saddr != { ::, fe80::/10 } ip6 saddr != @egress6_own counter drop",
                "neighbours ip6 daddr != { fe80::/10, ff02::/16 } ip6 daddr != @egress6_own counter drop",
                "strays ct state related meta l4proto { 1, 58 } accept",
                "strays ct state != { invalid, untracked } return",
                "strays icmpv6 type { 133, 135, 136 } ip6 hoplimit 255 meta length <= 128 return",
                "strays ip6 saddr @egress6_own counter drop",
                "strays ip6 daddr @ingress6_own counter drop",
            ]
        );
    }

    #[test]
    fn other_ranges_make_a_new_table() {
        let ((old, _), (new, _)) = (written("fd00:1::/64"), written("fd00:2::/64"));
        assert_eq!(change(&old, &new), Some(replace(&new)));
        assert_eq!(change(&old, &old), None);
    }
}
