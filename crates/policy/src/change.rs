//! From rules to what `nft -f` reads, as one transaction: all of them, or what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use ringfort_facts::network::{Direction, Protocol};

use super::gate;
use super::rules::{Element, Kind, Line, RuleSet, Set, Verdict};
use super::span::{Family, Span};

/// The table, which is ours alone.
pub const TABLE: &str = "inet ringfort-policy";

/// Writes all rules, in place of whatever the table held.
pub fn replace(rules: &RuleSet) -> String {
    let mut text = format!("add table {TABLE}\ndelete table {TABLE}\nadd table {TABLE}\n");
    frame(&mut text, rules);
    changes(&mut text, &RuleSet::default(), rules);
    text
}

/// Writes the table without what its sets hold.
pub(super) fn bare(rules: &RuleSet) -> String {
    let mut text = String::new();
    frame(&mut text, rules);
    let emptied = |&Set { family, direction, kind, .. }: &Set| Set {
        family,
        direction,
        kind,
        elements: BTreeMap::new(),
    };
    let sets = rules.sets.iter().map(|(name, set)| (name.clone(), emptied(set))).collect();
    let empty = RuleSet { sets, chains: rules.chains.clone() };
    changes(&mut text, &RuleSet::default(), &empty);
    text
}

/// Writes what makes new rules of old ones; nothing if they are the same.
pub fn change(old: &RuleSet, new: &RuleSet) -> Option<String> {
    let recast = new.sets.iter().any(|(name, set)| {
        old.sets.get(name).is_some_and(|old| (old.kind, old.family) != (set.kind, set.family))
    });
    // What every table has is written from the ranges of the node's pods.
    if recast || !own_ranges(old).eq(own_ranges(new)) {
        return Some(replace(new));
    }
    let mut text = String::new();
    changes(&mut text, old, new);
    (!text.is_empty()).then_some(text)
}

/// How many refused connections are remembered, a way and family. A pod fills no more than 180 in the two
/// minutes for which they are.
const FLOWS: usize = 32_768;
/// Of how many pods.
const TELLERS: usize = 4_096;

/// Writes what every table has: where packets come in, and what becomes of those that the kernel
/// knows no connection of.
fn frame(text: &mut String, rules: &RuleSet) {
    for (family, address) in [("4", "ipv4_addr"), ("6", "ipv6_addr")] {
        for way in Direction::BOTH {
            put(
                text,
                format_args!(
                    "add set {TABLE} {}{family}_flows {{ type {address} . {address} . inet_proto . \
                     inet_service; size {FLOWS}; flags dynamic,timeout; timeout 2m; counter; }}",
                    way.word()
                ),
            );
            put(
                text,
                format_args!(
                    "add set {TABLE} {}{family}_tellers {{ type {address}; size {TELLERS}; flags \
                     dynamic,timeout; timeout 2m; }}",
                    way.word()
                ),
            );
        }
    }
    let hooks = [
        ("egress_forward", "forward", -10),
        ("egress_input", "input", -10),
        ("ingress_forward", "forward", -9),
    ];
    // The sets that packets without a connection are looked up in must stand before the rules.
    let own: Vec<(&String, &Set)> = own_ranges(rules).collect();
    for chain in ["gate", "strays", "egress", "ingress"].into_iter().chain(gate::chains(&own)) {
        put(text, format_args!("add chain {TABLE} {chain}"));
    }
    for (chain, hook, priority) in hooks {
        put(
            text,
            format_args!(
                "add chain {TABLE} {chain} {{ type filter hook {hook} priority {priority}; policy \
                 accept; }}"
            ),
        );
    }
    for (name, set) in &own {
        declare(text, name, set);
    }
    let jump = |chain: &'static str, to: &str| (chain, format!("jump {to}"));
    let mut all = gate::gate(&own);
    all.push(("egress_input", "iifname \"lo\" accept".to_owned()));
    all.extend(["gate", "strays", "egress"].map(|to| jump("egress_input", to)));
    all.push(jump("egress_forward", "gate"));
    all.extend(gate::at_once());
    all.extend(["strays", "egress"].map(|to| jump("egress_forward", to)));
    all.extend(["strays", "ingress"].map(|to| jump("ingress_forward", to)));
    all.extend(gate::strays(&own));
    for (chain, what) in all {
        put(text, format_args!("add rule {TABLE} {chain} {what}"));
    }
}

