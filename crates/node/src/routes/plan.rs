//! Compares the routes that should be with what is there, and gives the commands between them.
//! Pure: the same input gives the same commands, and none where nothing differs.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use sha2::{Digest as _, Sha256};

use ringfort_model::net::Cidr;
use ringfort_model::routes::{Hop, RouteMode, Routes};
use ringfort_model::tunnel::TunnelKey;

use super::look::{Device, Kind, Present, Table};
use super::wireguard::Change;
use super::{DEVICE, PROTOCOL, TABLE, encrypted};

/// Says what cannot be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// Encryption needs a key of this machine.
    #[error("packets are to be encrypted, and this machine's key was not read")]
    NoKey,
    /// A direct route needs a shared segment.
    #[error(
        "{address} is not on this node's segment {segment}, and a direct route needs that: set network.routes to auto or vxlan"
    )]
    Apart {
        /// The other node's address.
        address: IpAddr,
        /// This node's segment.
        segment: Cidr,
    },
}

/// One thing to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Run a program with arguments.
    Run(Vec<String>),
    /// Say something to the kernel's WireGuard.
    Configure(Change),
}

/// Says it in words, without any key.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(command) => f.write_str(&command.join(" ")),
            Self::Configure(change) => {
                let key = if change.key { "its key, " } else { "" };
                let port = if change.port.is_some() { "its port, " } else { "" };
                let (set, removed) = (change.set.len(), change.removed.len());
                write!(f, "configure {DEVICE}: {key}{port}{set} peers set, {removed} removed")
            }
        }
    }
}

/// The number of the virtual network, and the port that IANA gave VXLAN (RFC 7348).
const NETWORK: &str = "82";
const PORT: &str = "4789";

/// Gives the steps that lead from what is there to what should be.
pub(super) fn plan(
    wanted: &Routes,
    own_key: Option<TunnelKey>,
    present: &Present,
) -> Result<Vec<Step>, PlanError> {
    match (&wanted.tunnel, own_key) {
        (Some(tunnel), Some(own_key)) => Ok(encrypted::plan(wanted, tunnel, own_key, present)),
        (Some(_), None) => Err(PlanError::NoKey),
        (None, _) => open(wanted, present),
    }
}

fn open(wanted: &Routes, present: &Present) -> Result<Vec<Step>, PlanError> {
    let ways: Vec<Way<'_>> = wanted
        .peers
        .iter()
        .map(|peer| way(wanted.mode, peer, present))
        .collect::<Result<_, _>>()?;
    let leads: Vec<Lead> = ways.iter().flat_map(|way| way.leads(wanted.own.pods)).collect();
    let is_led = leads.iter().any(|lead| lead.table == Table::Own);
    let mut commands = Vec::new();
    if !is_led {
        commands.extend(present.rules.iter().map(|rule| encrypted::remove_rule(*rule)));
    }
    let tunnelled: Vec<&Hop> = ways.iter().filter(|way| way.tunnel).map(|way| way.peer).collect();
    let carrier = device(&wanted.own, &tunnelled, present, &mut commands);
    if let Some(device) = &carrier {
        neighbours(&tunnelled, device, &mut commands);
    }
    routes(&leads, present, carrier.is_some(), &mut commands);
    if is_led {
        encrypted::rule(wanted.own.pods, present, &mut commands);
    }
    let refusals = present.routes.iter().filter(|route| route.kind == Kind::Unreachable);
    commands.extend(refusals.map(encrypted::remove));
    Ok(commands)
}

/// How a node's pods are reached.
struct Way<'a> {
    peer: &'a Hop,
    tunnel: bool,
}

fn way<'a>(mode: RouteMode, peer: &'a Hop, present: &Present) -> Result<Way<'a>, PlanError> {
    let near = present.segment.contains(peer.address);
    let tunnel = match mode {
        RouteMode::Auto => !near,
        RouteMode::Vxlan => true,
        RouteMode::Direct if near => false,
        RouteMode::Direct => {
            return Err(PlanError::Apart { address: peer.address, segment: present.segment });
        }
    };
    Ok(Way { peer, tunnel })
}

