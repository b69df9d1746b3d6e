//! The machine's links: addresses, hardware addresses, and how much a packet carries.

use std::net::IpAddr;

use serde::Deserialize;

use crate::tools::{Tools, run};

/// What the links say.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Links {
    pub(super) macs: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) mtu_bytes: Option<u32>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    ifname: String,
    #[serde(default)]
    link_type: String,
    address: Option<String>,
    mtu: Option<u32>,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    local: Option<IpAddr>,
    scope: Option<String>,
}

/// Links that engines of containers make: their hardware addresses repeat on every machine.
const OF_ENGINES: &[&str] =
    &["br-", "cali", "cilium", "cni", "docker", "flannel", "ringfort", "veth", "virbr"];

/// Asks `ip`; what it cannot say stays empty.
pub(super) fn read(tools: &dyn Tools) -> Links {
    let addresses = run(tools, "ip", &["-j", "address"]).unwrap_or_default();
    let default = run(tools, "ip", &["-j", "route", "show", "default"]).unwrap_or_default();
    parse(&addresses, &default)
}

fn parse(addresses: &str, default: &str) -> Links {
    let links: Vec<Link> = serde_json::from_str(addresses).unwrap_or_default();
    let of_machine = |link: &&Link| {
        link.link_type != "loopback" && !OF_ENGINES.iter().any(|name| link.ifname.starts_with(name))
    };
    let links: Vec<&Link> = links.iter().filter(of_machine).collect();
    let global = |link: &&&Link| link.addr_info.iter().any(Address::is_global);
    let way_out = way_out(default);
    let main = links.iter().find(|link| Some(&link.ifname) == way_out.as_ref());
    Links {
        macs: links.iter().filter_map(|link| link.address.clone()).collect(),
        addresses: links
            .iter()
            .flat_map(|link| &link.addr_info)
            .filter(|address| address.is_global())
            .filter_map(|address| address.local)
            .collect(),
        mtu_bytes: main.or_else(|| links.iter().find(global)).and_then(|link| link.mtu),
    }
}

impl Address {
    fn is_global(&self) -> bool {
        self.scope.as_deref() == Some("global")
    }
}

fn way_out(default: &str) -> Option<String> {
    let routes: Vec<serde_json::Value> = serde_json::from_str(default).ok()?;
    Some(routes.first()?.get("dev")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Links, parse};

    #[test]
    fn links_of_engines_and_loopback_do_not_count() {
        let addresses = r#"[
          {"ifname":"lo","link_type":"loopback","mtu":65536,"address":"00:00:00:00:00:00",
           "addr_info":[{"local":"127.0.0.1","scope":"host"}]},
          {"ifname":"docker0","link_type":"ether","mtu":1500,"address":"02:42:ac:11:00:01",
           "addr_info":[{"local":"172.17.0.1","scope":"global"}]},
          {"ifname":"eth0","link_type":"ether","mtu":9000,"address":"52:54:00:00:00:01",
           "addr_info":[{"local":"10.77.0.11","scope":"global"},{"local":"fe80::1","scope":"link"}]},
          {"ifname":"eth1","link_type":"ether","mtu":1400,"address":"52:54:00:00:00:02","addr_info":[]}]"#;
        let expected = |mtu| Links {
            macs: vec!["52:54:00:00:00:01".to_owned(), "52:54:00:00:00:02".to_owned()],
            addresses: vec!["10.77.0.11".parse().unwrap()],
            mtu_bytes: Some(mtu),
        };
        assert_eq!(parse(addresses, "[]"), expected(9000));
        assert_eq!(parse(addresses, r#"[{"dst":"default","dev":"eth1"}]"#), expected(1400));
        assert_eq!(parse("", ""), Links::default());
    }
}
