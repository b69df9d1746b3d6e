//! What collectors keep goes through three real servers of NATS to two collectors elsewhere: servers are killed, and so
//! are those that send and take; nothing is lost, and nobody speaks for another machine.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};

const RINGFORT: &str = env!("CARGO_BIN_EXE_ringfort");
const SERVERS: usize = 3;
const EVENTS: usize = 3000;
const PATIENCE: Duration = Duration::from_secs(60);

/// Servers, with what they and others show.
struct Servers {
    at: PathBuf,
    ports: Vec<u16>,
    running: Vec<Option<Child>>,
}

impl Servers {
    fn new(at: &Path) -> Self {
        let at = at.to_owned();
        certificates(&at);
        // Held until all are known, so that none is given twice.
        let held: Vec<TcpListener> = (0..2 * SERVERS)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
            .collect();
        let ports: Vec<u16> = held.iter().map(|it| it.local_addr().unwrap().port()).collect();
        drop(held);
        for number in 0..SERVERS {
            fs::write(at.join(format!("n{number}.conf")), config(&at, &ports, number)).unwrap();
        }
        let mut servers = Self { at, ports, running: (0..SERVERS).map(|_| None).collect() };
        (0..SERVERS).for_each(|number| servers.start(number));
        servers
    }

    fn start(&mut self, number: usize) {
        let log = File::create(self.at.join(format!("n{number}.log"))).unwrap();
        let program = std::env::var_os("RINGFORT_NATS_SERVER");
        let mut server = Command::new(program.unwrap_or_else(|| "nats-server".into()));
        server.arg("-c").arg(self.at.join(format!("n{number}.conf")));
        let child = server.stdout(log.try_clone().unwrap()).stderr(log).spawn();
        self.running[number] =
            Some(child.expect("nats-server is there, or RINGFORT_NATS_SERVER says where"));
        let at = (Ipv4Addr::LOCALHOST, self.ports[number]);
        until(&self.at, &format!("server {number}"), || TcpStream::connect(at).is_ok());
    }

