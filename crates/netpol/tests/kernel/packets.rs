//! Whether packets go as the rules say: two pods of a node, each a network namespace with one link to the
//! node's.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use ringfort_policy::{Connection, Direction, Protocol, RuleSet, change, compile, replace};
use serde_json::json;

use crate::chance::Chance;
use crate::namespace::Namespace;
use crate::random::{PORTS, cluster};
use crate::world::{home, world};

/// The pods' addresses.
const PODS: [&str; 2] = ["10.1.1.5", "10.1.1.6"];
/// How long a connection may take; what is dropped takes all of it.
const PATIENCE: Duration = Duration::from_millis(150);

/// Listens on every port for ever.
pub(crate) fn serve() {
    let listen = |port: &u16| TcpListener::bind(("0.0.0.0", *port)).unwrap();
    let listeners: Vec<TcpListener> = PORTS.iter().map(listen).collect();
    println!("here");
    for listener in listeners {
        std::thread::spawn(move || listener.incoming().for_each(drop));
    }
    std::thread::park();
}

/// Says of each port whether a connection to it comes through.
pub(crate) fn dial(server: &str) {
    for port in PORTS {
        let at: SocketAddr = format!("{server}:{port}").parse().unwrap();
        println!("{}", TcpStream::connect_timeout(&at, PATIENCE).is_ok());
    }
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
    fn new(node: &Namespace, link: &str, address: &str) -> Self {
        let room = Namespace::new();
        let ip = |inside: &Namespace, words: String| {
            assert!(
                inside.inside("ip").args(words.split(' ')).status().unwrap().success(),
                "{words}"
            );
        };
        let there = room.id();
        ip(node, format!("link add {link} type veth peer name eth0 netns {there}"));
        ip(node, format!("address add 169.254.1.1/32 dev {link}"));
        ip(node, format!("link set {link} up"));
        ip(node, format!("route add {address}/32 dev {link}"));
        ip(&room, format!("address add {address}/32 dev eth0"));
        ip(&room, "link set eth0 up".to_owned());
        ip(&room, "route add 169.254.1.1/32 dev eth0 scope link".to_owned());
        ip(&room, "route add default via 169.254.1.1".to_owned());
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
    for (pod, address) in cluster.pods.iter_mut().zip(PODS) {
        pod["spec"]["nodeName"] = json!("n1");
        pod["spec"]["hostNetwork"] = json!(false);
        pod["status"] = json!({"phase": "Running", "podIPs": [{"ip": address}]});
    }
    compile(&world(&cluster, chance.once_in(2)), &home(1))
}

pub(crate) fn packets_go_as_the_rules_say() {
    let node = Namespace::new();
    let mut forward = node.inside("sh");
    let forward = forward.args(["-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"]);
    assert!(forward.status().unwrap().success());
    let pods = [Pod::new(&node, "one", PODS[0]), Pod::new(&node, "two", PODS[1])];
    let mut seen = [0; 2];
    let mut before: Option<RuleSet> = None;
    for seed in 2_000..2_020 {
        let rules = rules(seed);
        let script = before.map_or_else(|| Some(replace(&rules)), |old| change(&old, &rules));
        if let Some(script) = script {
            node.nft(&["-f", "-"], &script);
        }
        for (client, server) in [(0, 1), (1, 0)] {
            let came = pods[client].reaches(PODS[server]);
            for (port, came) in PORTS.iter().zip(came) {
                let ends: [IpAddr; 2] = [client, server].map(|at| PODS[at].parse().unwrap());
                let port = Some((Protocol::Tcp, *port));
                let connection = Connection { client: ends[0], server: ends[1], port };
                let lets = |way: &Direction| rules.lets(*way, &connection);
                let expected = Direction::BOTH.iter().all(lets);
                assert_eq!(came, expected, "seed {seed}: {connection:?}");
                seen[usize::from(expected)] += 1;
            }
        }
        before = Some(rules);
    }
    assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
}
