//! Compares what should be with what is there where packets of pods are encrypted, and gives the
//! steps between them. Pure, and incremental: a machine that comes, goes or changes its key disturbs
//! no other.
//!
//! Everything that a pod sends to another machine, its pods and itself, goes through WireGuard; and
//! so do the answers. Where the device is missing nothing goes out in the open instead.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use ringfort_model::net::Cidr;
use ringfort_model::routes::{Hop, Routes};
use ringfort_model::tunnel::{TUNNEL_PORT, Tunnel, TunnelKey};

use super::look::{Kind, Present, Route, Table};
use super::plan::{Step, address, command, family};
use super::wireguard::{Change, Link, Peer};
use super::{DEVICE, LAST, PROTOCOL, RULE, TABLE};

/// Gives the steps that lead from what is there to what should be.
pub(super) fn plan(
    wanted: &Routes,
    tunnel: &Tunnel,
    own_key: TunnelKey,
    present: &Present,
) -> Vec<Step> {
    let known: Vec<(&Hop, TunnelKey)> = wanted
        .peers
        .iter()
        .filter_map(|peer| Some((peer, *tunnel.peers.get(&peer.node)?)))
        .collect();
    let desired = desired(wanted, &known);
    let mut steps = Vec::new();
    // First what keeps packets from going out in the open.
    steps.extend(missing(&desired, present, |route| route.kind == Kind::Unreachable));
    device(wanted, own_key, &known, present, &mut steps);
    steps.extend(missing(&desired, present, |route| route.kind == Kind::Way));
    rule(wanted.own.pods, present, &mut steps);
    stale(&desired, present, &mut steps);
    steps
}

/// The routes that should be there.
fn desired(wanted: &Routes, known: &[(&Hop, TunnelKey)]) -> Vec<Route> {
    let through = |to: Cidr, table| Route {
        to,
        via: None,
        device: DEVICE.to_owned(),
        table,
        kind: Kind::Way,
    };
    let mut routes: Vec<Route> =
        wanted.peers.iter().map(|peer| Route::unreachable(peer.pods)).collect();
    for (peer, _) in known {
        routes.push(through(peer.pods, Table::Main));
        if let Some(address) = own_address(peer, wanted.own.pods) {
            routes.push(through(address, Table::Own));
        }
    }
    routes
}

/// A machine's own address, where pods can speak with it.
pub(super) fn own_address(peer: &Hop, pods: Cidr) -> Option<Cidr> {
    let is_spoken_to = peer.address.is_ipv4() == pods.base().is_ipv4();
    is_spoken_to.then(|| host(peer.address)).flatten()
}

fn host(address: IpAddr) -> Option<Cidr> {
    Cidr::holding(address, if address.is_ipv4() { 32 } else { 128 })
}

/// What WireGuard adds to a packet: its own header and seal, UDP, and the outer header of IP.
fn mtu_bytes(own: IpAddr, present: &Present) -> u32 {
    present.mtu_bytes.saturating_sub(if own.is_ipv4() { 60 } else { 80 })
}

fn device(
    wanted: &Routes,
    own_key: TunnelKey,
    known: &[(&Hop, TunnelKey)],
    present: &Present,
    out: &mut Vec<Step>,
) {
    let mtu_bytes = mtu_bytes(wanted.own.address, present);
    let device = present.device.as_ref().filter(|device| device.tunnel.is_some());
    if device.is_none() {
        if present.device.is_some() {
            out.push(command(&format!("ip link delete {DEVICE}")));
        }
        out.push(command(&format!("ip link add {DEVICE} mtu {mtu_bytes} type wireguard")));
    } else if device.is_some_and(|device| device.mtu_bytes != mtu_bytes) {
        out.push(command(&format!("ip link set {DEVICE} mtu {mtu_bytes}")));
    }
    let link = device.and_then(|device| device.tunnel.clone()).unwrap_or_default();
    out.extend(change(wanted, own_key, known, &link).map(Step::Configure));
    address(&wanted.own, device, out);
    if !device.is_some_and(|device| device.up) {
        out.push(command(&format!("ip link set {DEVICE} up")));
    }
}

