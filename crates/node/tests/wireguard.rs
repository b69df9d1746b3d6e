//! Two machines of the kernel's own, joined by a bridge on which every frame is read: what pods say
//! to each other does not stand on the wire. Needs root and a kernel with WireGuard, and says so
//! where it is skipped.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, eth, recv, socket_with, sockopt,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use ringfort_model::name::NodeName;
use ringfort_model::routes::{Hop, RouteMode, Routes};
use ringfort_model::tunnel::{TUNNEL_PORT, Tunnel, TunnelKey};
use ringfort_node::{HostTools, Root, routes};
use ringfort_pki::TunnelSecret;

/// Runs a line of the shell, which must succeed.
fn sh(line: &str) {
    assert!(shell(line), "{line}");
}

fn shell(line: &str) -> bool {
    Command::new("sh").args(["-c", line]).status().is_ok_and(|status| status.success())
}

/// Does something in a name space.
fn within<T: Send>(space: &str, act: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let acting = scope.spawn(|| {
            let file = File::open(format!("/run/netns/{space}")).unwrap();
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(file.as_fd(), network).unwrap();
            act()
        });
        acting.join().unwrap()
    })
}

/// Three name spaces: the wire, and a machine at each end, each with an address of a pod.
struct Wire;

impl Wire {
    fn lay() -> Self {
        Self::take_up();
        sh(
            "ip netns add rfwire && ip -n rfwire link add br0 type bridge && ip -n rfwire link set br0 up",
        );
        for (space, number) in [("rfa", 1), ("rfb", 2)] {
            let ip = format!("ip -n {space}");
            sh(&format!("ip netns add {space} && {ip} link set lo up"));
            sh(&format!(
                "ip link add port{number} netns rfwire type veth peer name host0 netns {space}"
            ));
            sh(&format!("ip -n rfwire link set port{number} master br0 up"));
            sh(&format!(
                "{ip} address add 10.77.0.1{number}/24 dev host0 && {ip} link set host0 up"
            ));
            sh(&format!("{ip} link add cni0 type bridge && {ip} link set cni0 up"));
            sh(&format!("{ip} address add 10.244.{number}.1/24 dev cni0"));
        }
        Self
    }

    fn take_up() {
        for space in ["rfa", "rfb", "rfwire"] {
            shell(&format!("ip netns delete {space} 2>/dev/null"));
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        Self::take_up();
    }
}

/// Every frame on the wire while something is done.
fn frames(act: impl FnOnce()) -> Vec<Vec<u8>> {
    let (frames, ends) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let socket = within("rfwire", || {
        socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, Some(eth::ALL))
            .unwrap()
    });
    let tick = Some(Duration::from_millis(50));
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, tick).unwrap();
    let reading = thread::spawn({
        let (frames, ends) = (Arc::clone(&frames), Arc::clone(&ends));
        move || {
            let mut buffer = vec![0; 9_000];
            while !ends.load(Ordering::Relaxed) {
                if let Ok((_, length)) = recv(&socket, &mut buffer[..], RecvFlags::empty()) {
                    frames.lock().unwrap().push(buffer[..length].to_vec());
                }
            }
        }
    });
    act();
    thread::sleep(Duration::from_millis(200));
    ends.store(true, Ordering::Relaxed);
    reading.join().unwrap();
    Arc::try_unwrap(frames).unwrap().into_inner().unwrap()
}

fn holds(frames: &[Vec<u8>], marker: &str) -> bool {
    frames.iter().any(|frame| frame.windows(marker.len()).any(|part| part == marker.as_bytes()))
}

fn sealed(frames: &[Vec<u8>]) -> usize {
    let port = TUNNEL_PORT.to_be_bytes();
    // Ethernet, IP of twenty bytes, UDP: source and destination port.
    frames.iter().filter(|frame| frame.get(36..38) == Some(&port[..]) && frame[23] == 17).count()
}

