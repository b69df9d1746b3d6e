//! What a packet costs: two pods of one node, in network namespaces of their own, with nothing enforced,
//! with few policies and with many.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::namespace::Namespace;

/// The port that the server's pod listens on.
pub(crate) const PORT: u16 = 5_000;
/// The addresses of the two pods: the first two of the measured node.
const CLIENT: &str = "10.100.7.2";
const SERVER: &str = "10.100.7.3";

/// Connections that are timed at once.
const CONNECTIONS: usize = 2_000;
/// How long bytes are sent for.
const SENDING: Duration = Duration::from_secs(1);
/// What a connection says first: whether it wants an echo, or sends until it ends.
const ECHO: u8 = b'e';
const SEND: u8 = b's';

/// Makes a pod: a network namespace with one link to the node's.
fn pod(link: &str, address: &str) -> Namespace {
    let (pod, gate) = (Namespace::new(), "169.254.1.1");
    ip(&["link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", &pod.id()]);
    ip(&["address", "add", &format!("{gate}/32"), "dev", link]);
    ip(&["link", "set", link, "up"]);
    ip(&["route", "add", &format!("{address}/32"), "dev", link]);
    for words in [
        format!("address add {address}/32 dev eth0"),
        "link set eth0 up".to_owned(),
        format!("route add {gate}/32 dev eth0 scope link"),
        format!("route add default via {gate}"),
    ] {
        let mut inside = pod.inside("ip");
        assert!(inside.args(words.split(' ')).status().unwrap().success(), "ip {words}");
    }
    pod
}

fn ip(arguments: &[&str]) {
    assert!(Command::new("ip").args(arguments).status().unwrap().success(), "ip {arguments:?}");
}

/// Two pods, of which one serves.
pub(crate) struct Pair {
    client: Namespace,
    serving: Child,
    _server: Namespace,
}

impl Pair {
    pub(crate) fn new() -> Self {
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        ip(&["link", "set", "lo", "up"]);
        let (client, server) = (pod("client", CLIENT), pod("server", SERVER));
        let itself = std::env::current_exe().unwrap();
        let mut serving = server.inside(itself.to_str().unwrap());
        let mut serving = serving.arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let mut here = [0; 5];
        serving.stdout.as_mut().unwrap().read_exact(&mut here).unwrap();
        Self { client, serving, _server: server }
    }

    /// Times connections, and counts bytes.
    pub(crate) fn measure(&self) -> (f64, f64) {
        let itself = std::env::current_exe().unwrap();
        let mut ask = self.client.inside(itself.to_str().unwrap());
        let said = ask.args(["ask", SERVER]).output().unwrap();
        let complaint = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{complaint}");
        let said: Value = serde_json::from_slice(&said.stdout).unwrap();
        (said["connection_us"].as_f64().unwrap(), said["gbit_s"].as_f64().unwrap())
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = self.serving.kill();
        let _ = self.serving.wait();
    }
}

/// Runs as one of the pods, if that is asked for: `serve`, or `ask ADDRESS`.
pub(crate) fn plays_a_part() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve"] => serve(),
        ["ask", server] => ask(server),
        _ => return false,
    }
    true
}

fn serve() {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).unwrap();
    println!("here");
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut first = [0];
        if stream.read_exact(&mut first).is_err() {
            continue;
        }
        if first[0] == SEND {
            let mut buffer = vec![0; 256 << 10];
            while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
        }
        let _ = stream.write_all(&first);
    }
}

fn ask(server: &str) {
    let mut times: Vec<f64> = (0..CONNECTIONS).map(|_| connection_us(server)).collect();
    times.sort_by(f64::total_cmp);
    println!("{}", json!({"connection_us": times[times.len() / 2], "gbit_s": gbit_s(server)}));
}

/// Opens a connection, says a byte and hears it, in microseconds.
fn connection_us(server: &str) -> f64 {
    let start = Instant::now();
    let mut stream = TcpStream::connect((server, PORT)).unwrap();
    stream.write_all(&[ECHO]).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    start.elapsed().as_secs_f64() * 1e6
}

fn gbit_s(server: &str) -> f64 {
    let mut stream = TcpStream::connect((server, PORT)).unwrap();
    stream.write_all(&[SEND]).unwrap();
    let (buffer, mut sent, start) = (vec![0; 256 << 10], 0_f64, Instant::now());
    while start.elapsed() < SENDING {
        stream.write_all(&buffer).unwrap();
        sent += 8.0 * f64::from(256 << 10);
    }
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    sent / start.elapsed().as_secs_f64() / 1e9
}