/// What must be said to the kernel; `None` if it has it all.
fn change(
    wanted: &Routes,
    own_key: TunnelKey,
    known: &[(&Hop, TunnelKey)],
    link: &Link,
) -> Option<Change> {
    let peers: Vec<Peer> = known
        .iter()
        .map(|(hop, key)| Peer {
            key: *key,
            endpoint: Some(SocketAddr::new(hop.address, TUNNEL_PORT)),
            // Processes of the machine itself answer pods with its own address.
            allowed: [Some(hop.pods), own_address(hop, wanted.own.pods)]
                .into_iter()
                .flatten()
                .collect(),
        })
        .collect();
    let keys: BTreeSet<TunnelKey> = peers.iter().map(|peer| peer.key).collect();
    let gone = link.peers.iter().map(|peer| peer.key).filter(|key| !keys.contains(key));
    let change = Change {
        key: link.key != Some(own_key),
        port: (link.port != TUNNEL_PORT).then_some(TUNNEL_PORT),
        removed: gone.collect(),
        set: peers.into_iter().filter(|peer| !link.peers.contains(peer)).collect(),
    };
    (change != Change::default()).then_some(change)
}

fn missing(desired: &[Route], present: &Present, which: fn(&Route) -> bool) -> Vec<Step> {
    // Routes go with the device that is about to be made anew.
    let device_stays = present.device.as_ref().is_some_and(|device| device.tunnel.is_some());
    let there = |route: &Route| {
        present.routes.contains(route) && (route.kind == Kind::Unreachable || device_stays)
    };
    desired.iter().filter(|route| which(route) && !there(route)).map(replace).collect()
}

fn replace(route: &Route) -> Step {
    command(&format!("ip {} route replace {} proto {PROTOCOL}", family(route.to), words(route)))
}

/// Takes away what is no longer wanted, unless what is wanted has taken its place.
fn stale(desired: &[Route], present: &Present, out: &mut Vec<Step>) {
    let replaced = |route: &Route| {
        let same = |other: &&Route| {
            (other.to, other.table, other.kind) == (route.to, route.table, route.kind)
        };
        desired.iter().any(|wanted| same(&wanted))
    };
    for route in present.routes.iter().filter(|route| !replaced(route)) {
        out.push(remove(route));
    }
}

/// Takes a route away.
pub(super) fn remove(route: &Route) -> Step {
    command(&format!("ip {} route delete {} proto {PROTOCOL}", family(route.to), words(route)))
}

fn words(route: &Route) -> String {
    let to = route.to;
    match (route.kind, route.table) {
        (Kind::Unreachable, _) => format!("unreachable {to} metric {LAST}"),
        (Kind::Way, Table::Own) => format!("{to} dev {DEVICE} table {TABLE}"),
        (Kind::Way, Table::Main) if route.device == DEVICE => format!("{to} dev {DEVICE}"),
        (Kind::Way, Table::Main) => to.to_string(),
    }
}

/// Sends what own pods say to other machines through the table that leads into the tunnel.
pub(super) fn rule(pods: Cidr, present: &Present, out: &mut Vec<Step>) {
    for other in present.rules.iter().filter(|rule| **rule != pods) {
        out.push(remove_rule(*other));
    }
    if !present.rules.contains(&pods) {
        let family = family(pods);
        out.push(command(&format!(
            "ip {family} rule add from {pods} lookup {TABLE} priority {RULE} protocol {PROTOCOL}"
        )));
    }
}

/// Takes a rule away.
pub(super) fn remove_rule(pods: Cidr) -> Step {
    command(&format!("ip {} rule delete from {pods} lookup {TABLE} priority {RULE}", family(pods)))
}

#[cfg(test)]
mod tests {
    use ringfort_model::name::NodeName;
    use ringfort_model::routes::{Hop, RouteMode, Routes};
    use ringfort_model::tunnel::{Tunnel, TunnelKey};

    use super::super::look::{Device, Kind, Present, Route, Table};
    use super::super::plan::{Step, plan};
    use super::super::wireguard::{Change, Link, Peer};

    const OWN: TunnelKey = TunnelKey([1; 32]);