    fn kill(&mut self, number: usize) {
        let mut child = self.running[number].take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// `ringfort audit queue` as somebody with a certificate.
    fn queue(&self, verb: &str, name: &str) -> Command {
        self.queue_by(verb, name, name)
    }

    /// The same by somebody else's.
    fn queue_by(&self, verb: &str, name: &str, shown: &str) -> Command {
        let mut command = Command::new(RINGFORT);
        command.args(["audit", "queue", verb, "--name", name]);
        for port in &self.ports[..SERVERS] {
            command.arg("--server").arg(format!("127.0.0.1:{port}"));
        }
        let own = |kind: &str| self.at.join(format!("{shown}.{kind}"));
        command.arg("--certificate").arg(own("crt")).arg("--key").arg(own("key"));
        command.arg("--ca").arg(self.at.join("ca.crt"));
        command
    }

    /// Makes the stream, as soon as the servers agree who leads.
    fn make(&self, replicas: u8) {
        let end = Instant::now() + PATIENCE;
        loop {
            let mut make = self.queue("make", "maker");
            let output = make
                .args(["--keep-mib", "64", "--replicas", &replicas.to_string()])
                .output()
                .unwrap();
            if output.status.success() {
                return;
            }
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(Instant::now() < end, "{said}\n{}", self.logs());
        }
    }

    fn logs(&self) -> String {
        let log = |number| fs::read_to_string(self.at.join(format!("n{number}.log"))).unwrap();
        (0..SERVERS).map(log).collect()
    }

    fn send(&self, machine: &str) -> Command {
        self.send_by(machine, machine)
    }

    fn send_by(&self, machine: &str, shown: &str) -> Command {
        let mut send = self.queue_by("send", machine, shown);
        send.arg("--store").arg(self.at.join(machine));
        send.arg("--cursor").arg(self.at.join(format!("{machine}.cursor")));
        send
    }

    fn take(&self, collector: &str) -> Command {
        let mut take = self.queue("take", collector);
        take.args(["--collector", collector]);
        take.arg("--received").arg(self.at.join(format!("{collector}.received")));
        take
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for mut child in self.running.drain(..).flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Somebody that runs until the test has seen enough of it.
struct Running(Child);

impl Running {
    fn new(command: &mut Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What those said that were started in a directory.
const LOG: &str = "ringfort.log";

fn until(at: &Path, what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        let said = || fs::read_to_string(at.join(LOG)).unwrap_or_default();
        assert!(Instant::now() < end, "{what} took too long:\n{}", said());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn certificates(at: &Path) {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    fs::write(at.join("ca.crt"), ca.pem()).unwrap();
    for name in ["server", "cp1", "cp2", "maker", "one", "two"] {
        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::default();
        leaf.distinguished_name = rcgen::DistinguishedName::new();
        leaf.distinguished_name.push(DnType::CommonName, name);
        if name == "server" {
            leaf.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        }
        let leaf = leaf.signed_by(&key, &ca).unwrap();
        fs::write(at.join(format!("{name}.crt")), leaf.pem()).unwrap();
        fs::write(at.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

/// What a server is told, as docs/audit.md says: each user hears what is answered to it alone, and a machine publishes on
/// its own subject.
fn config(at: &Path, ports: &[u16], number: usize) -> String {
    let at = at.display();
    let (own, cluster) = (ports[number], ports[SERVERS + number]);
    let routes: Vec<String> =
        ports[SERVERS..].iter().map(|port| format!("nats-route://127.0.0.1:{port}")).collect();
    let routes = routes.join(", ");
    let user = |name: &str, publish: &str| {
        // What others are answered it may hear here, so that what it may not publish is all that stops it.
        let more = if name == "cp2" { ", \"_INBOX.cp1.>\"" } else { "" };
        format!(
            "  {{ user: \"CN={name}\", permissions: {{ publish: [{publish}], subscribe: [\"_INBOX.{name}.>\"{more}] }} }}\n"
        )
    };
    let sends = |name: &str| {
        user(name, &format!("\"ringfort.audit.{name}\", \"$JS.API.STREAM.INFO.RINGFORT_AUDIT\""))
    };
    let takes = |name: &str| {
        let of = format!("RINGFORT_AUDIT.{name}");
        let subjects = [
            "$JS.API.STREAM.INFO.RINGFORT_AUDIT".to_owned(),
            format!("$JS.API.CONSUMER.INFO.{of}"),
            format!("$JS.API.CONSUMER.CREATE.{of}"),
            format!("$JS.API.CONSUMER.DURABLE.CREATE.{of}"),
            format!("$JS.API.CONSUMER.MSG.NEXT.{of}"),
            format!("$JS.ACK.{of}.>"),
        ];
        user(name, &subjects.map(|it| format!("{it:?}")).join(", "))
    };
    let users = [
        sends("cp1"),
        sends("cp2"),
        user(
            "maker",
            "\"$JS.API.STREAM.INFO.RINGFORT_AUDIT\", \"$JS.API.STREAM.CREATE.RINGFORT_AUDIT\"",
        ),
        takes("one"),
        takes("two"),
    ];
    format!(
        "server_name: n{number}\nlisten: \"127.0.0.1:{own}\"\n\
         jetstream {{ store_dir: \"{at}/js{number}\", max_mem: 16MB, max_file: 8GB }}\n\
         cluster {{ name: ringfort, listen: \"127.0.0.1:{cluster}\", routes: [{routes}] }}\n\
         tls {{ cert_file: \"{at}/server.crt\", key_file: \"{at}/server.key\", ca_file: \"{at}/ca.crt\", \
         verify_and_map: true }}\n\
         authorization {{ users: [\n{}] }}\n",
        users.concat()
    )
}

fn event(machine: &str, number: usize) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{machine}-{number}","stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"list","user":{{"username":"eve"}},"sourceIPs":["10.0.0.9"],"objectRef":{{"resource":"pods","apiVersion":"v1"}},"requestReceivedTimestamp":"2026-01-01T00:00:00.000000Z","stageTimestamp":"2026-01-01T00:00:00.{number:06}Z"}}"#
    )
}

/// The same in so few words that thousands are kept together.
fn short(machine: &str, number: usize) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"{machine}-{number}","user":{{"username":"eve"}}}}"#
    )
}

/// Keeps events of a machine in its store.
fn keep(at: &Path, machine: &str, numbers: Range<usize>) {
    keep_as(at, machine, numbers, event);
}

fn keep_as(at: &Path, machine: &str, numbers: Range<usize>, event: fn(&str, usize) -> String) {
    let path = at.join(format!("{machine}.log"));
    let mut log = File::options().create(true).append(true).open(&path).unwrap();
    for number in numbers {
        writeln!(log, "{}", event(machine, number)).unwrap();
    }
    let mut collect = Command::new(RINGFORT);
    collect.args(["audit", "collect", "--once", "--source", machine, "--log"]).arg(path);
    whole(collect.arg("--store").arg(at.join(machine)));
}

/// What a collector has of a machine.
fn kept(at: &Path, collector: &str, source: &str) -> Vec<String> {
    let mut search = Command::new(RINGFORT);
    search.args(["audit", "search", "user=eve", "--json", "--store"]);
    search.arg(at.join(format!("{collector}.store")));
    let found = search.output().unwrap();
    let text = String::from_utf8(found.stdout).unwrap();
    let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok();
    let lines = text.lines().filter_map(read).filter(|line| line["source"] == source);
    let mut kept: Vec<String> =
        lines.filter_map(|line| Some(line["event"]["auditID"].as_str()?.to_owned())).collect();
    kept.sort();
    kept
}

/// Runs a command that is to end well.
fn whole(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}\n{:?}", output.stdout);
    output
}

