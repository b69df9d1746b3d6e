//! Compares the routes that should be with what is there, and gives the commands between them.
//! Pure: the same input gives the same commands, and none where nothing differs.

use std::net::IpAddr;

use ringfort_model::net::Cidr;
use ringfort_model::routes::{Hop, RouteMode, Routes};

use super::look::{Device, Present};
use super::{DEVICE, PROTOCOL};

/// Says what cannot be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// Not made yet.
    #[error("routes over WireGuard are not made yet: set network.routes to auto, direct or vxlan")]
    Wireguard,
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

/// A program and its arguments.
pub(super) type Command = Vec<String>;

/// The number of the virtual network, and the port that IANA gave VXLAN (RFC 7348).
const NETWORK: &str = "82";
const PORT: &str = "4789";

/// Gives the commands that lead from what is there to what should be.
pub(super) fn plan(wanted: &Routes, present: &Present) -> Result<Vec<Command>, PlanError> {
    let ways: Vec<Way<'_>> = wanted
        .peers
        .iter()
        .map(|peer| way(wanted.mode, peer, present))
        .collect::<Result<_, _>>()?;
    let mut commands = Vec::new();
    let tunnelled: Vec<&Hop> = ways.iter().filter(|way| way.tunnel).map(|way| way.peer).collect();
    let carrier = device(&wanted.own, &tunnelled, present, &mut commands);
    if let Some(device) = &carrier {
        neighbours(&tunnelled, device, &mut commands);
    }
    routes(&ways, present, carrier.is_some(), &mut commands);
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
        RouteMode::Wireguard => return Err(PlanError::Wireguard),
    };
    Ok(Way { peer, tunnel })
}

impl Way<'_> {
    /// The address that packets go to next.
    fn next(&self) -> IpAddr {
        if self.tunnel { self.peer.pods.base() } else { self.peer.address }
    }
}

/// Sees to the device; gives it as it will be, or `None` where there should be none.
fn device(
    own: &Hop,
    tunnelled: &[&Hop],
    present: &Present,
    out: &mut Vec<Command>,
) -> Option<Device> {
    if tunnelled.is_empty() {
        if present.device.is_some() {
            out.push(command(&format!("ip link delete {DEVICE}")));
        }
        return None;
    }
    // What VXLAN adds to a packet: Ethernet, VXLAN, UDP, and the outer header of IP.
    let around = if own.address.is_ipv4() { 50 } else { 70 };
    let mtu_bytes = present.mtu_bytes.saturating_sub(around);
    let base = own.pods.base();
    let fits = |device: &Device| {
        device.local == Some(own.address) && device.mtu_bytes == mtu_bytes && device.up
    };
    if let Some(device) = present.device.clone().filter(fits) {
        if !device.addresses.contains(&base) {
            out.push(command(&format!("ip address replace {} dev {DEVICE}", single(base))));
        }
        return Some(device);
    }
    if present.device.is_some() {
        out.push(command(&format!("ip link delete {DEVICE}")));
    }
    let (local, mac) = (own.address, mac(own.address));
    out.push(command(&format!(
        "ip link add {DEVICE} address {mac} mtu {mtu_bytes} type vxlan id {NETWORK} local {local} dstport {PORT} nolearning"
    )));
    out.push(command(&format!("ip address replace {} dev {DEVICE}", single(base))));
    out.push(command(&format!("ip link set {DEVICE} up")));
    Some(Device::default())
}

/// Fixes who is behind which node, so that nothing is learned from packets.
fn neighbours(tunnelled: &[&Hop], device: &Device, out: &mut Vec<Command>) {
    let wanted: Vec<(IpAddr, String, IpAddr)> =
        tunnelled.iter().map(|peer| (peer.pods.base(), mac(peer.address), peer.address)).collect();
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

fn routes(ways: &[Way<'_>], present: &Present, tunnel: bool, out: &mut Vec<Command>) {
    for route in &present.routes {
        // With its device a route goes by itself.
        let goes = route.device == DEVICE && !tunnel;
        if !goes && !ways.iter().any(|way| way.peer.pods == route.to) {
            let family = family(route.to);
            out.push(command(&format!("ip {family} route delete {} proto {PROTOCOL}", route.to)));
        }
    }
    for way in ways {
        let (to, next) = (way.peer.pods, way.next());
        let device_is_new =
            way.tunnel && out.iter().any(|command| command[1..3] == ["link", "add"]);
        let there = present.routes.iter().any(|route| {
            route.to == to && route.via == Some(next) && (route.device == DEVICE) == way.tunnel
        });
        if there && !device_is_new {
            continue;
        }
        let family = family(to);
        let through = if way.tunnel { format!(" dev {DEVICE} onlink") } else { String::new() };
        out.push(command(&format!(
            "ip {family} route replace {to} via {next}{through} proto {PROTOCOL}"
        )));
    }
}

fn family(range: Cidr) -> &'static str {
    if range.base().is_ipv4() { "-4" } else { "-6" }
}

fn single(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })
}

