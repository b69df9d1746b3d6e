//! Rules about ranges, that no address means two things and that there are enough, and about what is the affair of a
//! network of the user's own.

use std::net::IpAddr;
use std::ops::Range;

use ringfort_model::net::{Cidr, Family};

use super::{Machine, family};
use crate::endpoint::EndpointHost;
use crate::parsed::Parsed;
use crate::report::Problem;
use crate::settings::{self, Provider};

pub(super) fn look(parsed: &Parsed, machines: &[Machine<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let ranges = ranges(parsed);
    problems.extend(two_ranges(parsed, &ranges));
    match family::look(parsed, machines) {
        // What a size means depends on the family.
        Some(mixed) => problems.push(mixed),
        None => {
            problems.extend(service_size(parsed));
            let part = node_prefix(parsed);
            problems.extend(part.or_else(|| room(parsed, machines.len())));
        }
    }
    problems.extend(masquerade(parsed));
    let outside = addresses(parsed, machines);
    problems.extend(ranges.iter().filter_map(|range| captured(parsed, range, &outside)));
    problems
}

/// A range of the cluster.
struct Named {
    name: &'static str,
    path: &'static str,
    cidr: Cidr,
}

fn ranges(parsed: &Parsed) -> Vec<Named> {
    let network = &parsed.written.network;
    let pods = Named { name: "pod range", path: PODS, cidr: network.pods };
    let services = Named { name: "service range", path: SERVICES, cidr: network.services };
    [pods, services].into_iter().filter(|range| parsed.sound(range.path)).collect()
}

fn two_ranges(parsed: &Parsed, ranges: &[Named]) -> Option<Problem> {
    let [pods, services] = ranges else { return None };
    if !pods.cidr.overlaps(services.cidr) {
        return None;
    }
    let message =
        format!("the pod range {} and the service range {} overlap", pods.cidr, services.cidr);
    let problem = match (parsed.has(PODS), parsed.has(SERVICES)) {
        (true, true) => Problem::new("overlap", parsed.value_at(SERVICES), message)
            .also(parsed.value_at(PODS), "the pod range"),
        (true, false) => Problem::new("overlap", parsed.value_at(PODS), message),
        (false, _) => Problem::new("overlap", parsed.value_at(SERVICES), message),
    };
    Some(problem.help("give each a range of its own"))
}

/// Checks the API server's limit of twenty bits, and room for the DNS's tenth address.
fn service_size(parsed: &Parsed) -> Option<Problem> {
    let services = parsed.written.network.services;
    let (least, most, such_as) = match services.family() {
        Family::V4 => (12, 28, settings::SERVICES),
        Family::V6 => (108, 124, settings::SERVICES_V6),
    };
    if !parsed.sound(SERVICES) || (least..=most).contains(&services.prefix()) {
        return None;
    }
    let message =
        format!("the service range {services} has a prefix outside {least} to {most} bits");
    let problem = Problem::new("service-range-size", parsed.value_at(SERVICES), message);
    Some(problem.help(format!("use a range such as {such_as}")))
}

/// Checks that a node's part has room for its pods, and is one that the family has.
fn node_prefix(parsed: &Parsed) -> Option<Problem> {
    let network = &parsed.written.network;
    if !parsed.sound(PODS) || !parsed.sound(NODE_PREFIX) {
        return None;
    }
    let family = network.pods.family();
    let (least, most) = match family {
        Family::V4 => (16, 25),
        Family::V6 => (56, 120),
    };
    if (least..=most).contains(&network.node_prefix) {
        return None;
    }
    let message =
        format!("a node's part of a pod range of {family} is no /{}", network.node_prefix);
    let problem = Problem::new("node-prefix", parsed.value_at(NODE_PREFIX), message);
    Some(problem.help(format!("write a nodePrefix from {least} to {most}")))
}

fn room(parsed: &Parsed, nodes: usize) -> Option<Problem> {
    let network = &parsed.written.network;
    if !parsed.sound(PODS) || !parsed.sound(NODE_PREFIX) {
        return None;
    }
    let bits = u32::from(network.node_prefix).checked_sub(network.pods.prefix().into());
    let parts = bits.map_or(0, |bits| 1u128.checked_shl(bits).unwrap_or(u128::MAX));
    if parts >= nodes as u128 {
        return None;
    }
    let at = match parsed.has(NODE_PREFIX) {
        true => parsed.value_at(NODE_PREFIX),
        false => parsed.value_at(PODS),
    };
    let message = format!(
        "the pod range {} has room for {parts} nodes with /{} each, and there are {nodes}",
        network.pods, network.node_prefix
    );
    let problem = Problem::new("too-few-pod-ranges", at, message);
    Some(problem.help("use a larger pod range, or a longer nodePrefix"))
}

/// Says where a network of the user's own is to do what only ringfort's does.
fn masquerade(parsed: &Parsed) -> Option<Problem> {
    let network = &parsed.written.network;
    if !network.masquerade || network.provider == Provider::Ringfort {
        return None;
    }
    let message = "nobody looks at `masquerade`: the network is your own";
    let problem = Problem::new("unused-field", parsed.key_at(MASQUERADE), message)
        .also(parsed.value_at(PROVIDER), "your own");
    Some(problem.help("remove it, and have that network masquerade (Cilium and Calico can)"))
}

/// An address outside the cluster's ranges that must stay reachable.
struct Outside {
    what: &'static str,
    address: IpAddr,
    at: Range<usize>,
}

fn addresses(parsed: &Parsed, machines: &[Machine<'_>]) -> Vec<Outside> {
    let mut found = Vec::new();
    for machine in machines {
        let described = format!("{}/address", machine.path);
        let path = if parsed.has(&described) { &described } else { &machine.path };
        let at = parsed.value_at(path);
        found.extend(machine.address.map(|address| Outside { what: "machine", address, at }));
    }
    for (index, server) in parsed.written.dns.upstream.iter().enumerate() {
        let at = parsed.value_at(&format!("/dns/upstream/{index}"));
        found.extend(server.map(|address| Outside { what: "name server", address, at }));
    }
    if let Some(EndpointHost::Address(address)) = parsed.written.endpoint.as_ref().map(|e| &e.host)
    {
        let at = parsed.value_at("/endpoint");
        found.push(Outside { what: "endpoint", address: *address, at });
    }
    found
}

/// Says once for a range which addresses it takes away.
fn captured(parsed: &Parsed, range: &Named, outside: &[Outside]) -> Option<Problem> {
    let mut inside = outside.iter().filter(|outside| range.cidr.contains(outside.address));
    let first = inside.next()?;
    let (what, address) = (first.what, first.address);
    let others = match inside.count() {
        0 => String::new(),
        1 => " and one more".to_owned(),
        many => format!(" and {many} more"),
    };
    let message = format!("the {} {} holds the {what} {address}{others}", range.name, range.cidr);
    let problem = match parsed.has(range.path) {
        true => Problem::new("overlap", parsed.value_at(range.path), message)
            .also(first.at.clone(), format!("the {what}")),
        false => Problem::new("overlap", first.at.clone(), message),
    };
    let field = range.path.trim_start_matches('/').replace('/', ".");
    Some(problem.help(format!("give `{field}` a range that is used nowhere else")))
}

pub(super) const PODS: &str = "/network/pods";
pub(super) const SERVICES: &str = "/network/services";
const NODE_PREFIX: &str = "/network/nodePrefix";
const PROVIDER: &str = "/network/provider";
const MASQUERADE: &str = "/network/masquerade";