#[test]
fn three_servers_carry_everything_though_each_of_all_is_killed() {
    let room = tempfile::tempdir().unwrap();
    let at = room.path();
    let mut servers = Servers::new(at);
    servers.make(3);

    let part = EVENTS / SERVERS;
    keep(at, "cp1", 0..10);
    keep(at, "cp2", 0..10);
    let log = at.join(LOG);
    let send = |servers: &Servers| Running::new(&mut servers.send("cp1"), &log);
    let take = |servers: &Servers, name: &str| Running::new(&mut servers.take(name), &log);
    let collect = |name: &str| {
        let mut collect = Command::new(RINGFORT);
        collect.args(["audit", "collect", "--source", name, "--log"]).arg(at.join("none"));
        collect.arg("--store").arg(at.join(format!("{name}.store")));
        Running::new(collect.arg("--received").arg(at.join(format!("{name}.received"))), &log)
    };
    let _collecting = [collect("one"), collect("two")];
    let (mut sending, mut taking) = (send(&servers), take(&servers, "one"));
    let _other = take(&servers, "two");
    // A server at a time is away, and nobody is spared.
    for number in 0..SERVERS {
        until(at, "the first events", || kept(at, "one", "cp1").len() >= (number * part).max(1));
        servers.kill(number);
        keep(at, "cp1", (number * part).max(10)..(number + 1) * part);
        drop((sending, taking));
        (sending, taking) = (send(&servers), take(&servers, "one"));
        std::thread::sleep(Duration::from_millis(500));
        servers.start(number);
    }
    let mut all: Vec<String> = (0..EVENTS).map(|number| format!("cp1-{number}")).collect();
    all.sort();
    for collector in ["one", "two"] {
        until(at, collector, || kept(at, collector, "cp1") == all);
    }
    drop((sending, taking));

    // What comes later comes too, and once.
    keep(at, "cp1", EVENTS..EVENTS + 5);
    whole(servers.send("cp1").arg("--once"));
    whole(servers.send("cp2").arg("--once"));
    whole(servers.take("one").arg("--once"));
    until(at, "what came later", || kept(at, "one", "cp1").len() == EVENTS + 5);
    until(at, "another machine", || kept(at, "one", "cp2").len() == 10);

    // A machine's certificate speaks for that machine alone.
    keep(at, "cp1", EVENTS + 5..EVENTS + 6);
    let forged = servers.send_by("cp1", "cp2").arg("--once").output().unwrap();
    assert_eq!(forged.status.code(), Some(4), "{}", String::from_utf8_lossy(&forged.stderr));
    // What comes behind it would come after it.
    keep(at, "cp2", 10..11);
    whole(servers.send("cp2").arg("--once"));
    whole(servers.take("one").arg("--once"));
    until(at, "what is behind it", || kept(at, "one", "cp2").len() == 11);
    assert_eq!(kept(at, "one", "cp1").len(), EVENTS + 5);
}

/// A collector that catches up keeps much at once: more than the client lets wait for an answer.
#[test]
fn many_that_were_kept_together_are_sent() {
    let room = tempfile::tempdir().unwrap();
    let at = room.path();
    let servers = Servers::new(at);
    servers.make(3);
    let many = 6000;
    keep_as(at, "cp1", 0..many, short);
    let mut sending = Running::new(servers.send("cp1").arg("--once"), &at.join(LOG));
    until(at, "sending", || sending.0.try_wait().unwrap().is_some_and(|ended| ended.success()));
    let collect = Running::new(
        Command::new(RINGFORT)
            .args(["audit", "collect", "--source", "one", "--log"])
            .arg(at.join("none"))
            .arg("--store")
            .arg(at.join("one.store"))
            .arg("--received")
            .arg(at.join("one.received")),
        &at.join(LOG),
    );
    whole(servers.take("one").arg("--once"));
    until(at, "all of them", || kept(at, "one", "cp1").len() == many);
    drop(collect);
}

#[test]
fn a_stream_that_one_server_keeps_is_not_trusted() {
    let room = tempfile::tempdir().unwrap();
    let servers = Servers::new(room.path());
    keep(room.path(), "cp1", 0..1);
    let none = servers.send("cp1").arg("--once").output().unwrap();
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert_eq!(none.status.code(), Some(4), "{said}");
    servers.make(1);
    let refused = servers.send("cp1").arg("--once").output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(said.contains("is on 1 servers, and has to be on 3"), "{said}");
    whole(servers.send("cp1").args(["--replicas", "1", "--once"]));
}