    fn node(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    fn hop(name: &str, address: &str, pods: &str) -> Hop {
        let node = node(name);
        Hop { node, address: address.parse().unwrap(), pods: pods.parse().unwrap() }
    }

    fn routes() -> Routes {
        Routes {
            mode: RouteMode::Auto,
            own: hop("cp1", "10.77.0.11", "10.244.0.0/24"),
            peers: vec![
                hop("cp2", "10.77.0.12", "10.244.1.0/24"),
                hop("far", "10.78.0.13", "10.244.2.0/24"),
            ],
            tunnel: Some(Tunnel {
                key: "/k".to_owned(),
                peers: [(node("cp2"), TunnelKey([2; 32])), (node("far"), TunnelKey([3; 32]))]
                    .into(),
            }),
            masquerade: None,
        }
    }

    fn bare() -> Present {
        Present {
            routes: Vec::new(),
            rules: Vec::new(),
            segment: "10.77.0.0/24".parse().unwrap(),
            mtu_bytes: 1500,
            device: None,
        }
    }

    fn through(to: &str, table: Table) -> Route {
        Route {
            to: to.parse().unwrap(),
            via: None,
            device: "ringfort0".to_owned(),
            table,
            kind: Kind::Way,
        }
    }

    fn peer(number: u8, address: &str, pods: &str) -> Peer {
        Peer {
            key: TunnelKey([number; 32]),
            endpoint: Some(format!("{address}:51882").parse().unwrap()),
            allowed: [pods.to_owned(), format!("{address}/32")]
                .iter()
                .map(|range| range.parse().unwrap())
                .collect(),
        }
    }

    /// The machine after the plan.
    fn kept() -> Present {
        let link = Link {
            key: Some(OWN),
            port: 51882,
            peers: vec![
                peer(3, "10.78.0.13", "10.244.2.0/24"),
                peer(2, "10.77.0.12", "10.244.1.0/24"),
            ],
        };
        Present {
            routes: vec![
                Route::unreachable("10.244.1.0/24".parse().unwrap()),
                Route::unreachable("10.244.2.0/24".parse().unwrap()),
                through("10.244.1.0/24", Table::Main),
                through("10.77.0.12/32", Table::Own),
                through("10.244.2.0/24", Table::Main),
                through("10.78.0.13/32", Table::Own),
            ],
            rules: vec!["10.244.0.0/24".parse().unwrap()],
            device: Some(Device {
                mtu_bytes: 1440,
                addresses: vec!["10.77.0.11".parse().unwrap()],
                up: true,
                tunnel: Some(link),
                ..Device::default()
            }),
            ..bare()
        }
    }

    fn check(wanted: &Routes, present: &Present, expected: &[&str]) {
        let steps = plan(wanted, Some(OWN), present).unwrap();
        let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
        assert_eq!(steps, expected);
    }

    #[test]
    fn a_bare_machine_gets_all_and_first_what_keeps_packets_from_the_open() {
        check(
            &routes(),
            &bare(),
            &[
                "ip -4 route replace unreachable 10.244.1.0/24 metric 8200 proto 82",
                "ip -4 route replace unreachable 10.244.2.0/24 metric 8200 proto 82",
                "ip link add ringfort0 mtu 1440 type wireguard",
                "configure ringfort0: its key, its port, 2 peers set, 0 removed",
                "ip address replace 10.77.0.11/32 dev ringfort0",
                "ip link set ringfort0 up",
                "ip -4 route replace 10.244.1.0/24 dev ringfort0 proto 82",
                "ip -4 route replace 10.77.0.12/32 dev ringfort0 table 82 proto 82",
                "ip -4 route replace 10.244.2.0/24 dev ringfort0 proto 82",
                "ip -4 route replace 10.78.0.13/32 dev ringfort0 table 82 proto 82",
                "ip -4 rule add from 10.244.0.0/24 lookup 82 priority 8200 protocol 82",
            ],
        );
    }

    #[test]
    fn nothing_is_done_twice() {
        check(&routes(), &kept(), &[]);
    }

    #[test]
    fn a_new_key_of_one_machine_disturbs_no_other() {
        let mut wanted = routes();
        wanted.tunnel.as_mut().unwrap().peers.insert(node("far"), TunnelKey([9; 32]));
        let steps = plan(&wanted, Some(OWN), &kept()).unwrap();
        let expected = Change {
            removed: vec![TunnelKey([3; 32])],
            set: vec![peer(9, "10.78.0.13", "10.244.2.0/24")],
            ..Change::default()
        };
        assert_eq!(steps, [Step::Configure(expected)]);
    }

    #[test]
    fn a_peer_that_speaks_from_elsewhere_is_put_right() {
        let mut present = kept();
        let link = present.device.as_mut().unwrap().tunnel.as_mut().unwrap();
        link.peers[0].endpoint = Some("10.66.6.6:1".parse().unwrap());
        link.peers[1].allowed.insert("0.0.0.0/0".parse().unwrap());
        check(&routes(), &present, &["configure ringfort0: 2 peers set, 0 removed"]);
    }

    #[test]
    fn a_machine_whose_key_is_unknown_is_not_reached_in_the_open() {
        let mut wanted = routes();
        wanted.tunnel.as_mut().unwrap().peers.remove(&node("far"));
        check(
            &wanted,
            &kept(),
            &[
                "configure ringfort0: 0 peers set, 1 removed",
                "ip -4 route delete 10.244.2.0/24 dev ringfort0 proto 82",
                "ip -4 route delete 10.78.0.13/32 dev ringfort0 table 82 proto 82",
            ],
        );
    }

    #[test]
    fn a_machine_that_is_gone_leaves_nothing() {
        let mut wanted = routes();
        wanted.peers.pop();
        check(
            &wanted,
            &kept(),
            &[
                "configure ringfort0: 0 peers set, 1 removed",
                "ip -4 route delete unreachable 10.244.2.0/24 metric 8200 proto 82",
                "ip -4 route delete 10.244.2.0/24 dev ringfort0 proto 82",
                "ip -4 route delete 10.78.0.13/32 dev ringfort0 table 82 proto 82",
            ],
        );
    }

    #[test]
    fn another_mtu_of_the_link_does_not_remake_the_device() {
        let present = Present { mtu_bytes: 9000, ..kept() };
        check(&routes(), &present, &["ip link set ringfort0 mtu 8940"]);
    }

    #[test]
    fn open_ways_are_replaced() {
        let mut present = bare();
        let via = Some("10.77.0.12".parse().unwrap());
        let mut open = through("10.244.1.0/24", Table::Main);
        (open.via, open.device) = (via, "host0".to_owned());
        present.routes.push(open);
        present.device = Some(Device { mtu_bytes: 1450, up: true, ..Device::default() });
        let steps = plan(&routes(), Some(OWN), &present).unwrap();
        let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
        assert_eq!(steps[2], "ip link delete ringfort0");
        assert!(steps.contains(&"ip -4 route replace 10.244.1.0/24 dev ringfort0 proto 82".into()));
        assert!(!steps.iter().any(|step| step.contains("route delete")), "{steps:?}");
    }

    #[test]
    fn what_encryption_left_goes_with_it() {
        let mut wanted = Routes { tunnel: None, ..routes() };
        let steps = plan(&wanted, None, &kept()).unwrap();
        let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
        assert_eq!(steps[0], "ip link delete ringfort0");
        let own = "ip -4 route replace 10.78.0.13/32 via 10.244.2.0 dev ringfort0 onlink table 82 proto 82";
        assert!(steps.contains(&own.into()), "{steps:?}");
        assert!(!steps.iter().any(|step| step.contains("rule")), "it leads into VXLAN now");
        let last = "ip -4 route delete unreachable 10.244.2.0/24 metric 8200 proto 82";
        assert_eq!(steps.last().unwrap(), last, "the open way is there before");
        assert!(
            steps
                .iter()
                .any(|step| step == "ip -4 route replace 10.244.1.0/24 via 10.77.0.12 proto 82")
        );
        // Where nobody is behind a router the rule goes as well.
        wanted.peers.pop();
        let steps = plan(&wanted, None, &kept()).unwrap();
        let first = "ip -4 rule delete from 10.244.0.0/24 lookup 82 priority 8200";
        assert_eq!(steps[0].to_string(), first);
    }
}
