//! The machine's links: addresses, hardware addresses, and how much a packet carries.

use std::net::IpAddr;

use serde::Deserialize;

use ringfort_model::survey::LinkSeen;

use crate::routes::DEVICE;
use crate::tools::{Tools, run};

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
    prefixlen: Option<u8>,
    scope: Option<String>,
}

/// Links that engines of containers make: their hardware addresses repeat on every machine.
const OF_ENGINES: &[&str] =
    &["br-", "cali", "cilium", "cni", "docker", "flannel", "lxcbr", "ringfort", "veth", "virbr"];

/// What the kernel shows for links that have no hardware address of their own.
const NONE: &str = "00:00:00:00:00:00";

/// Asks `ip`.
pub(super) fn read(tools: &dyn Tools) -> Option<Vec<LinkSeen>> {
    parse(&run(tools, "ip", &["-j", "address"]).ok()?)
}

fn parse(addresses: &str) -> Option<Vec<LinkSeen>> {
    let links: Vec<Link> = serde_json::from_str(addresses).ok()?;
    // The device of routes carries the machine's own address as well, and is ringfort's.
    let is_of_machine = |link: &Link| link.link_type != "loopback" && link.ifname != DEVICE;
    Some(links.into_iter().filter(is_of_machine).map(Link::seen).collect())
}

impl Link {
    fn seen(self) -> LinkSeen {
        let is_own = self.link_type == "ether"
            && !OF_ENGINES.iter().any(|name| self.ifname.starts_with(name));
        let of_it = self.addr_info.iter().filter(|address| address.is_global());
        LinkSeen {
            addresses: of_it.filter_map(|it| Some((it.local?, it.prefixlen?))).collect(),
            mac: self.address.filter(|mac| is_own && mac != NONE),
            mtu_bytes: self.mtu,
            name: self.ifname,
        }
    }
}

impl Address {
    fn is_global(&self) -> bool {
        self.scope.as_deref() == Some("global")
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::survey::{LinkSeen, Survey};

    use super::parse;

    #[test]
    fn each_link_has_its_own_addresses_and_size() {
        let addresses = r#"[
          {"ifname":"lo","link_type":"loopback","mtu":65536,"address":"00:00:00:00:00:00",
           "addr_info":[{"local":"127.0.0.1","prefixlen":8,"scope":"host"}]},
          {"ifname":"eth0","link_type":"ether","mtu":1500,"address":"52:54:00:00:00:01",
           "addr_info":[{"local":"192.0.2.1","prefixlen":24,"scope":"global"},
                        {"local":"fe80::1","prefixlen":64,"scope":"link"}]},
          {"ifname":"eth1","link_type":"ether","mtu":1450,"address":"52:54:00:00:00:02",
           "addr_info":[{"local":"10.77.0.11","prefixlen":16,"scope":"global"}]}]"#;
        let link = |name: &str, mac: &str, address: &str, prefix, mtu| LinkSeen {
            name: name.to_owned(),
            mac: Some(mac.to_owned()),
            addresses: vec![(address.parse().unwrap(), prefix)],
            mtu_bytes: Some(mtu),
        };
        let expected = [
            link("eth0", "52:54:00:00:00:01", "192.0.2.1", 24, 1500),
            link("eth1", "52:54:00:00:00:02", "10.77.0.11", 16, 1450),
        ];
        assert_eq!(parse(addresses).unwrap(), expected);
    }

    #[test]
    fn the_device_of_routes_is_no_link_of_the_machine() {
        let addresses = r#"[
          {"ifname":"ringfort0","link_type":"none","mtu":1440,
           "addr_info":[{"local":"10.77.0.11","prefixlen":32,"scope":"global"}]},
          {"ifname":"bond0","link_type":"ether","mtu":1500,"address":"52:54:00:00:00:01",
           "addr_info":[{"local":"10.77.0.11","prefixlen":16,"scope":"global"}]}]"#;
        let links = Some(parse(addresses).unwrap());
        let survey = Survey { links, ..Survey::default() };
        let address = "10.77.0.11".parse().unwrap();
        assert_eq!(survey.link_of(address).unwrap().mtu_bytes, Some(1500));
        assert_eq!(survey.segment_of(address), "10.77.0.0/16".parse().ok());
    }

    #[test]
    fn only_links_of_the_machine_itself_have_a_hardware_address() {
        let check = |name: &str, kind: &str, mac: &str, expected: Option<&str>| {
            let text = format!(
                r#"[{{"ifname":"{name}","link_type":"{kind}","mtu":1500,"address":"{mac}",
                     "addr_info":[{{"local":"10.0.0.1","prefixlen":24,"scope":"global"}}]}}]"#
            );
            let link = parse(&text).unwrap().remove(0);
            assert_eq!(link.mac.as_deref(), expected, "{name}");
            // Its addresses are the machine's all the same.
            assert_eq!(link.addresses.len(), 1, "{name}");
        };
        let real = "52:54:00:00:00:01";
        check("bond0.100", "ether", real, Some(real));
        check("br-lan", "ether", real, None);
        check("docker0", "ether", "02:42:ac:11:00:01", None);
        check("sit0", "sit", "0.0.0.0", None);
        check("gretap0", "ether", "00:00:00:00:00:00", None);
        check("wg0", "none", "", None);
    }

    #[test]
    fn an_answer_that_is_not_understood_is_none() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("[]"), Some(Vec::new()));
    }
}