/// Derives a node's hardware address in the virtual network from its address, so that nobody has
/// to be asked for it: locally administered, then four bytes of the address.
fn mac(address: IpAddr) -> String {
    let [a, b, c, d] = match address {
        IpAddr::V4(v4) => v4.octets(),
        IpAddr::V6(v6) => {
            let bytes = v6.octets();
            [12, 13, 14, 15].map(|at| bytes[at] ^ bytes[at - 4] ^ bytes[at - 8])
        }
    };
    format!("02:52:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

fn command(line: &str) -> Command {
    line.split(' ').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use ringfort_model::name::NodeName;
    use ringfort_model::routes::{Hop, RouteMode, Routes};

    use super::super::look::{Device, Present, Route};
    use super::{PlanError, plan};

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
        }
    }

    fn bare() -> Present {
        let segment = "10.77.0.0/24".parse().unwrap();
        Present { routes: Vec::new(), segment, mtu_bytes: 1500, device: None }
    }

    fn route(to: &str, via: &str, device: &str) -> Route {
        let (to, via) = (to.parse().unwrap(), Some(via.parse().unwrap()));
        Route { to, via, device: device.to_owned() }
    }

    /// The machine after the plan of mode `auto`.
    fn kept() -> Present {
        Present {
            routes: vec![
                route("10.244.1.0/24", "10.77.0.12", "host0"),
                route("10.244.2.0/24", "10.244.2.0", "ringfort0"),
            ],
            device: Some(Device {
                local: "10.77.0.11".parse().ok(),
                mtu_bytes: 1450,
                addresses: vec!["10.244.0.0".parse().unwrap()],
                up: true,
                neighbours: vec![("10.244.2.0".parse().unwrap(), "02:52:0a:4e:00:0d".to_owned())],
                forwarding: vec![("02:52:0a:4e:00:0d".to_owned(), "10.78.0.13".parse().unwrap())],
            }),
            ..bare()
        }
    }

    fn check(mode: RouteMode, present: &Present, expected: &[&str]) {
        let commands = plan(&routes(mode), present).unwrap();
        let commands: Vec<String> = commands.iter().map(|command| command.join(" ")).collect();
        assert_eq!(commands, expected);
    }

    #[test]
    fn near_nodes_are_routed_and_far_ones_tunnelled() {
        check(
            RouteMode::Auto,
            &bare(),
            &[
                "ip link add ringfort0 address 02:52:0a:4d:00:0b mtu 1450 type vxlan id 82 local 10.77.0.11 dstport 4789 nolearning",
                "ip address replace 10.244.0.0/32 dev ringfort0",
                "ip link set ringfort0 up",
                "bridge fdb replace 02:52:0a:4e:00:0d dev ringfort0 dst 10.78.0.13 self permanent",
                "ip neighbour replace 10.244.2.0 lladdr 02:52:0a:4e:00:0d dev ringfort0 nud permanent",
                "ip -4 route replace 10.244.1.0/24 via 10.77.0.12 proto 82",
                "ip -4 route replace 10.244.2.0/24 via 10.244.2.0 dev ringfort0 onlink proto 82",
            ],
        );
    }

    #[test]
    fn nothing_is_done_twice() {
        check(RouteMode::Auto, &kept(), &[]);
    }

    #[test]
    fn what_is_stale_goes() {
        let mut present = kept();
        present.routes.push(route("10.244.9.0/24", "10.77.0.19", "host0"));
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
            ],
        );
    }

    #[test]
    fn a_device_that_does_not_fit_is_made_anew_with_its_routes() {
        let mut present = kept();
        present.device.as_mut().unwrap().mtu_bytes = 1500;
        let commands = plan(&routes(RouteMode::Auto), &present).unwrap();
        let commands: Vec<String> = commands.iter().map(|command| command.join(" ")).collect();
        assert_eq!(commands[0], "ip link delete ringfort0");
        assert!(commands.last().unwrap().contains("10.244.2.0/24 via 10.244.2.0 dev ringfort0"));
        assert_eq!(commands.len(), 7);
    }

    #[test]
    fn the_device_goes_with_the_last_far_node() {
        let mut wanted = routes(RouteMode::Auto);
        wanted.peers.pop();
        let commands = plan(&wanted, &kept()).unwrap();
        assert_eq!(commands, [["ip", "link", "delete", "ringfort0"].map(str::to_owned).to_vec()]);
    }

    #[test]
    fn what_cannot_be_is_said() {
        let error = plan(&routes(RouteMode::Direct), &bare()).unwrap_err();
        assert!(matches!(error, PlanError::Apart { .. }), "{error}");
        let error = plan(&routes(RouteMode::Wireguard), &bare()).unwrap_err();
        assert_eq!(error, PlanError::Wireguard);
    }
}
