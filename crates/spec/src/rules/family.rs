//! The rule that a cluster speaks one family of addresses: whatever has one in the file, machines, ranges, the endpoint
//! and the servers that are asked or told, has one of the first machine's family.

use std::fmt::Display;
use std::ops::Range;

use ringfort_model::net::Family;
use ringfort_model::receiver::HttpsUrl;

use super::network::{PODS, SERVICES};
use super::{Machine, machines};
use crate::endpoint::EndpointHost;
use crate::parsed::Parsed;
use crate::report::Problem;
use crate::written::Written;

/// Gives the family that a file's cluster speaks: that of its first machine.
pub(crate) fn family_of(written: &Written) -> Family {
    let first = machines(written).iter().find_map(|machine| machine.address);
    first.map_or(Family::V4, Family::of)
}

/// Says once which fields are of another family.
pub(super) fn look(parsed: &Parsed, machines: &[Machine<'_>]) -> Option<Problem> {
    let said = said(parsed, machines);
    let first = said.first()?;
    let strays: Vec<&Said> = said.iter().filter(|it| it.family != first.family).collect();
    let stray = strays.first()?;
    let told: Vec<&str> = strays.iter().take(TOLD).map(|it| it.words.as_str()).collect();
    let more = match strays.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let are = if strays.len() == 1 { "is" } else { "are" };
    let message = format!(
        "{}{more} {are} of {}, and {} is of {}",
        told.join(", "),
        stray.family,
        first.words,
        first.family
    );
    let problem = Problem::new("two-families", stray.at.clone(), message)
        .label(stray.family.to_string())
        .also(first.at.clone(), first.family.to_string());
    Some(problem.help(
        "a cluster has one family: write all machines, ranges, the endpoint and servers in IPv4, or all in IPv6",
    ))
}

/// How many fields are named.
const TOLD: usize = 4;

/// A field that says an address or a range.
struct Said {
    /// The field, and what it says.
    words: String,
    family: Family,
    at: Range<usize>,
}

/// Gives them in the order in which they decide: the first machine before all.
fn said(parsed: &Parsed, machines: &[Machine<'_>]) -> Vec<Said> {
    let written = &parsed.written;
    let mut found = Vec::new();
    let mut add = |path: &str, family: Family, value: &dyn Display| {
        let field = path.trim_start_matches('/').replace('/', ".");
        let (words, at) = (format!("`{field}` ({value})"), parsed.value_at(path));
        found.push(Said { words, family, at });
    };
    for machine in machines {
        if let Some(address) = machine.address {
            let described = format!("{}/address", machine.path);
            let path = if parsed.has(&described) { &described } else { &machine.path };
            add(path, Family::of(address), &address);
        }
    }
    for (path, range) in [(PODS, written.network.pods), (SERVICES, written.network.services)] {
        if parsed.has(path) && parsed.sound(path) {
            add(path, range.family(), &range);
        }
    }
    if let Some(endpoint) = &written.endpoint
        && let EndpointHost::Address(address) = endpoint.host
    {
        add("/endpoint", Family::of(address), endpoint);
    }
    for (index, server) in written.dns.upstream.iter().enumerate() {
        if let Some(address) = server {
            add(&format!("/dns/upstream/{index}"), Family::of(*address), address);
        }
    }
    let tell = &written.audit.tell;
    if let Some(webhook) = &tell.webhook {
        if let Some(address) = webhook.url.as_ref().and_then(HttpsUrl::address) {
            add("/audit/tell/webhook/url", Family::of(address), &address);
        }
        if let Some(address) = webhook.address {
            add("/audit/tell/webhook/address", Family::of(address), &address);
        }
    }
    if let Some(at) = tell.syslog.as_ref().and_then(|syslog| syslog.address) {
        add("/audit/tell/syslog/address", Family::of(at.ip()), &at);
    }
    found
}