/// Gives the sets of the ranges of this node's pods, of which rules of every table speak.
fn own_ranges(rules: &RuleSet) -> impl Iterator<Item = (&String, &Set)> {
    rules.sets.iter().filter(|(_, set)| set.kind == Kind::OwnRanges)
}

fn changes(text: &mut String, old: &RuleSet, new: &RuleSet) {
    for (name, set) in new.sets.iter().filter(|(name, _)| !old.sets.contains_key(*name)) {
        declare(text, name, set);
    }
    for name in new.chains.keys().filter(|name| !old.chains.contains_key(*name)) {
        put(text, format_args!("add chain {TABLE} {name}"));
    }
    for (name, set) in &new.sets {
        elements(text, name, old.sets.get(name), set);
    }
    for (name, lines) in &new.chains {
        let before = old.chains.get(name);
        if before == Some(lines) {
            continue;
        }
        if before.is_some() {
            put(text, format_args!("flush chain {TABLE} {name}"));
        }
        for line in lines {
            write_line(text, name, line, new);
        }
    }
    // What is gone: first what leads to chains, then chains, then the sets that they looked into.
    let gone: BTreeSet<&String> =
        old.sets.keys().filter(|name| !new.sets.contains_key(*name)).collect();
    let chains: Vec<&String> =
        old.chains.keys().filter(|name| !new.chains.contains_key(*name)).collect();
    for name in &gone {
        if is_map(&old.sets[*name]) {
            put(text, format_args!("flush map {TABLE} {name}"));
        }
    }
    for name in &chains {
        put(text, format_args!("flush chain {TABLE} {name}"));
    }
    for name in &chains {
        put(text, format_args!("delete chain {TABLE} {name}"));
    }
    for name in gone {
        let word = if is_map(&old.sets[name]) { "map" } else { "set" };
        put(text, format_args!("delete {word} {TABLE} {name}"));
    }
}

fn is_map(set: &Set) -> bool {
    matches!(set.kind, Kind::OwnVerdicts | Kind::PeerVerdicts)
}

fn declare(text: &mut String, name: &str, set: &Set) {
    let address = match set.family {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    };
    let (of, more) = match set.kind {
        Kind::OwnVerdicts | Kind::PeerVerdicts => (format!("{address} : verdict"), ""),
        Kind::OwnRanges | Kind::PeerRanges => (address.to_owned(), " flags interval;"),
        Kind::Itself => (format!("{address} . {address}"), ""),
        Kind::Own | Kind::Peer => (address.to_owned(), ""),
        Kind::Port => ("inet_service".to_owned(), ""),
        Kind::Ports => ("inet_service".to_owned(), " flags interval;"),
        Kind::PeerRangePorts => (format!("{address} . inet_service"), " flags interval;"),
        Kind::Refused => (address.to_owned(), " counter;"),
    };
    let word = if is_map(set) { "map" } else { "set" };
    put(text, format_args!("add {word} {TABLE} {name} {{ type {of};{more} }}"));
}

fn elements(text: &mut String, name: &str, old: Option<&Set>, new: &Set) {
    let before = old.map(|set| &set.elements);
    let fresh = new
        .elements
        .iter()
        .filter(|(element, verdict)| before.and_then(|old| old.get(element)) != Some(verdict));
    let fresh: Vec<_> = fresh.collect();
    let stale = before.into_iter().flatten();
    let stale = stale.filter(|(element, verdict)| new.elements.get(element) != Some(verdict));
    // The verdict says which of two elements is meant.
    list(text, "delete", name, new.kind, stale);
    list(text, "add", name, new.kind, fresh.into_iter());
}

/// How many elements stand in one line.
const AT_ONCE: usize = 500;

fn list<'a>(
    text: &mut String,
    word: &str,
    name: &str,
    kind: Kind,
    elements: impl Iterator<Item = (&'a Element, &'a Option<Verdict>)>,
) {
    let elements: Vec<_> = elements.collect();
    for some in elements.chunks(AT_ONCE) {
        put(text, format_args!("{word} element {TABLE} {name} {{ {} }}", Elements(kind, some)));
    }
}