impl Way<'_> {
    /// The address that packets go to next.
    fn next(&self) -> IpAddr {
        if self.tunnel { behind(self.peer) } else { self.peer.address }
    }

    /// Gives the routes of this way. A machine behind a tunnel speaks with pods from its own address, so what own
    /// pods answer must go back through the tunnel: elsewhere a router may drop it, and a machine that checks where
    /// packets come from drops what it has no such way back for.
    fn leads(&self, pods: Cidr) -> impl Iterator<Item = Lead> {
        let lead = |to, table| Lead { to, next: self.next(), tunnel: self.tunnel, table };
        let own = encrypted::own_address(self.peer, pods).filter(|_| self.tunnel);
        [Some(lead(self.peer.pods, Table::Main)), own.map(|own| lead(own, Table::Own))]
            .into_iter()
            .flatten()
    }
}

/// A route that should be there.
struct Lead {
    to: Cidr,
    next: IpAddr,
    tunnel: bool,
    table: Table,
}

/// The address of this machine at the device: its own, which policies name, where pods can speak with it. What has no
/// source yet takes it, and so does what is translated at the device, whatever routes say.
fn spoken_from(own: &Hop) -> IpAddr {
    let is_spoken_to = own.address.is_ipv4() == own.pods.base().is_ipv4();
    if is_spoken_to { own.address } else { own.pods.base() }
}

/// Gives the device the address of this machine, and then takes away every other but those of links.
pub(super) fn address(own: &Hop, device: Option<&Device>, out: &mut Vec<Step>) {
    let wanted = spoken_from(own);
    let present = device.map(|device| device.addresses.as_slice()).unwrap_or_default();
    if !present.contains(&wanted) {
        // The machine has it on another link already. Until the kernel had looked who else has it, others would be chosen.
        let sure = if wanted.is_ipv6() { " nodad" } else { "" };
        out.push(command(&format!("ip address replace {} dev {DEVICE}{sure}", single(wanted))));
    }
    let of_link = |address: &IpAddr| match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    for other in present.iter().filter(|it| **it != wanted && !of_link(it)) {
        out.push(command(&format!("ip address delete {} dev {DEVICE}", single(*other))));
    }
}

/// Sees to the device; gives it as it will be, or `None` where there should be none.
fn device(own: &Hop, tunnelled: &[&Hop], present: &Present, out: &mut Vec<Step>) -> Option<Device> {
    if tunnelled.is_empty() {
        if present.device.is_some() {
            out.push(command(&format!("ip link delete {DEVICE}")));
        }
        return None;
    }
    // What VXLAN adds to a packet: Ethernet, VXLAN, UDP, and the outer header of IP.
    let around = if own.address.is_ipv4() { 50 } else { 70 };
    let mtu_bytes = present.mtu_bytes.saturating_sub(around);
    let fits = |device: &Device| {
        let is_vxlan = device.tunnel.is_none() && device.local == Some(own.address);
        is_vxlan && device.mtu_bytes == mtu_bytes && device.up
    };
    if let Some(device) = present.device.clone().filter(fits) {
        address(own, Some(&device), out);
        return Some(device);
    }
    if present.device.is_some() {
        out.push(command(&format!("ip link delete {DEVICE}")));
    }
    let (local, mac) = (own.address, mac(own.address));
    out.push(command(&format!(
        "ip link add {DEVICE} address {mac} mtu {mtu_bytes} type vxlan id {NETWORK} local {local} dstport {PORT} nolearning"
    )));
    address(own, None, out);
    out.push(command(&format!("ip link set {DEVICE} up")));
    Some(Device::default())
}

/// Fixes who is behind which node, so that nothing is learned from packets.
fn neighbours(tunnelled: &[&Hop], device: &Device, out: &mut Vec<Step>) {
    let wanted: Vec<(IpAddr, String, IpAddr)> =
        tunnelled.iter().map(|peer| (behind(peer), mac(peer.address), peer.address)).collect();
    for (mac, to) in &device.forwarding {
        if !wanted.iter().any(|(_, wanted, node)| wanted == mac && node == to) {
            out.push(command(&format!("bridge fdb delete {mac} dev {DEVICE} dst {to} self")));
        }
    }
    for (base, mac) in &device.neighbours {
        if !wanted.iter().any(|(wanted, ..)| wanted == base) {
            out.push(command(&format!("ip neighbour delete {base} lladdr {mac} dev {DEVICE}")));
        }
    }
    for (base, mac, node) in wanted {
        if !device.forwarding.contains(&(mac.clone(), node)) {
            out.push(command(&format!(
                "bridge fdb replace {mac} dev {DEVICE} dst {node} self permanent"
            )));
        }
        if !device.neighbours.contains(&(base, mac.clone())) {
            out.push(command(&format!(
                "ip neighbour replace {base} lladdr {mac} dev {DEVICE} nud permanent"
            )));
        }
    }
}

