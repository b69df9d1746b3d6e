//! Three nodes with a pod each, in network namespaces: two on one segment, the third behind a router that
//! knows no pods.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::process::{Child, Command, Stdio};

use ringfort_model::name::NodeName;
use ringfort_model::net::{Family, host_port};
use ringfort_model::routes::{Hop, Masquerade, RouteMode, Routes};
use serde_json::Value;

use crate::namespace::Namespace;

/// The node on the first one's segment.
pub const NEAR: usize = 1;
/// The node behind the router.
pub const OTHER: usize = 2;

/// What a site's family of addresses makes of it.
pub struct Names {
    /// The family as `ip` is asked for it.
    pub flag: &'static str,
    /// The family as nftables calls it.
    pub table: &'static str,
    /// The router, which is of no cluster, on either segment.
    pub routers: [&'static str; 2],
    /// The nodes' own addresses.
    pub addresses: [&'static str; 3],
    /// How wide a segment is, and the range of a node's pods.
    width: u8,
    /// What the ranges of all pods and of Services are.
    inside: [&'static str; 2],
    /// What of a site's own may hold the ranges of pods.
    wide: &'static str,
    /// What is behind an address that nobody needs to look for.
    sure: &'static str,
    /// How large packets in the tunnel may be.
    pub mtu: u64,
}

/// In IPv6 subnet and host of two nodes say the same together: addresses must not be mixed up by that.
const SIX: Names = Names {
    flag: "-6",
    table: "ip6",
    routers: ["2001:db8:0:1::1", "2001:db8:0:2::1"],
    addresses: ["2001:db8:0:1::11", "2001:db8:0:1::12", "2001:db8:0:2::11"],
    width: 64,
    inside: ["fd00:10:244::/56", "fd00:10:96::/112"],
    wide: "fd00::/8",
    sure: " nodad",
    mtu: 1430,
};
const FOUR: Names = Names {
    flag: "-4",
    table: "ip",
    routers: ["192.0.2.1", "198.51.100.1"],
    addresses: ["192.0.2.11", "192.0.2.12", "198.51.100.11"],
    width: 24,
    inside: ["10.244.0.0/16", "10.96.0.0/16"],
    wide: "10.0.0.0/8",
    sure: "",
    mtu: 1450,
};

const ROOMS: [&str; 7] = ["router", "n0", "n1", "n2", "p0", "p1", "p2"];

/// The namespaces and what runs in them, which go with this value.
pub struct Site {
    rooms: BTreeMap<&'static str, Namespace>,
    servers: Vec<Child>,
    directory: tempfile::TempDir,
    /// The addresses.
    pub names: &'static Names,
}

impl Site {
    /// Builds the networks and has each pod answer, and each machine.
    pub fn build(family: Family) -> Self {
        let names = if family == Family::V4 { &FOUR } else { &SIX };
        let rooms = ROOMS.map(|room| (room, Namespace::new())).into();
        let directory = tempfile::tempdir().unwrap();
        let mut site = Self { rooms, servers: Vec::new(), directory, names };
        for room in ROOMS {
            for each in ["all", "default"] {
                // Links that were just made would wait for who else has their addresses before they speak.
                site.inside(room, &format!("sysctl -qw net.ipv6.conf.{each}.accept_dad=0"));
                site.inside(room, &format!("sysctl -qw net.ipv6.conf.{each}.disable_ipv6=0"));
            }
            site.inside(room, "ip link set lo up");
        }
        site.inside("router", "sysctl -qw net.ipv4.ip_forward=1");
        site.inside("router", "sysctl -qw net.ipv6.conf.all.forwarding=1");
        for (segment, gateway) in ["near", "far"].into_iter().zip(names.routers) {
            site.inside("router", &format!("ip link add {segment} type bridge"));
            site.address("router", gateway, segment);
            site.inside("router", &format!("ip link set {segment} up"));
        }
        (0..3).for_each(|node| site.join(node));
        site.servers = ROOMS.map(|room| site.server(room)).into();
        site
    }

    /// Puts a node on its segment, and its pod behind it.
    fn join(&self, node: usize) {
        let (room, pod) = (format!("n{node}"), format!("p{node}"));
        let (segment, at) = if node == OTHER { ("far", 1) } else { ("near", 0) };
        let gateway = self.names.routers[at];
        let (router, flag, mtu) = (self.rooms["router"].id(), self.names.flag, self.names.mtu);
        self.inside(&room, &format!("ip link add eth0 type veth peer name {room} netns {router}"));
        self.inside("router", &format!("ip link set {room} master {segment} up"));
        self.address(&room, self.names.addresses[node], "eth0");
        self.inside(&room, "ip link set eth0 up");
        self.inside(&room, &format!("ip {flag} route add default via {gateway}"));
        let inner = self.rooms[pod.as_str()].id();
        self.inside(
            &room,
            &format!("ip link add pod mtu {mtu} type veth peer name eth0 netns {inner}"),
        );
        let own = self.of_pods(node, "1");
        self.address(&room, &own, "pod");
        self.inside(&room, "ip link set pod up");
        self.address(&pod, &self.pod(node), "eth0");
        self.inside(&pod, &format!("ip link set eth0 mtu {mtu} up"));
        self.inside(&pod, &format!("ip {flag} route add default via {own}"));
    }

    /// Gives a link an address of its segment.
    fn address(&self, room: &str, address: &str, link: &str) {
        let Names { flag, width, sure, .. } = self.names;
        self.inside(room, &format!("ip {flag} address add {address}/{width} dev {link}{sure}"));
    }

    /// Gives an address of a node's pods.
    fn of_pods(&self, node: usize, host: &str) -> String {
        let text = match self.names.width {
            24 => format!("10.244.{node}.{host}"),
            _ => format!("fd00:10:244:{node}::{host}"),
        };
        text.parse::<IpAddr>().unwrap().to_string()
    }

    /// Gives the range of a node's pods.
    pub fn range(&self, node: usize) -> String {
        let first = if self.names.width == 24 { "0" } else { "" };
        format!("{}/{}", self.of_pods(node, first), self.names.width)
    }

    /// Gives the address of a node's pod.
    pub fn pod(&self, node: usize) -> String {
        self.of_pods(node, "5")
    }

    fn server(&self, room: &str) -> Child {
        let mut serve = self.own(room, &["serve"]);
        let mut server = serve.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        server
    }

    /// Makes routes on every node to all others.
    pub fn keep_all(&self, mode: RouteMode) {
        for node in 0..3 {
            assert!(self.keep(node, mode, &[0, NEAR, OTHER]) > 0);
        }
    }

    /// Makes routes on a node to the members of the cluster, and gives how many changes it took.
    pub fn keep(&self, node: usize, mode: RouteMode, members: &[usize]) -> usize {
        self.keep_as(node, mode, members, None)
    }

    /// Makes routes on a node to all others and has its pods leave by its address.
    pub fn keep_leaving(&self, node: usize, mode: RouteMode) -> usize {
        let inside = self.names.inside.iter().map(|range| range.parse().unwrap()).collect();
        self.keep_as(node, mode, &[0, NEAR, OTHER], Some(Masquerade { inside }))
    }

    fn keep_as(
        &self,
        node: usize,
        mode: RouteMode,
        members: &[usize],
        masquerade: Option<Masquerade>,
    ) -> usize {
        let hop = |node: usize| Hop {
            node: NodeName::new(format!("n{node}")).unwrap(),
            address: self.names.addresses[node].parse().unwrap(),
            pods: self.range(node).parse().unwrap(),
        };
        let peers = members.iter().filter(|member| **member != node).map(|peer| hop(*peer));
        let (own, peers) = (hop(node), peers.collect());
        let routes = Routes { mode, own, peers, tunnel: None, masquerade };
        let file = self.directory.path().join(format!("routes-{node}.json"));
        std::fs::write(&file, serde_json::to_vec(&routes).unwrap()).unwrap();
        let mut keep = self.own(&format!("n{node}"), &["keep", file.to_str().unwrap()]);
        said(&mut keep).trim().parse().unwrap()
    }

    /// Says whether a node's pod exchanges data with another's.
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        let server = host_port(&self.pod(to), 7777);
        self.own(&format!("p{from}"), &["dial", &server]).status().unwrap().success()
    }

    /// Says whether a node's pod exchanges data with another node itself.
    pub fn reaches_machine(&self, from: usize, to: usize) -> bool {
        let server = host_port(self.names.addresses[to], 7777);
        self.own(&format!("p{from}"), &["dial", &server]).status().unwrap().success()
    }

    /// Says from which address a node's pod hears another node; nothing, where it does not.
    pub fn seen_from(&self, from: usize, to: usize) -> String {
        let server = host_port(&self.pod(to), 7778);
        said(&mut self.own(&format!("n{from}"), &["ask", &server])).trim().to_owned()
    }

    /// Says from which address a server hears a node's pod; nothing, where it does not.
    pub fn pod_seen_at(&self, from: usize, server: &str) -> String {
        let server = host_port(server, 7778);
        said(&mut self.own(&format!("p{from}"), &["ask", &server])).trim().to_owned()
    }

    /// Has a node's site lead to all that may be pods through its router.
    pub fn route_all_pods_to_the_router(&self, node: usize) {
        let Names { flag, wide, routers, .. } = self.names;
        let router = routers[usize::from(node == OTHER)];
        self.on(node, &format!("ip {flag} route add {wide} via {router}"));
    }

    /// Has all nodes drop what comes from where they would not answer it.
    pub fn check_ways_back(&self) {
        for node in 0..3 {
            self.on(node, "sysctl -qw net.ipv4.conf.all.rp_filter=1");
        }
    }

    /// Has a node translate what it sends to pods, as for a Service.
    pub fn masquerade(&self, node: usize) {
        let Names { table, inside: [pods, _], .. } = self.names;
        self.on(node, &format!("nft add table {table} t"));
        self.on(
            node,
            &format!(
                "nft add chain {table} t out {{ type nat hook postrouting priority 100 ; policy accept ; }}"
            ),
        );
        self.on(node, &format!("nft add rule {table} t out {table} daddr {pods} masquerade"));
    }

    /// Runs a command on a node.
    pub fn on(&self, node: usize, line: &str) {
        self.inside(&format!("n{node}"), line);
    }

    /// Says how many packets a node sent through its tunnel.
    pub fn tunnelled(&self, node: usize) -> u64 {
        self.device(node)["stats64"]["tx"]["packets"].as_u64().unwrap()
    }

    /// Gives how large a packet may be in a node's tunnel.
    pub fn tunnel_mtu(&self, node: usize) -> u64 {
        self.device(node)["mtu"].as_u64().unwrap()
    }

    /// Says whether a node has a tunnel.
    pub fn has_tunnel(&self, node: usize) -> bool {
        self.inside(&format!("n{node}"), "ip -o link").contains("ringfort0")
    }

    fn device(&self, node: usize) -> Value {
        let listed = self.inside(&format!("n{node}"), "ip -j -s link show ringfort0");
        serde_json::from_str::<Value>(&listed).unwrap()[0].take()
    }

    fn inside(&self, room: &str, line: &str) -> String {
        let (program, arguments) = line.split_once(' ').unwrap();
        said(self.rooms[room].inside(program).args(arguments.split(' ')))
    }

    /// This program in a namespace.
    fn own(&self, room: &str, arguments: &[&str]) -> Command {
        let mut own = self.rooms[room].inside(std::env::current_exe().unwrap().to_str().unwrap());
        own.args(arguments);
        own
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}
