//! What comes through a node's bridge beside what policies are about: pods that hang on it send datagrams
//! that no policy could name, and what hears them is told.

use std::io::Read as _;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Stdio};
use std::time::Duration;

use ringfort_model::network_policy::Defaults;
use ringfort_policy::{Home, World, compile, place, pod, policy, replace};
use serde_json::json;

use crate::namespace::Namespace;
use crate::packets::itself;

/// The ports at which IPv4 and IPv6 are heard: a socket of both hears no multicast.
const PORTS: [u16; 2] = [9_000, 9_001];
/// The addresses of the two pods and of their node.
const ENDS: [&str; 3] = ["10.1.1.5", "10.1.1.6", "10.1.1.1"];
/// How long datagrams may take.
const PATIENCE: Duration = Duration::from_millis(300);

/// Prints the word of each datagram, for ever.
pub(crate) fn hear() {
    let sockets = [("0.0.0.0", PORTS[0]), ("::", PORTS[1])].map(|at| UdpSocket::bind(at).unwrap());
    println!("here");
    for socket in sockets {
        std::thread::spawn(move || {
            let mut buffer = [0; 64];
            loop {
                let (length, _) = socket.recv_from(&mut buffer).unwrap();
                println!("{}", String::from_utf8_lossy(&buffer[..length]));
            }
        });
    }
    std::thread::park();
}

/// Sends a word from an address to another.
pub(crate) fn say(from: &str, to: &str, word: &str) {
    let from: SocketAddr = from.parse().unwrap();
    let to: SocketAddr = to.parse().unwrap();
    let socket = UdpSocket::bind(from).unwrap();
    socket.set_broadcast(true).unwrap();
    socket.send_to(word.as_bytes(), to).unwrap();
}

fn sh(inside: &Namespace, script: &str) {
    let well = inside.inside("sh").args(["-e", "-c", script]).status().unwrap();
    assert!(well.success(), "{script}");
}

/// A node with a bridge and two pods on it.
struct Node {
    node: Namespace,
    pods: [Namespace; 2],
}

impl Node {
    fn new() -> Self {
        let node = Namespace::new();
        sh(
            &node,
            "ip link add cni0 type bridge
             ip address add 10.1.1.1/24 dev cni0
             ip link set cni0 up
             ip -6 address add fe80::1/64 dev cni0 nodad
             for each in all default cni0; do echo 0 >/proc/sys/net/ipv4/conf/$each/rp_filter; done
             echo 1 >/proc/sys/net/ipv4/ip_forward
             echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
             echo 1 >/proc/sys/net/bridge/bridge-nf-call-ip6tables",
        );
        let pods = [5, 6].map(|number| {
            let pod = Namespace::new();
            let there = pod.id();
            sh(
                &node,
                &format!(
                    "ip link add veth{number} type veth peer name eth0 netns {there}
                     ip link set veth{number} master cni0 up"
                ),
            );
            sh(
                &pod,
                &format!(
                    "ip link set eth0 up
                     ip address add 10.1.1.{number}/24 dev eth0
                     ip address add 192.0.2.{number}/32 dev eth0
                     ip -6 address add fe80::{number}/64 dev eth0 nodad
                     for each in all eth0; do echo 0 >/proc/sys/net/ipv4/conf/$each/rp_filter; done
                     ip route add default via 10.1.1.1"
                ),
            );
            pod
        });
        Self { node, pods }
    }

    /// Has the first pod say a word in every way that there is, and gives the words that the other pod
    /// and the node heard.
    fn heard(&self) -> [Vec<String>; 2] {
        let ears = [&self.pods[1], &self.node].map(Ear::new);
        let index =
            self.pods[0].inside("ip").args(["-o", "link", "show", "eth0"]).output().unwrap();
        let index = String::from_utf8(index.stdout).unwrap();
        let (index, _) = index.split_once(':').unwrap();
        let said = [
            (ENDS[0], ENDS[1].to_owned(), "plain"),
            (ENDS[0], ENDS[2].to_owned(), "plain"),
            ("192.0.2.5", ENDS[1].to_owned(), "false"),
            ("192.0.2.5", ENDS[2].to_owned(), "false"),
            (ENDS[0], "224.0.0.1".to_owned(), "multicast"),
            (ENDS[0], "255.255.255.255".to_owned(), "broadcast"),
            ("[::]", format!("[fe80::6%{index}]"), "of links"),
            ("[::]", format!("[fe80::1%{index}]"), "of links"),
        ];
        for (from, to, word) in said {
            let port = PORTS[usize::from(from == "[::]")];
            let (from, to) = (format!("{from}:0"), format!("{to}:{port}"));
            let well = itself(&self.pods[0]).args(["say", &from, &to, word]).status().unwrap();
            assert!(well.success(), "{from} to {to}");
        }
        std::thread::sleep(PATIENCE);
        ears.map(Ear::words)
    }

    /// Gives what is heard under a policy for the second pod.
    fn heard_under(&self, spec: Option<serde_json::Value>) -> [Vec<String>; 2] {
        let mut world = World::new(Defaults::default());
        world.namespaces.insert("a".to_owned(), [].into());
        for (name, address) in ["one", "two"].iter().zip(ENDS) {
            let object = json!({
                "metadata": {"namespace": "a", "name": name, "labels": {"name": name}},
                "spec": {"nodeName": "n1"}, "status": {"podIP": address},
            });
            world.pods.insert(place(&object).unwrap(), pod(&object));
        }
        if let Some(spec) = spec {
            let object = json!({"metadata": {"namespace": "a", "name": "it"}, "spec": spec});
            world.policies.insert(place(&object).unwrap(), policy(&object).unwrap());
        }
        let home = Home {
            node: "n1".to_owned(),
            ranges: vec!["10.1.1.0/24".parse().unwrap()],
            all: vec!["10.1.0.0/16".parse().unwrap()],
            attached: [].into(),
        };
        self.node.nft(&["-f", "-"], &replace(&compile(&world, &home)));
        self.heard()
    }
}

/// Whoever hears.
struct Ear(Child);

impl Ear {
    fn new(inside: &Namespace) -> Self {
        let mut ear = itself(inside).arg("hear").stdout(Stdio::piped()).spawn().unwrap();
        let mut here = [0; 5];
        ear.stdout.as_mut().unwrap().read_exact(&mut here).unwrap();
        Self(ear)
    }

    fn words(mut self) -> Vec<String> {
        self.0.kill().unwrap();
        let mut said = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        self.0.wait().unwrap();
        let mut words: Vec<String> = said.lines().map(str::to_owned).collect();
        words.sort_unstable();
        words
    }
}

pub(crate) fn what_no_policy_can_name_does_not_come_through() {
    let node = Node::new();
    let all = ["broadcast", "false", "multicast", "of links", "plain"];
    assert_eq!(node.heard(), [all, all], "without rules all of it is heard");
    // Nothing closes the ways of either pod.
    let both: [&[&str]; 2] = [&["plain"], &["broadcast", "multicast", "plain"]];
    assert_eq!(node.heard_under(None), both);
    let spec = json!({"podSelector": {"matchLabels": {"name": "two"}}, "ingress": []});
    let closed: [&[&str]; 2] = [&[], &["broadcast", "multicast", "plain"]];
    assert_eq!(node.heard_under(Some(spec)), closed);
    let spec = json!({"podSelector": {"matchLabels": {"name": "one"}}, "policyTypes": ["Egress"]});
    let nothing: [&[&str]; 2] = [&[], &[]];
    assert_eq!(node.heard_under(Some(spec)), nothing);
}
