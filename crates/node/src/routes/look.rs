//! What is there: routes of ours, our device with its neighbours, and the link that carries the
//! node's address. Read from the JSON of `ip` and `bridge`.

use std::net::IpAddr;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use ringfort_model::net::Cidr;
use ringfort_model::routes::Routes;

use super::wireguard::{self, Link};
use super::{DEVICE, PROTOCOL, RULE, TABLE};
use crate::tools::{ToolError, Tools, run};

/// Says why what is there could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// A program failed.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// Its answer was not understood.
    #[error("the answer of {command} is not understood: {why}")]
    Astray {
        /// The program and its arguments.
        command: String,
        /// What is wrong with it.
        why: String,
    },
    /// The kernel does not tell of its WireGuard device.
    #[error("the kernel does not tell of its WireGuard device")]
    Tunnel {
        /// What it said.
        source: std::io::Error,
    },
    /// No link carries the node's address.
    #[error("no link of this machine carries {address}: correct the node's address in the spec")]
    Elsewhere {
        /// The address.
        address: IpAddr,
    },
}

/// What is there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Present {
    /// Routes that carry our number.
    pub(super) routes: Vec<Route>,
    /// The ranges whose packets are led through our table.
    pub(super) rules: Vec<Cidr>,
    /// The segment that the node's address is on.
    pub(super) segment: Cidr,
    /// What a packet on it may hold, in bytes.
    pub(super) mtu_bytes: u32,
    /// Our device, if it is there.
    pub(super) device: Option<Device>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Route {
    pub(super) to: Cidr,
    pub(super) via: Option<IpAddr>,
    pub(super) device: String,
    pub(super) table: Table,
    pub(super) kind: Kind,
}

impl Route {
    /// A route of last resort: what has no other way is refused.
    pub(super) fn unreachable(to: Cidr) -> Self {
        Self { to, via: None, device: String::new(), table: Table::Main, kind: Kind::Unreachable }
    }
}

/// Which packets a route is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Table {
    /// All.
    Main,
    /// Those of own pods.
    Own,
}

/// What a route does with packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Sends them on.
    Way,
    /// Refuses them.
    Unreachable,
}

/// Our device.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Device {
    pub(super) local: Option<IpAddr>,
    pub(super) mtu_bytes: u32,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) up: bool,
    /// Neighbours: which hardware address an address has.
    pub(super) neighbours: Vec<(IpAddr, String)>,
    /// Forwarding: which node a hardware address is behind.
    pub(super) forwarding: Vec<(String, IpAddr)>,
    /// What the kernel's WireGuard says, if it is a device of that kind.
    pub(super) tunnel: Option<Link>,
}

/// Looks at what is there.
pub(super) fn present(tools: &dyn Tools, wanted: &Routes) -> Result<Present, LookError> {
    let links: Vec<Carrier> = ask(tools, &["ip", "-j", "-d", "address"])?;
    let own = wanted.own.address;
    let foreign = links.iter().filter(|link| link.ifname != DEVICE);
    let carrier = foreign.clone().find_map(|link| {
        let address = link.addr_info.iter().find(|address| address.local == Some(own))?;
        Some((Cidr::holding(own, address.prefixlen)?, link.mtu))
    });
    let (segment, mtu_bytes) = carrier.ok_or(LookError::Elsewhere { address: own })?;
    let ours = links.iter().find(|link| link.ifname == DEVICE);
    let device = ours.map(|link| device(tools, link)).transpose()?;
    let mut routes = routes(tools, "-4")?;
    routes.extend(self::routes(tools, "-6")?);
    let rules = rules(tools, if wanted.own.pods.base().is_ipv4() { "-4" } else { "-6" })?;
    Ok(Present { routes, rules, segment, mtu_bytes, device })
}

fn device(tools: &dyn Tools, link: &Carrier) -> Result<Device, LookError> {
    let is_tunnel =
        link.linkinfo.as_ref().is_some_and(|info| info.info_kind.as_deref() == Some("wireguard"));
    if is_tunnel {
        let tunnel = wireguard::look().map_err(|source| LookError::Tunnel { source })?;
        return Ok(Device { tunnel: Some(tunnel), ..Device::of(link) });
    }
    let neighbours: Vec<Neighbour> = ask(tools, &["ip", "-j", "neighbour", "show", "dev", DEVICE])?;
    let forwarding: Vec<Forwarding> = ask(tools, &["bridge", "-j", "fdb", "show", "dev", DEVICE])?;
    let kind = link.linkinfo.as_ref().and_then(|info| info.info_data.as_ref());
    let lasting = |neighbour: &Neighbour| neighbour.state.iter().any(|state| state == "PERMANENT");
    Ok(Device {
        local: kind.and_then(|data| data.local.or(data.local6)),
        neighbours: neighbours
            .into_iter()
            .filter(lasting)
            .filter_map(|neighbour| Some((neighbour.dst, neighbour.lladdr?)))
            .collect(),
        forwarding: forwarding.into_iter().filter_map(|f| Some((f.mac, f.dst?))).collect(),
        ..Device::of(link)
    })
}

impl Device {
    fn of(link: &Carrier) -> Self {
        Self {
            mtu_bytes: link.mtu,
            addresses: link.addr_info.iter().filter_map(|address| address.local).collect(),
            up: link.flags.iter().any(|flag| flag == "UP"),
            ..Self::default()
        }
    }
}

