//! Three nodes with a pod each, in network namespaces: two on one segment, the third behind a router that
//! knows no pods.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use ringfort_model::name::NodeName;
use ringfort_model::routes::{Hop, Masquerade, RouteMode, Routes};
use serde_json::Value;

use crate::namespace::Namespace;

/// The node on the first one's segment.
pub const NEAR: usize = 1;
/// The node behind the router.
pub const OTHER: usize = 2;

/// The router, which is of no cluster.
pub const OUTSIDE: &str = "192.0.2.1";
/// The nodes' own addresses.
pub const ADDRESSES: [&str; 3] = ["192.0.2.11", "192.0.2.12", "198.51.100.11"];

const ROOMS: [&str; 7] = ["router", "n0", "n1", "n2", "p0", "p1", "p2"];

/// The namespaces and what runs in them, which go with this value.
pub struct Site {
    rooms: BTreeMap<&'static str, Namespace>,
    servers: Vec<Child>,
    directory: tempfile::TempDir,
}

impl Site {
    /// Builds the networks and has each pod answer, and each machine.
    pub fn build() -> Self {
        let rooms = ROOMS.map(|room| (room, Namespace::new())).into();
        let directory = tempfile::tempdir().unwrap();
        let mut site = Self { rooms, servers: Vec::new(), directory };
        ROOMS.iter().for_each(|room| _ = site.inside(room, "ip link set lo up"));
        site.inside("router", "sysctl -qw net.ipv4.ip_forward=1");
        for (segment, gateway) in [("near", "192.0.2.1/24"), ("far", "198.51.100.1/24")] {
            site.inside("router", &format!("ip link add {segment} type bridge"));
            site.inside("router", &format!("ip address add {gateway} dev {segment}"));
            site.inside("router", &format!("ip link set {segment} up"));
        }
        (0..3).for_each(|node| site.join(node));
        site.servers = ROOMS.map(|room| site.server(room)).into();
        site
    }

    /// Puts a node on its segment, and its pod behind it.
    fn join(&self, node: usize) {
        let (room, pod) = (format!("n{node}"), format!("p{node}"));
        let (segment, gateway) =
            if node == OTHER { ("far", "198.51.100.1") } else { ("near", "192.0.2.1") };
        let (router, address) = (self.rooms["router"].id(), ADDRESSES[node]);
        self.inside(&room, &format!("ip link add eth0 type veth peer name {room} netns {router}"));
        self.inside("router", &format!("ip link set {room} master {segment} up"));
        self.inside(&room, &format!("ip address add {address}/24 dev eth0"));
        self.inside(&room, "ip link set eth0 up");
        self.inside(&room, &format!("ip route add default via {gateway}"));
        let inner = self.rooms[pod.as_str()].id();
        self.inside(
            &room,
            &format!("ip link add pod mtu 1450 type veth peer name eth0 netns {inner}"),
        );
        self.inside(&room, &format!("ip address add 10.244.{node}.1/24 dev pod"));
        self.inside(&room, "ip link set pod up");
        self.inside(&pod, &format!("ip address add 10.244.{node}.5/24 dev eth0"));
        self.inside(&pod, "ip link set eth0 mtu 1450 up");
        self.inside(&pod, &format!("ip route add default via 10.244.{node}.1"));
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
        let inside = vec!["10.244.0.0/16".parse().unwrap(), "10.96.0.0/16".parse().unwrap()];
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
            address: ADDRESSES[node].parse().unwrap(),
            pods: format!("10.244.{node}.0/24").parse().unwrap(),
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
        let server = format!("10.244.{to}.5:7777");
        self.own(&format!("p{from}"), &["dial", &server]).status().unwrap().success()
    }

    /// Says whether a node's pod exchanges data with another node itself.
    pub fn reaches_machine(&self, from: usize, to: usize) -> bool {
        let server = format!("{}:7777", ADDRESSES[to]);
        self.own(&format!("p{from}"), &["dial", &server]).status().unwrap().success()
    }

    /// Says from which address a node's pod hears another node; nothing, where it does not.
    pub fn seen_from(&self, from: usize, to: usize) -> String {
        let server = format!("10.244.{to}.5:7778");
        said(&mut self.own(&format!("n{from}"), &["ask", &server])).trim().to_owned()
    }

    /// Says from which address a server hears a node's pod; nothing, where it does not.
    pub fn pod_seen_at(&self, from: usize, server: &str) -> String {
        said(&mut self.own(&format!("p{from}"), &["ask", &format!("{server}:7778")]))
            .trim()
            .to_owned()
    }

    /// Has all nodes drop what comes from where they would not answer it.
    pub fn check_ways_back(&self) {
        for node in 0..3 {
            self.on(node, "sysctl -qw net.ipv4.conf.all.rp_filter=1");
        }
    }

    /// Has a node translate what it sends to pods, as for a Service.
    pub fn masquerade(&self, node: usize) {
        self.on(node, "nft add table ip t");
        self.on(
            node,
            "nft add chain ip t out { type nat hook postrouting priority 100 ; policy accept ; }",
        );
        self.on(node, "nft add rule ip t out ip daddr 10.244.0.0/16 masquerade");
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