fn routes(leads: &[Lead], present: &Present, tunnel: bool, out: &mut Vec<Step>) {
    let device_is_new = out.iter().any(|step| step.to_string().starts_with("ip link add"));
    let of = |table| match table {
        Table::Main => String::new(),
        Table::Own => format!(" table {TABLE}"),
    };
    for route in present.routes.iter().filter(|route| route.kind == Kind::Way) {
        // With its device a route goes by itself.
        let goes = route.device == DEVICE && (!tunnel || device_is_new);
        let stays = leads.iter().any(|lead| (lead.to, lead.table) == (route.to, route.table));
        if !goes && !stays {
            let (family, to, table) = (family(route.to), route.to, of(route.table));
            out.push(command(&format!("ip {family} route delete {to}{table} proto {PROTOCOL}")));
        }
    }
    for Lead { to, next, tunnel, table } in leads {
        let there = present.routes.iter().any(|route| {
            (route.to, route.table, route.kind) == (*to, *table, Kind::Way)
                && route.via == Some(*next)
                && (route.device == DEVICE) == *tunnel
        });
        if there && !(*tunnel && device_is_new) {
            continue;
        }
        let (family, table) = (family(*to), of(*table));
        let through = if *tunnel { format!(" dev {DEVICE} onlink") } else { String::new() };
        out.push(command(&format!(
            "ip {family} route replace {to} via {next}{through}{table} proto {PROTOCOL}"
        )));
    }
}

pub(super) fn family(range: Cidr) -> &'static str {
    if range.base().is_ipv4() { "-4" } else { "-6" }
}

fn single(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })
}

/// The address that stands for another node on the virtual network. In IPv6 it is the one that links give: any other
/// the kernel refuses as a next hop, also of a link that is named, where some route leads to it through another.
fn behind(peer: &Hop) -> IpAddr {
    if peer.pods.base().is_ipv4() {
        return peer.pods.base();
    }
    let [a, b, c, d, e, f] = hardware(peer.address).map(u16::from);
    // The bit that says who made a hardware address is the other way round there (RFC 4291, appendix A).
    let id = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f];
    Ipv6Addr::new(0xfe80, 0, 0, 0, id[0], id[1], id[2], id[3]).into()
}

/// Derives a node's hardware address in the virtual network from its address, so that nobody has to be asked for it:
/// locally administered, then four bytes of an address of IPv4, or five of a digest. An address of IPv6 has more bytes
/// that tell nodes apart, and in each site they are others.
fn hardware(address: IpAddr) -> [u8; 6] {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            [0x02, 0x52, a, b, c, d]
        }
        IpAddr::V6(v6) => {
            let digest: [u8; 32] = Sha256::digest(v6.octets()).into();
            [0x02, digest[0], digest[1], digest[2], digest[3], digest[4]]
        }
    }
}

fn mac(address: IpAddr) -> String {
    hardware(address).map(|byte| format!("{byte:02x}")).join(":")
}