fn routes(tools: &dyn Tools, family: &str) -> Result<Vec<Route>, LookError> {
    let listed: Vec<Listed> =
        ask(tools, &["ip", "-j", family, "route", "show", "table", "all", "proto", PROTOCOL])?;
    Ok(listed.into_iter().filter_map(Listed::route).collect())
}

fn rules(tools: &dyn Tools, family: &str) -> Result<Vec<Cidr>, LookError> {
    let listed: Vec<Rule> = ask(tools, &["ip", "-j", family, "rule", "show", "priority", RULE])?;
    Ok(listed.into_iter().filter_map(Rule::range).collect())
}

fn ask<T: DeserializeOwned>(tools: &dyn Tools, command: &[&str]) -> Result<Vec<T>, LookError> {
    let text = run(tools, command[0], &command[1..])?;
    // Nothing to list is an empty answer with some versions.
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(&text)
        .map_err(|error| LookError::Astray { command: command.join(" "), why: error.to_string() })
}

#[derive(Deserialize)]
struct Listed {
    dst: String,
    gateway: Option<IpAddr>,
    #[serde(default)]
    dev: String,
    /// Absent in the main table.
    table: Option<String>,
    /// Absent for routes that send on.
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Listed {
    /// A single address is listed without its prefix.
    fn route(self) -> Option<Route> {
        let single = || {
            self.dst
                .parse::<IpAddr>()
                .ok()
                .and_then(|a| Cidr::holding(a, if a.is_ipv4() { 32 } else { 128 }))
        };
        let to = self.dst.parse().ok().or_else(single)?;
        let table = if self.table.as_deref() == Some(TABLE) { Table::Own } else { Table::Main };
        if self.kind.as_deref() == Some("unreachable") {
            return Some(Route::unreachable(to));
        }
        Some(Route { to, via: self.gateway, device: self.dev, table, kind: Kind::Way })
    }
}

#[derive(Deserialize)]
struct Rule {
    src: String,
    srclen: Option<u8>,
    #[serde(default)]
    table: String,
}

impl Rule {
    fn range(self) -> Option<Cidr> {
        let is_ours = self.table == TABLE;
        is_ours.then(|| Cidr::holding(self.src.parse().ok()?, self.srclen?)).flatten()
    }
}

#[derive(Deserialize)]
struct Carrier {
    #[serde(default)]
    ifname: String,
    #[serde(default)]
    mtu: u32,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    addr_info: Vec<Address>,
    linkinfo: Option<Info>,
}

#[derive(Deserialize)]
struct Address {
    local: Option<IpAddr>,
    #[serde(default)]
    prefixlen: u8,
}

#[derive(Deserialize)]
struct Info {
    info_kind: Option<String>,
    info_data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    local: Option<IpAddr>,
    local6: Option<IpAddr>,
}

#[derive(Deserialize)]
struct Neighbour {
    dst: IpAddr,
    lladdr: Option<String>,
    #[serde(default)]
    state: Vec<String>,
}

#[derive(Deserialize)]
struct Forwarding {
    mac: String,
    dst: Option<IpAddr>,
}

#[cfg(test)]
mod tests {
    use super::{Kind, Listed, Route, Rule, Table};

    #[test]
    fn routes_are_read_as_ip_lists_them() {
        let check = |text: &str, expected: Option<(&str, Option<&str>, &str)>| {
            let route = serde_json::from_str::<Listed>(text).unwrap().route();
            let expected = expected.map(|(to, via, device)| Route {
                to: to.parse().unwrap(),
                via: via.map(|via| via.parse().unwrap()),
                device: device.to_owned(),
                table: Table::Main,
                kind: Kind::Way,
            });
            assert_eq!(route, expected, "{text}");
        };
        check(
            r#"{"dst":"10.244.1.0/24","gateway":"10.77.0.12","dev":"host0","flags":[]}"#,
            Some(("10.244.1.0/24", Some("10.77.0.12"), "host0")),
        );
        check(r#"{"dst":"10.244.1.7","dev":"x"}"#, Some(("10.244.1.7/32", None, "x")));
        check(r#"{"dst":"default","dev":"x"}"#, None);
    }

    #[test]
    fn tables_refusals_and_rules_are_told_apart() {
        let read = |text: &str| serde_json::from_str::<Listed>(text).unwrap().route().unwrap();
        let own = read(r#"{"dst":"10.77.0.12","dev":"d0","table":"82","scope":"link","flags":[]}"#);
        assert_eq!((own.table, own.kind), (Table::Own, Kind::Way));
        let last = read(r#"{"type":"unreachable","dst":"10.244.1.0/24","metric":8200,"flags":[]}"#);
        assert_eq!(last, Route::unreachable("10.244.1.0/24".parse().unwrap()));
        let range = |text: &str| serde_json::from_str::<Rule>(text).unwrap().range();
        let ours = r#"{"priority":8200,"src":"10.244.0.0","srclen":24,"table":"82"}"#;
        assert_eq!(range(ours), Some("10.244.0.0/24".parse().unwrap()));
        assert_eq!(range(&ours.replace(r#""82""#, r#""main""#)), None);
        assert_eq!(range(r#"{"priority":8200,"src":"all","table":"82"}"#), None);
    }
}