struct Elements<'a>(Kind, &'a [(&'a Element, &'a Option<Verdict>)]);

impl fmt::Display for Elements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(kind, all) = self;
        for (at, (element, verdict)) in all.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            match (kind, element.address, element.to) {
                (_, _, Some(Span { first, last })) => run(f, &first, &last)?,
                (Kind::Itself, Some(address), None) => write!(f, "{address} . {address}")?,
                (_, Some(address), None) => write!(f, "{address}")?,
                (_, None, None) => {}
            }
            if let Some(Span { first, last }) = element.ports {
                if element.address.is_some() {
                    f.write_str(" . ")?;
                }
                run(f, &first, &last)?;
            }
            if let Some(verdict) = verdict {
                write!(f, " : {verdict}")?;
            }
        }
        Ok(())
    }
}

fn run<T: fmt::Display + PartialEq>(
    f: &mut fmt::Formatter<'_>,
    first: &T,
    last: &T,
) -> fmt::Result {
    if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
}

fn write_line(text: &mut String, chain: &str, line: &Line, rules: &RuleSet) {
    let mut rule = |what: fmt::Arguments<'_>| {
        put(text, format_args!("add rule {TABLE} {chain} {what}"));
    };
    match line {
        Line::Ask(name) => {
            if let Some(set) = rules.sets.get(name) {
                rule(format_args!("{} vmap @{name}", keys(set)));
            }
        }
        Line::Found(name, protocol, verdict) => {
            if let Some(set) = rules.sets.get(name) {
                rule(format_args!("{}{} @{name} {verdict}", of(*protocol), keys(set)));
            }
        }
        Line::Drop(name) => {
            if let Some(set) = rules.sets.get(name) {
                rule(format_args!("{} @{name} counter drop", keys(set)));
            }
        }
        Line::Refuse(family, way) => {
            let stem = format!("{}{}", way.word(), if *family == Family::V4 { 4 } else { 6 });
            let (own, peer) = ends(*family, *way);
            let numbers = Protocol::ALL.map(|protocol| protocol.number().to_string()).join(", ");
            let with_ports = format!("{} meta l4proto {{ {numbers} }}", nfproto(*family));
            let flow = format!("{own} . {peer} . meta l4proto . ct reply proto-src");
            rule(format_args!("{own} @{stem}_refused"));
            rule(format_args!("{with_ports} {flow} @{stem}_flows drop"));
            // Each pod has its own share of what is remembered, so that none hides what others lose.
            rule(format_args!(
                "{with_ports} update @{stem}_tellers {{ {own} limit rate 1/second burst 60 packets }} \
                 update @{stem}_flows {{ {flow} }}"
            ));
            rule(format_args!("{} drop", nfproto(*family)));
        }
    }
}

fn of(protocol: Option<Protocol>) -> String {
    // A machine may have no file that knows protocols by name.
    protocol.map(|it| format!("meta l4proto {} ", it.number())).unwrap_or_default()
}

pub(super) fn nfproto(family: Family) -> &'static str {
    match family {
        Family::V4 => "meta nfproto ipv4",
        Family::V6 => "meta nfproto ipv6",
    }
}

pub(super) fn ip(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}

/// The pod of the node, and the other end.
fn ends(family: Family, direction: Direction) -> (String, String) {
    let ip = ip(family);
    let client = format!("ct original {ip} saddr");
    let server = format!("ct reply {ip} saddr");
    match direction {
        Direction::Egress => (client, server),
        Direction::Ingress => (server, client),
    }
}

/// What of a packet is looked up in a set.
fn keys(set: &Set) -> String {
    let (own, peer) = ends(set.family, set.direction);
    let port = "ct reply proto-src";
    match set.kind {
        Kind::OwnVerdicts | Kind::OwnRanges | Kind::Own | Kind::Refused => own,
        Kind::PeerVerdicts | Kind::Peer | Kind::PeerRanges => peer,
        Kind::Itself => format!("{own} . {peer}"),
        Kind::Port | Kind::Ports => port.to_owned(),
        Kind::PeerRangePorts => format!("{peer} . {port}"),
    }
}

fn put(text: &mut String, line: fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}