pub(super) fn command(line: &str) -> Step {
    Step::Run(line.split(' ').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use ringfort_model::name::NodeName;
    use ringfort_model::routes::{Hop, RouteMode, Routes};

    use super::super::look::{Device, Kind, Present, Route, Table};
    use std::collections::{BTreeMap, BTreeSet};

    use ringfort_model::tunnel::Tunnel;

    use super::{PlanError, command, mac, plan};

    fn hop(node: &str, address: &str, pods: &str) -> Hop {
        let node = NodeName::new(node).unwrap();
        Hop { node, address: address.parse().unwrap(), pods: pods.parse().unwrap() }
    }

    fn routes(mode: RouteMode) -> Routes {
        Routes {
            mode,
            own: hop("cp1", "10.77.0.11", "10.244.0.0/24"),
            peers: vec![
                hop("cp2", "10.77.0.12", "10.244.1.0/24"),
                hop("far", "10.78.0.13", "10.244.2.0/24"),
            ],
            tunnel: None,
            masquerade: None,
        }
    }

    fn bare() -> Present {
        let segment = "10.77.0.0/24".parse().unwrap();
        Present { routes: Vec::new(), rules: Vec::new(), segment, mtu_bytes: 1500, device: None }
    }

    fn route(to: &str, via: &str, device: &str) -> Route {
        let (to, via) = (to.parse().unwrap(), Some(via.parse().unwrap()));
        let (table, kind) = (Table::Main, Kind::Way);
        Route { to, via, device: device.to_owned(), table, kind }
    }

    /// The machine after the plan of mode `auto`.
    fn kept() -> Present {
        Present {
            routes: vec![
                route("10.244.1.0/24", "10.77.0.12", "host0"),
                route("10.244.2.0/24", "10.244.2.0", "ringfort0"),
                Route { table: Table::Own, ..route("10.78.0.13/32", "10.244.2.0", "ringfort0") },
            ],
            rules: vec!["10.244.0.0/24".parse().unwrap()],
            device: Some(Device {
                local: "10.77.0.11".parse().ok(),
                mtu_bytes: 1450,
                addresses: vec!["10.77.0.11".parse().unwrap()],
                up: true,
                neighbours: vec![("10.244.2.0".parse().unwrap(), "02:52:0a:4e:00:0d".to_owned())],
                forwarding: vec![("02:52:0a:4e:00:0d".to_owned(), "10.78.0.13".parse().unwrap())],
                tunnel: None,
            }),
            ..bare()
        }
    }

    fn check(mode: RouteMode, present: &Present, expected: &[&str]) {
        let commands = plan(&routes(mode), None, present).unwrap();
        let commands: Vec<String> = commands.iter().map(ToString::to_string).collect();
        assert_eq!(commands, expected);
    }

    #[test]
    fn near_nodes_are_routed_and_far_ones_tunnelled() {
        check(
            RouteMode::Auto,
            &bare(),
            &[
                "ip link add ringfort0 address 02:52:0a:4d:00:0b mtu 1450 type vxlan id 82 local 10.77.0.11 dstport 4789 nolearning",
                "ip address replace 10.77.0.11/32 dev ringfort0",
                "ip link set ringfort0 up",
                "bridge fdb replace 02:52:0a:4e:00:0d dev ringfort0 dst 10.78.0.13 self permanent",
                "ip neighbour replace 10.244.2.0 lladdr 02:52:0a:4e:00:0d dev ringfort0 nud permanent",
                "ip -4 route replace 10.244.1.0/24 via 10.77.0.12 proto 82",
                "ip -4 route replace 10.244.2.0/24 via 10.244.2.0 dev ringfort0 onlink proto 82",
                "ip -4 route replace 10.78.0.13/32 via 10.244.2.0 dev ringfort0 onlink table 82 proto 82",
                "ip -4 rule add from 10.244.0.0/24 lookup 82 priority 8200 protocol 82",
            ],
        );
    }

    #[test]
    fn machines_of_ipv6_are_routed_and_tunnelled_alike() {
        let wanted = Routes {
            own: hop("cp1", "fd00:10:77::11", "fd00:10:244::/64"),
            peers: vec![
                hop("cp2", "fd00:10:77::12", "fd00:10:244:1::/64"),
                hop("far", "fd00:10:78::13", "fd00:10:244:2::/64"),
            ],
            ..routes(RouteMode::Auto)
        };
        let present = Present { segment: "fd00:10:77::/64".parse().unwrap(), ..bare() };
        let commands = plan(&wanted, None, &present).unwrap();
        let commands: Vec<String> = commands.iter().map(ToString::to_string).collect();
        // The outer header is longer by twenty bytes.
        assert!(
            commands[0].contains(" mtu 1430 ") && commands[0].contains(" local fd00:10:77::11 ")
        );
        for line in [
            "ip address replace fd00:10:77::11/128 dev ringfort0 nodad",
            "ip -6 route replace fd00:10:244:1::/64 via fd00:10:77::12 proto 82",
            "bridge fdb replace 02:1f:27:bd:f9:12 dev ringfort0 dst fd00:10:78::13 self permanent",
            "ip neighbour replace fe80::1f:27ff:febd:f912 lladdr 02:1f:27:bd:f9:12 dev ringfort0 nud permanent",
            // No other address is taken as a next hop where any route leads to it another way.
            "ip -6 route replace fd00:10:244:2::/64 via fe80::1f:27ff:febd:f912 dev ringfort0 onlink proto 82",
            "ip -6 route replace fd00:10:78::13/128 via fe80::1f:27ff:febd:f912 dev ringfort0 onlink table 82 proto 82",
            "ip -6 rule add from fd00:10:244::/64 lookup 82 priority 8200 protocol 82",
        ] {
            assert!(commands.contains(&line.to_owned()), "{line}: {commands:?}");
        }
    }

    #[test]
    fn no_two_machines_have_one_hardware_address() {
        // Subnets are numbered in one group of an address, and hosts in another.
        let hosts = (1..=4).flat_map(|net| (1..=64).map(move |host| (net, host)));
        let six = hosts.map(|(net, host)| format!("2001:db8:0:{net}::{host:x}"));
        let four = ["10.0.0.11", "10.0.1.11", "10.1.0.11"].map(str::to_owned);
        let all: Vec<String> =
            six.chain(four).map(|address| mac(address.parse().unwrap())).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(mac("10.0.1.11".parse().unwrap()), "02:52:0a:00:01:0b");
    }

    #[test]
    fn nothing_is_done_twice() {
        check(RouteMode::Auto, &kept(), &[]);
    }

    #[test]
    fn what_is_stale_goes() {
        let mut present = kept();
        present.routes.push(route("10.244.9.0/24", "10.77.0.19", "host0"));
        let own = Route { table: Table::Own, ..route("10.78.0.99/32", "10.244.9.0", "ringfort0") };
        present.routes.push(own);
        let device = present.device.as_mut().unwrap();
        device.forwarding.push(("02:52:0a:4e:00:63".to_owned(), "10.78.0.99".parse().unwrap()));
        device.neighbours.push(("10.244.9.0".parse().unwrap(), "02:52:0a:4e:00:63".to_owned()));
        check(
            RouteMode::Auto,
            &present,
            &[
                "bridge fdb delete 02:52:0a:4e:00:63 dev ringfort0 dst 10.78.0.99 self",
                "ip neighbour delete 10.244.9.0 lladdr 02:52:0a:4e:00:63 dev ringfort0",
                "ip -4 route delete 10.244.9.0/24 proto 82",
                "ip -4 route delete 10.78.0.99/32 table 82 proto 82",
            ],
        );
    }

    #[test]
    fn a_device_that_does_not_fit_is_made_anew_with_its_routes() {
        let mut present = kept();
        present.device.as_mut().unwrap().mtu_bytes = 1500;
        let commands = plan(&routes(RouteMode::Auto), None, &present).unwrap();
        let commands: Vec<String> = commands.iter().map(ToString::to_string).collect();
        assert_eq!(commands[0], "ip link delete ringfort0");
        assert!(commands[6].contains("10.244.2.0/24 via 10.244.2.0 dev ringfort0"));
        assert!(commands[7].contains("10.78.0.13/32 via 10.244.2.0 dev ringfort0 onlink table 82"));
        assert_eq!(commands.len(), 8);
    }

    #[test]
    fn the_device_goes_with_the_last_far_node() {
        let mut wanted = routes(RouteMode::Auto);
        wanted.peers.pop();
        let commands = plan(&wanted, None, &kept()).unwrap();
        let rule = "ip -4 rule delete from 10.244.0.0/24 lookup 82 priority 8200";
        assert_eq!(commands, [command(rule), command("ip link delete ringfort0")]);
    }

    #[test]
    fn the_device_carries_the_address_that_policies_name_and_no_other() {
        let mut present = kept();
        let addresses = ["10.244.0.0", "fe80::1"].map(|it| it.parse().unwrap()).to_vec();
        present.device.as_mut().unwrap().addresses = addresses;
        check(
            RouteMode::Auto,
            &present,
            &[
                "ip address replace 10.77.0.11/32 dev ringfort0",
                "ip address delete 10.244.0.0/32 dev ringfort0",
            ],
        );
        // Pods cannot speak with an address of the other family.
        let mut wanted = routes(RouteMode::Auto);
        wanted.own.address = "2001:db8::11".parse().unwrap();
        let commands = plan(&wanted, None, &bare()).unwrap();
        let commands: Vec<String> = commands.iter().map(ToString::to_string).collect();
        assert!(commands.contains(&"ip address replace 10.244.0.0/32 dev ringfort0".to_owned()));
    }

    #[test]
    fn what_cannot_be_is_said() {
        let error = plan(&routes(RouteMode::Direct), None, &bare()).unwrap_err();
        assert!(matches!(error, PlanError::Apart { .. }), "{error}");
        let tunnel = Some(Tunnel { key: "/k".to_owned(), peers: BTreeMap::new() });
        let encrypted = Routes { tunnel, ..routes(RouteMode::Auto) };
        assert_eq!(plan(&encrypted, None, &bare()), Err(PlanError::NoKey));
    }
}