/// Lets an address of one machine say something to an address of the other, and be answered.
fn speak(from: (&str, &str), to: (&str, &str), words: &str) -> std::io::Result<()> {
    let bind = |address: &str| -> UdpSocket {
        let socket = UdpSocket::bind((address.parse::<IpAddr>().unwrap(), 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        socket
    };
    let hears = within(to.0, || bind(to.1));
    let at: SocketAddr = hears.local_addr().unwrap();
    let speaks = within(from.0, || bind(from.1));
    let mut buffer = [0; 2_000];
    let end = Instant::now() + Duration::from_secs(8);
    loop {
        speaks.send_to(words.as_bytes(), at)?;
        // The first packets are lost while ends shake hands.
        if let Ok((_, back)) = hears.recv_from(&mut buffer) {
            hears.send_to(words.as_bytes(), back)?;
            if speaks.recv_from(&mut buffer).is_ok() {
                return Ok(());
            }
        }
        if Instant::now() > end {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
    }
}

/// A machine's files.
struct Machine {
    space: &'static str,
    root: tempfile::TempDir,
    wanted: Routes,
}

impl Machine {
    fn new(space: &'static str, number: u8, other: u8) -> Self {
        let root = tempfile::tempdir().unwrap();
        let hop = |number: u8| Hop {
            node: NodeName::new(format!("m{number}")).unwrap(),
            address: [10, 77, 0, 10 + number].into(),
            pods: format!("10.244.{number}.0/24").parse().unwrap(),
        };
        let wanted = Routes {
            mode: RouteMode::Auto,
            own: hop(number),
            peers: vec![hop(other)],
            tunnel: None,
            masquerade: None,
        };
        Self { space, root, wanted }
    }

    /// Makes a key, and gives its public half.
    fn make_key(&self) -> TunnelKey {
        let secret = TunnelSecret::make().unwrap();
        std::fs::write(self.root.path().join("key"), secret.text().expose()).unwrap();
        secret.public().unwrap()
    }

    fn knows(&mut self, key: TunnelKey) {
        let peers = BTreeMap::from([(self.wanted.peers[0].node.clone(), key)]);
        self.wanted.tunnel = Some(Tunnel { key: "/key".to_owned(), peers });
    }

    /// Makes the routes, and gives how many changes that took.
    fn keep(&self) -> usize {
        let file = self.root.path().join("routes.json");
        std::fs::write(&file, serde_json::to_string(&self.wanted).unwrap()).unwrap();
        within(self.space, || {
            routes::once(&file, &Root::new(self.root.path()), &HostTools).unwrap()
        })
    }
}

#[test]
fn what_pods_say_does_not_stand_on_the_wire() {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root || !shell("unshare --net ip link add rf0 type wireguard 2>/dev/null") {
        // Past libtest, which shows nothing of tests that pass: it is counted.
        let said = b"SKIPPED: packets on the wire: not root, or this kernel has no WireGuard\n";
        std::io::stdout().write_all(said).unwrap();
        assert!(!Path::new("/run/ringfort-must-have-wireguard").exists(), "it must not be skipped");
        return;
    }
    let _wire = Wire::lay();
    let (mut a, mut b) = (Machine::new("rfa", 1, 2), Machine::new("rfb", 2, 1));
    let pods = (("rfa", "10.244.1.1"), ("rfb", "10.244.2.1"));

    // Without encryption the marker stands there: the reader can see it.
    assert!(a.keep() > 0 && b.keep() > 0);
    let seen = frames(|| speak(pods.0, pods.1, "marker-in-the-open").unwrap());
    assert!(holds(&seen, "marker-in-the-open") && sealed(&seen) == 0);

    // With it, it does not, and the open ways are gone.
    let (key_a, key_b) = (a.make_key(), b.make_key());
    a.knows(key_b);
    b.knows(key_a);
    assert!(a.keep() > 0 && b.keep() > 0);
    assert_eq!((a.keep(), b.keep()), (0, 0), "a second time changes nothing");
    sh("ip -n rfa route get 10.244.2.5 | grep -q 'src 10.77.0.11 '");
    let seen = frames(|| speak(pods.0, pods.1, "marker-between-pods").unwrap());
    assert!(!holds(&seen, "marker-between-pods") && sealed(&seen) >= 4);

    // A pod speaks with the other machine itself, which answers with its own address.
    let machine = ("rfb", "10.77.0.12");
    let seen = frames(|| speak(pods.0, machine, "marker-to-a-machine").unwrap());
    assert!(!holds(&seen, "marker-to-a-machine") && sealed(&seen) >= 2);

    // A packet as large as a link of 1500 bytes lets through goes whole, and none is longer.
    let words = "x".repeat(1_440 - 28);
    let seen = frames(|| speak(pods.0, pods.1, &words).unwrap());
    let longest = seen.iter().map(Vec::len).max().unwrap();
    assert!((1_490..=1_514).contains(&longest), "{longest}");

    // A new key of one machine is one change on the other.
    let new = b.make_key();
    a.knows(new);
    assert_eq!((a.keep(), b.keep()), (1, 1));
    speak(pods.0, pods.1, "after a new key").unwrap();

    // Without the device nothing goes out in the open.
    sh("ip -n rfa link delete ringfort0");
    let seen = frames(|| assert!(speak(pods.0, pods.1, "marker-without-device").is_err()));
    assert!(!holds(&seen, "marker-without-device"));
    assert!(a.keep() > 0);
    speak(pods.0, pods.1, "after it is back").unwrap();

    // Who has no key that is known gets nothing through.
    a.knows(TunnelKey([7; 32]));
    a.keep();
    let seen = frames(|| assert!(speak(pods.0, pods.1, "marker-to-a-stranger").is_err()));
    assert!(!holds(&seen, "marker-to-a-stranger"));

    // And back.
    (a.wanted.tunnel, b.wanted.tunnel) = (None, None);
    assert!(a.keep() > 0 && b.keep() > 0);
    assert_eq!((a.keep(), b.keep()), (0, 0));
    let seen = frames(|| speak(pods.0, pods.1, "marker-in-the-open").unwrap());
    assert!(holds(&seen, "marker-in-the-open"));
    let left = Command::new("ip").args(["-n", "rfa", "rule"]).output().unwrap().stdout;
    assert!(!String::from_utf8_lossy(&left).contains("8200"));
}
