//! Whether packets go as the rules say: two pods of a node, each a network namespace with one link to the
//! node's.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Stdio};
use std::time::Duration;

use ringfort_policy::{Connection, Direction, Protocol, RuleSet, change, compile, replace};
use serde_json::json;

use crate::chance::Chance;
use crate::namespace::Namespace;
use crate::random::{PORTS, cluster};
use crate::world::{home, world};

/// The pods' addresses, of both families.
const PODS: [[&str; 2]; 2] = [["10.1.1.5", "fd00:1::5"], ["10.1.1.6", "fd00:1::6"]];
/// The node's own at each link, of both families.
const NODE: [&str; 2] = ["169.254.1.1", "fd01::1"];
/// How long a connection may take; what is dropped takes all of it.
const PATIENCE: Duration = Duration::from_millis(150);

/// Listens on every port for ever.
pub(crate) fn serve() {
    // Sockets of IPv6 hear both families.
    let listen = |port: &u16| TcpListener::bind(("::", *port)).unwrap();
    let listeners: Vec<TcpListener> = PORTS.iter().map(listen).collect();
    let hear = |port: &u16| UdpSocket::bind(("::", *port)).unwrap();
    let sockets: Vec<UdpSocket> = PORTS.iter().map(hear).collect();
    println!("here");
    for socket in sockets {
        std::thread::spawn(move || {
            let mut buffer = [0; 16];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).unwrap();
                let _ = socket.send_to(&buffer[..length], from);
            }
        });
    }
    for listener in listeners {
        std::thread::spawn(move || listener.incoming().for_each(drop));
    }
    std::thread::park();
}

/// Says of each port whether a connection to it comes through, and then of each whether a datagram is answered.
pub(crate) fn dial(server: &str) {
    let server: IpAddr = server.parse().unwrap();
    let begin = |asks: fn(SocketAddr) -> bool| {
        PORTS.map(|port| std::thread::spawn(move || asks(SocketAddr::new(server, port))))
    };
    // All at once: what is dropped takes all of its time.
    for asking in begin(connects).into_iter().chain(begin(answers)) {
        println!("{}", asking.join().unwrap());
    }
}

fn connects(at: SocketAddr) -> bool {
    TcpStream::connect_timeout(&at, PATIENCE).is_ok()
}

fn answers(at: SocketAddr) -> bool {
    let socket = UdpSocket::bind((if at.is_ipv4() { "0.0.0.0" } else { "::" }, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(b"word", at).is_ok() && socket.recv(&mut [0; 16]).is_ok()
}

/// A pod that serves.
struct Pod {
    room: Namespace,
    serving: Child,
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = self.serving.kill();
        let _ = self.serving.wait();
    }
}

impl Pod {
    fn new(node: &Namespace, link: &str, addresses: [&str; 2]) -> Self {
        let room = Namespace::new();
        let ip = |inside: &Namespace, words: String| {
            assert!(
                inside.inside("ip").args(words.split(' ')).status().unwrap().success(),
                "{words}"
            );
        };
        let there = room.id();
        ip(node, format!("link add {link} type veth peer name eth0 netns {there}"));
        ip(node, format!("link set {link} up"));
        ip(&room, "link set eth0 up".to_owned());
        ip(&room, "link set lo up".to_owned());
        for (own, address) in NODE.iter().zip(addresses) {
            // Nobody else has them, and whoever looks for that makes them wait.
            let (width, sure) = if own.contains(':') { (128, " nodad") } else { (32, "") };
            let family = if own.contains(':') { "-6" } else { "-4" };
            ip(node, format!("{family} address add {own}/{width} dev {link}{sure}"));
            ip(node, format!("{family} route add {address}/{width} dev {link}"));
            ip(&room, format!("{family} address add {address}/{width} dev eth0{sure}"));
            ip(&room, format!("{family} route add {own}/{width} dev eth0"));
            ip(&room, format!("{family} route add default via {own} dev eth0"));
        }
        let mut serving = itself(&room).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let mut here = [0; 5];
        std::io::Read::read_exact(serving.stdout.as_mut().unwrap(), &mut here).unwrap();
        Self { room, serving }
    }

    fn reaches(&self, server: &str) -> Vec<bool> {
        let said = itself(&self.room).args(["dial", server]).output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        said.lines().map(|line| line.parse().unwrap()).collect()
    }
}

pub(crate) fn itself(room: &Namespace) -> std::process::Command {
    room.inside(std::env::current_exe().unwrap().to_str().unwrap())
}

/// A random cluster of which two pods run on the node.
fn rules(seed: u64) -> RuleSet {
    let mut chance = Chance::new(seed);
    let mut cluster = cluster(&mut chance);
    cluster.pods.truncate(PODS.len());
    for (pod, [four, six]) in cluster.pods.iter_mut().zip(PODS) {
        pod["spec"]["nodeName"] = json!("n1");
        pod["spec"]["hostNetwork"] = json!(false);
        pod["status"] = json!({"phase": "Running", "podIPs": [{"ip": four}, {"ip": six}]});
    }
    compile(&world(&cluster, chance.once_in(2)), &home(1))
}

pub(crate) fn packets_go_as_the_rules_say() {
    let node = Namespace::new();
    let mut forward = node.inside("sh");
    let both =
        "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding";
    let forward = forward.args(["-c", both]);
    assert!(forward.status().unwrap().success());
    let pods = [Pod::new(&node, "one", PODS[0]), Pod::new(&node, "two", PODS[1])];
    let mut seen = BTreeMap::new();
    let mut before: Option<RuleSet> = None;
    for seed in 2_000..2_020 {
        let rules = rules(seed);
        let script = before.map_or_else(|| Some(replace(&rules)), |old| change(&old, &rules));
        if let Some(script) = script {
            node.nft(&["-f", "-"], &script);
        }
        for (client, server, family) in [(0, 1, 0), (1, 0, 0), (0, 1, 1), (1, 0, 1)] {
            let came = pods[client].reaches(PODS[server][family]);
            let asked = [Protocol::Tcp, Protocol::Udp].map(|it| PORTS.map(|port| (it, port)));
            let asked = asked.concat();
            assert_eq!(came.len(), asked.len(), "seed {seed}");
            for ((protocol, port), came) in asked.into_iter().zip(came) {
                let ends: [IpAddr; 2] =
                    [client, server].map(|at| PODS[at][family].parse().unwrap());
                let port = Some((protocol, port));
                let connection = Connection { client: ends[0], server: ends[1], port };
                let lets = |way: &Direction| rules.lets(*way, &connection);
                let expected = Direction::BOTH.iter().all(lets);
                assert_eq!(came, expected, "seed {seed}: {connection:?}");
                *seen.entry((protocol, family, expected)).or_insert(0) += 1;
            }
        }
        before = Some(rules);
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
    assert!(seen.values().all(|count| *count > 20), "{seen:?}");
}
