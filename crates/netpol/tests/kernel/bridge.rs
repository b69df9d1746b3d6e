//! What comes through a node's bridge beside what policies are about: pods that hang on it send what no policy
//! could name, and what hears it is told. Once for a cluster of each family.

use std::io::Read as _;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Stdio};
use std::time::Duration;

use ringfort_model::network_policy::Defaults;
use ringfort_policy::{Home, World, compile, place, pod, policy, replace};
use serde_json::json;

use crate::messages;
use crate::namespace::Namespace;
use crate::packets::itself;

/// The ports at which IPv4 and IPv6 are heard: a socket of both hears no multicast.
const PORTS: [u16; 2] = [9_000, 9_001];
/// How long packets may take.
const PATIENCE: Duration = Duration::from_millis(300);

/// What addresses of a family are whose.
struct Ends {
    /// The two pods'.
    pods: [&'static str; 2],
    /// The node's, on its bridge.
    node: &'static str,
    /// Whoever is outside.
    outside: &'static str,
    /// What the first pod has beside its own.
    claimed: &'static str,
    /// The pods' range on this node, and on all.
    ranges: [&'static str; 2],
}

const FOUR: Ends = Ends {
    pods: ["10.1.1.5", "10.1.1.6"],
    node: "10.1.1.1",
    outside: "198.51.100.2",
    claimed: "192.0.2.5",
    ranges: ["10.1.1.0/24", "10.1.0.0/16"],
};
const SIX: Ends = Ends {
    pods: ["fd00:1::5", "fd00:1::6"],
    node: "fd00:1::1",
    outside: "fd00:77::2",
    claimed: "2001:db8::5",
    ranges: ["fd00:1::/64", "fd00::/16"],
};

/// Messages of ICMPv6 that belong to no connection.
const TYPES: [u8; 7] = [130, 133, 134, 135, 136, 137, 143];
/// How long messages are that are short, and that are too long for a neighbour's, in eights of bytes.
const SHORT: &str = "3";
const LONG: &str = "30";

/// Prints the word of each datagram and message, for ever.
pub(crate) fn hear() {
    let sockets = [("0.0.0.0", PORTS[0]), ("::", PORTS[1])].map(|at| UdpSocket::bind(at).unwrap());
    let raw = messages::open();
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
    let mut buffer = [0; 1_500];
    loop {
        let (length, _) = raw.recv_from(&mut buffer).unwrap();
        if let Some(word) = messages::word(&buffer[..length]) {
            println!("{word}");
        }
    }
}

/// Sends a word from an address to another.
pub(crate) fn say(from: &str, to: &str, word: &str) {
    let from: SocketAddr = from.parse().unwrap();
    let to: SocketAddr = to.parse().unwrap();
    let socket = UdpSocket::bind(from).unwrap();
    if from.is_ipv4() {
        socket.set_broadcast(true).unwrap();
    }
    socket.send_to(word.as_bytes(), to).unwrap();
}

fn sh(inside: &Namespace, script: &str) {
    let well = inside.inside("sh").args(["-e", "-c", script]).status().unwrap();
    assert!(well.success(), "{script}");
}

/// What every namespace begins with.
const BEGIN: &str = "for each in all default; do
     echo 0 >/proc/sys/net/ipv4/conf/$each/rp_filter
     echo 0 >/proc/sys/net/ipv6/conf/$each/disable_ipv6
     done\n";

/// A node with a bridge and two pods on it, and somebody outside.
struct Node {
    node: Namespace,
    pods: [Namespace; 2],
    outside: Namespace,
    /// The number of the first pod's link, by which links' addresses are written.
    link: String,
}

impl Node {
    fn new() -> Self {
        let (node, outside) = (Namespace::new(), Namespace::new());
        sh(
            &node,
            &format!(
                "{BEGIN} ip link add cni0 type bridge
                 ip address add 10.1.1.1/24 dev cni0
                 ip link set cni0 up
                 ip -6 address add fd00:1::1/64 dev cni0 nodad
                 ip -6 address add fe80::1/64 dev cni0 nodad
                 ip link add out type veth peer name eth0 netns {}
                 ip address add 198.51.100.1/24 dev out
                 ip link set out up
                 ip -6 address add fd00:77::1/64 dev out nodad
                 for each in cni0 out; do echo 0 >/proc/sys/net/ipv4/conf/$each/rp_filter; done
                 echo 1 >/proc/sys/net/ipv4/ip_forward
                 echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
                 echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
                 echo 1 >/proc/sys/net/bridge/bridge-nf-call-ip6tables",
                outside.id()
            ),
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
            let own = [format!("10.1.1.{number}/24"), format!("192.0.2.{number}/32")];
            let other = ["fd00:1::", "fe80::"].map(|net| format!("{net}{number}/64"));
            let other = [other[0].clone(), other[1].clone(), format!("2001:db8::{number}/128")];
            join(&pod, &own, &other, ["10.1.1.1", "fd00:1::1"]);
            pod
        });
        let own = ["198.51.100.2/24".to_owned()];
        join(&outside, &own, &["fd00:77::2/64".to_owned()], ["198.51.100.1", "fd00:77::1"]);
        let index = pods[0].inside("ip").args(["-o", "link", "show", "eth0"]).output().unwrap();
        let index = String::from_utf8(index.stdout).unwrap();
        let link = index.split_once(':').unwrap().0.to_owned();
        Self { node, pods, outside, link }
    }

    /// Has everybody say words in every way that there is, and gives the words that were heard: by the second pod,
    /// the node, whoever is outside, and the first pod.
    fn heard(&self, ends: &Ends) -> [Vec<String>; 4] {
        let ears = [&self.pods[1], &self.node, &self.outside, &self.pods[0]].map(Ear::new);
        let [one, two] = ends.pods;
        for to in [two, ends.node, ends.outside] {
            self.say(one, to, "plain");
            if to != ends.outside {
                self.say(ends.claimed, to, "false");
            }
        }
        match one.contains(':') {
            true => self.say_in_six(ends),
            false => {
                self.say(one, "224.0.0.1", "multicast");
                self.say(one, "255.255.255.255", "broadcast");
                for to in ["fe80::6", "fe80::1"] {
                    self.say("::", &format!("{to}%{}", self.link), "of links");
                }
            }
        }
        self.say_as_node(ends);
        std::thread::sleep(PATIENCE);
        let mut heard = ears.map(Ear::words);
        // Who speaks to all hears itself, and is answered.
        heard[3].retain(|word| word.ends_with("from far"));
        heard
    }

    fn say_in_six(&self, ends: &Ends) {
        let [one, two] = ends.pods;
        let all = format!("ff02::1%{}", self.link);
        self.say(one, &all, "multicast");
        for to in ["fe80::6", "fe80::1"].map(|to| format!("{to}%{}", self.link)) {
            self.say("::", &to, "of links");
            // Whoever has no rights at all can do this.
            self.say(one, &to, "to links");
        }
        for to in [FOUR.pods[1], FOUR.node] {
            self.say(FOUR.pods[0], to, "of four");
        }
        self.whisper([one, &all], 128, one, SHORT, "echo to all");
        self.whisper([one, two], 136, one, SHORT, "I am I");
        self.whisper([one, two], 136, ends.node, SHORT, "I am the node");
        for kind in TYPES {
            self.whisper([one, two], kind, one, LONG, &format!("{kind} long"));
            self.whisper([ends.claimed, two], kind, one, SHORT, &format!("{kind} false"));
            self.whisper([one, ends.outside], kind, one, SHORT, &format!("{kind} far"));
            let said = format!("{kind} from far");
            whisper(&self.outside, [ends.outside, one], kind, one, SHORT, &said);
        }
    }

    /// Says a word from the node's own address.
    fn say_as_node(&self, ends: &Ends) {
        let (width, sure) = if ends.node.contains(':') { (128, " nodad") } else { (32, "") };
        sh(&self.pods[0], &format!("ip address add {}/{width} dev eth0{sure}", ends.node));
        self.say(ends.node, ends.pods[1], "as the node");
        // The kernel lets nobody else do this in IPv4.
        if ends.node.contains(':') {
            self.say(ends.node, ends.outside, "as the node");
        }
        sh(&self.pods[0], &format!("ip address delete {}/{width} dev eth0", ends.node));
    }

    /// Has the first pod say a word.
    fn say(&self, from: &str, to: &str, word: &str) {
        let end = |end: &str, port: u16| match end.contains(':') {
            true => format!("[{end}]:{port}"),
            false => format!("{end}:{port}"),
        };
        let (from, to) = (end(from, 0), end(to, PORTS[usize::from(to.contains(':'))]));
        let well = itself(&self.pods[0]).args(["say", &from, &to, word]).status().unwrap();
        assert!(well.success(), "{from} to {to}");
    }

    /// Has the first pod send a message of ICMPv6.
    fn whisper(&self, ends: [&str; 2], kind: u8, about: &str, eights: &str, word: &str) {
        whisper(&self.pods[0], ends, kind, about, eights, word);
    }

    /// Gives what is heard under a policy for pods.
    fn heard_under(&self, ends: &Ends, spec: Option<serde_json::Value>) -> [Vec<String>; 4] {
        let mut world = World::new(Defaults::default());
        world.namespaces.insert("a".to_owned(), [].into());
        for (name, address) in ["one", "two"].iter().zip(ends.pods) {
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
        let [own, all] = ends.ranges.map(|range| vec![range.parse().unwrap()]);
        let home = Home { node: "n1".to_owned(), ranges: own, all, attached: [].into() };
        self.node.nft(&["-f", "-"], &replace(&compile(&world, &home)));
        self.heard(ends)
    }
}

/// Gives a namespace's link its addresses of both families, and the ways out.
fn join(room: &Namespace, four: &[String], six: &[String], ways: [&str; 2]) {
    let mut script = format!("{BEGIN} ip link set eth0 up\n");
    for each in four {
        script += &format!("ip address add {each} dev eth0\n");
    }
    for each in six {
        script += &format!("ip -6 address add {each} dev eth0 nodad\n");
    }
    let [four, six] = ways;
    script += "echo 0 >/proc/sys/net/ipv4/conf/eth0/rp_filter\n";
    script += &format!("ip route add default via {four}\nip -6 route add default via {six}\n");
    sh(room, &script);
}

fn whisper(room: &Namespace, ends: [&str; 2], kind: u8, about: &str, eights: &str, word: &str) {
    let kind = kind.to_string();
    let words = ["whisper", ends[0], ends[1], &kind, about, eights, word];
    let well = itself(room).args(words).status().unwrap();
    assert!(well.success(), "{words:?}");
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

/// A policy that lets nobody in to the second pod.
fn closed_in() -> serde_json::Value {
    json!({"podSelector": {"matchLabels": {"name": "two"}}, "ingress": []})
}

/// A policy that lets the first pod speak with nobody.
fn closed_out() -> serde_json::Value {
    json!({"podSelector": {"matchLabels": {"name": "one"}}, "policyTypes": ["Egress"]})
}

pub(crate) fn what_no_policy_can_name_does_not_come_through() {
    let node = Node::new();
    let all = ["as the node", "broadcast", "false", "multicast", "of links", "plain"];
    let bare: [&[&str]; 4] = [&all, &all[1..], &["plain"], &[]];
    assert_eq!(node.heard(&FOUR), bare, "without rules all of it is heard");
    let (all, own): (&[&str], &[&str]) = (&["broadcast", "multicast", "plain"], &["plain"]);
    let under = |spec| node.heard_under(&FOUR, spec);
    // Nothing closes the ways of either pod.
    let nobody: &[&str] = &[];
    assert_eq!(under(None), [own, all, own, nobody]);
    assert_eq!(under(Some(closed_in())), [nobody, all, own, nobody]);
    assert_eq!(under(Some(closed_out())), [nobody; 4]);
}

pub(crate) fn neighbours_of_ipv6_find_each_other_and_say_nothing_else() {
    let node = Node::new();
    let each = |how: &str| TYPES.map(|kind| format!("{kind} {how}")).to_vec();
    let plain = ["false", "multicast", "of four", "of links", "plain", "to links", "echo to all"];
    let plain = plain.map(str::to_owned).to_vec();
    let of_two = ["I am I", "I am the node", "as the node"].map(str::to_owned).to_vec();
    let two = [plain.clone(), of_two, each("long"), each("false")].concat();
    let outside = ["plain", "as the node"].map(str::to_owned).to_vec();
    let bare = [two, plain, [outside, each("far")].concat(), each("from far")];
    let bare = bare.map(|mut words| {
        words.sort_unstable();
        words
    });
    assert_eq!(node.heard(&SIX), bare, "without rules all of it is heard");
    let under = |spec| node.heard_under(&SIX, spec);
    // The node is no pod: it hears what an open one says to all.
    let open: [&[&str]; 4] =
        [&["I am I", "plain"], &["echo to all", "multicast", "plain"], &["plain"], &[]];
    assert_eq!(under(None), open);
    let closed: [&[&str]; 4] = [&["I am I"], open[1], open[2], &[]];
    assert_eq!(under(Some(closed_in())), closed);
    let silent: [&[&str]; 4] = [&["I am I"], &[], &[], &[]];
    assert_eq!(under(Some(closed_out())), silent);
}
