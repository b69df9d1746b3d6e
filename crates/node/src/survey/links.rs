//! The machine's links: addresses, hardware addresses, and how much a packet carries.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::Deserialize;

use ringfort_model::survey::LinkSeen;

use super::text;
use crate::root::Root;
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
    /// Nothing new is begun from such an address.
    #[serde(default)]
    deprecated: bool,
    /// Somebody gave it for a time.
    #[serde(default)]
    dynamic: bool,
    /// For how many seconds.
    valid_life_time: Option<u32>,
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

#[derive(Deserialize)]
struct WayOut {
    #[serde(default)]
    dev: String,
}

/// Names the links through which the kernel goes out by what routers advertise, and which take no more of it once the
/// machine forwards packets. What a program of the machine hears of routers itself is not among them: it has the kernel
/// take nothing (<https://docs.kernel.org/networking/ip-sysctl.html>, `accept_ra`).
pub(super) fn advertised(root: &Root, tools: &dyn Tools) -> Option<Vec<String>> {
    let listed = run(tools, "ip", &["-j", "-6", "route", "show", "default", "proto", "ra"]).ok()?;
    // Nothing to list is an empty answer with some versions.
    let listed = if listed.trim().is_empty() { "[]" } else { listed.as_str() };
    let ways: Vec<WayOut> = serde_json::from_str(listed).ok()?;
    let links: BTreeSet<String> = ways.into_iter().map(|way| way.dev).collect();
    let mut deaf = Vec::new();
    for link in links {
        if goes_deaf(root, &link)? {
            deaf.push(link);
        }
    }
    Some(deaf)
}

/// Gives the addresses that the kernel made of what such links heard, and which end some time after they hear no more.
pub(super) fn lent(root: &Root, tools: &dyn Tools) -> Option<Vec<IpAddr>> {
    let listed = run(tools, "ip", &["-j", "address"]).ok()?;
    let links: Vec<Link> = serde_json::from_str(&listed).ok()?;
    let mut lent = Vec::new();
    for link in links.iter().filter(|link| link.ifname != DEVICE) {
        let made = link.addr_info.iter().filter(|address| address.is_made_for_a_time());
        let made: Vec<IpAddr> = made.filter_map(|address| address.local).collect();
        if !made.is_empty() && goes_deaf(root, &link.ifname)? {
            lent.extend(made);
        }
    }
    Some(lent)
}

/// Says whether the kernel takes what routers advertise on a link, and no more once it forwards packets. Of a setting that
/// cannot be read nobody knows whether it is a harmless one.
fn goes_deaf(root: &Root, link: &str) -> Option<bool> {
    text(root, &format!("proc/sys/net/ipv6/conf/{link}/accept_ra")).map(|setting| setting == "1")
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
    /// An address of IPv6 that only ends what was begun from it is none that others know the machine by.
    fn is_global(&self) -> bool {
        let is_ending = self.deprecated && self.local.is_some_and(|it| it.is_ipv6());
        self.scope.as_deref() == Some("global") && !is_ending
    }

    /// The kernel makes addresses of the half of 128 bits that is advertised (RFC 4862); one that is leased by DHCP has
    /// another prefix as a rule.
    fn is_made_for_a_time(&self) -> bool {
        let is_of_six = self.prefixlen == Some(64) && self.local.is_some_and(|it| it.is_ipv6());
        let ends = self.dynamic && self.valid_life_time.is_some_and(|seconds| seconds != u32::MAX);
        is_of_six && ends && self.is_global()
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use ringfort_model::survey::{LinkSeen, Survey};

    use super::{advertised, lent, parse};
    use crate::root::Root;
    use crate::tools::{Said, Tools};

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
    fn an_address_of_ipv6_that_is_deprecated_is_none_of_the_links() {
        let addresses = r#"[{"ifname":"eth0","link_type":"ether","mtu":1500,"address":"52:54:00:00:00:01",
          "addr_info":[{"local":"fd00::11","prefixlen":64,"scope":"global"},
                       {"local":"fd00::5054:ff:fe00:1","prefixlen":64,"scope":"global","deprecated":true},
                       {"local":"10.0.0.9","prefixlen":24,"scope":"global","deprecated":true}]}]"#;
        let found = parse(addresses).unwrap().remove(0).addresses;
        assert_eq!(found, [("fd00::11".parse().unwrap(), 64), ("10.0.0.9".parse().unwrap(), 24)]);
    }

    /// A machine whose `ip` answers every question with one text.
    struct Answers(String);

    impl Tools for Answers {
        fn run(&self, _: &str, _: &[&str]) -> io::Result<Said> {
            Ok(Said { well: true, stdout: self.0.clone(), ..Said::default() })
        }
    }

    /// A machine whose links take what routers advertise in each of the three ways.
    fn with_settings() -> tempfile::TempDir {
        let room = tempfile::tempdir().unwrap();
        for (link, setting) in [("eth0", "1\n"), ("eth1", "2\n"), ("eth2", "0\n")] {
            let directory = room.path().join(format!("proc/sys/net/ipv6/conf/{link}"));
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("accept_ra"), setting).unwrap();
        }
        room
    }

    #[test]
    fn an_address_that_would_end_is_told() {
        let room = with_settings();
        let check = |link: &str, more: &str, expected: Option<usize>| {
            let told = format!(
                r#"[{{"ifname":"{link}","link_type":"ether","mtu":1500,"addr_info":[
                     {{"local":"fd00::11","prefixlen":64,"scope":"global"{more}}}]}}]"#
            );
            let found = lent(&Root::new(room.path()), &Answers(told));
            assert_eq!(found.map(|all| all.len()), expected, "{link}{more}");
        };
        let made = r#","dynamic":true,"valid_life_time":86400"#;
        check("eth0", made, Some(1));
        check("eth0", "", Some(0));
        check("eth0", r#","dynamic":true,"valid_life_time":4294967295"#, Some(0));
        check("eth1", made, Some(0));
        check("eth2", made, Some(0));
        check("eth3", made, None);
        check("eth3", "", Some(0));
    }

    #[test]
    fn a_way_out_that_would_go_is_told_by_its_link() {
        let room = with_settings();
        let look = |told: &str| advertised(&Root::new(room.path()), &Answers(told.to_owned()));
        let way = r#"[{"dst":"default","gateway":"fe80::1","dev":"eth0","flags":[]},
                      {"dst":"default","gateway":"fe80::1","dev":"eth1","flags":[]},
                      {"dst":"default","gateway":"fe80::1","dev":"eth2","flags":[]}]"#;
        assert_eq!(look(way), Some(vec!["eth0".to_owned()]));
        assert_eq!(look(&way.replace("eth2", "eth3")), None, "it was not looked at");
        assert_eq!(look(""), Some(Vec::new()));
        assert_eq!(look("[ ]"), Some(Vec::new()));
        assert_eq!(look("{"), None);
    }

    #[test]
    fn an_answer_that_is_not_understood_is_none() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("[]"), Some(Vec::new()));
    }
}
