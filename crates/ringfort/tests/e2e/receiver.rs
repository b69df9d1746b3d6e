//! Those who are told what is found: a webhook and a syslog server outside of the cluster. They run in the lab's network,
//! as a process of their own that writes down what it takes.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::running::Running;

/// Where a usual lab's network begins: its machines reach nobody outside of it.
pub const HUB: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub const WEBHOOK: u16 = 7443;
const SYSLOG: u16 = 6514;
/// What the webhook asks for.
pub const TOKEN: &str = "told-only-to-whom-it-is-for-4711";
/// The argument by which this program becomes the receiver.
pub const RECEIVE: &str = "receive-what-is-told-in";

/// The file that says at which address they listen.
const WHERE: &str = "where";

/// A directory with all that both need, and that they write into.
pub struct Receiver {
    directory: PathBuf,
}

impl Receiver {
    /// Makes an authority and a certificate for an address, the token, and the lines of `cluster.yaml` that name all
    /// this.
    pub fn prepare(directory: &Path, hub: IpAddr) -> (Self, String) {
        let directory = directory.join("told");
        fs::create_dir_all(&directory).unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::default();
        leaf.subject_alt_names = vec![SanType::IpAddress(hub)];
        let leaf = leaf.signed_by(&key, &authority).unwrap();
        write(&directory.join("ca.pem"), &authority.pem());
        write(&directory.join("certificate.pem"), &leaf.pem());
        write(&directory.join("key.pem"), &key.serialize_pem());
        write(&directory.join("token"), TOKEN);
        write(&directory.join(WHERE), &hub.to_string());
        let told = directory.display();
        let [webhook, syslog] = [WEBHOOK, SYSLOG].map(|port| SocketAddr::from((hub, port)));
        let lines = format!(
            "\
audit:
  tell:
    machineLog: true
    metrics: true
    webhook: {{ url: 'https://{webhook}/ringfort', ca: {told}/ca.pem, token: {told}/token }}
    syslog: {{ address: '{syslog}', ca: {told}/ca.pem }}
"
        );
        (Self { directory }, lines)
    }

    /// Begins to take what is told, and waits until both take it.
    pub fn start(&self, ringfort: &str, lab: &str) -> Running {
        let mut receiver = Command::new(ringfort);
        receiver.args(["lab", "run", lab, "--"]).arg(std::env::current_exe().unwrap());
        receiver.arg(RECEIVE).arg(&self.directory);
        let mut running = Running::start(receiver);
        assert!(running.until(|event| *event == LISTENING), "those who are told do not listen");
        running
    }

    /// Gives what the webhook took: whose finding it is, and the finding.
    pub fn taken(&self) -> Vec<(String, Value)> {
        let text = fs::read_to_string(self.directory.join("webhook")).unwrap_or_default();
        let findings = |line: &str| {
            let body: Value = serde_json::from_str(line).unwrap();
            let source = body["source"].as_str().unwrap().to_owned();
            let findings = body["findings"].as_array().unwrap().clone();
            findings.into_iter().map(move |finding| (source.clone(), finding))
        };
        whole(&text).flat_map(findings).collect()
    }

    /// Gives the messages that the syslog server took.
    pub fn messages(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.join("syslog")).unwrap_or_default();
        whole(&text).flat_map(|line| by_lengths(line.trim_end_matches('\n'))).collect()
    }
}

/// Gives the lines that are written to their end.
fn whole(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').filter(|line| line.ends_with('\n'))
}

/// Takes messages by their lengths.
fn by_lengths(mut rest: &str) -> Vec<String> {
    let mut all = Vec::new();
    while let Some((length, more)) = rest.split_once(' ') {
        let (message, more) = more.split_at(length.parse().unwrap());
        all.push(message.to_owned());
        rest = more;
    }
    all
}

fn write(file: &Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Takes what is told until it is killed.
pub fn receive(directory: &Path) -> ExitCode {
    let certificate = CertificateDer::from_pem_file(directory.join("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(directory.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let into = |name: &str| {
        OpenOptions::new().append(true).create(true).open(directory.join(name)).unwrap()
    };
    let hub: IpAddr = fs::read_to_string(directory.join(WHERE)).unwrap().parse().unwrap();
    let bind = |port| TcpListener::bind((hub, port)).unwrap();
    let (webhook, syslog) = (bind(WEBHOOK), bind(SYSLOG));
    println!("{LISTENING:?}");
    let (own, taken) = (Arc::clone(&config), into("webhook"));
    std::thread::spawn(move || serve(&webhook, &own, taken, webhook_takes));
    serve(&syslog, &config, into("syslog"), syslog_takes);
    ExitCode::FAILURE
}

/// What is said when both listen.
const LISTENING: &str = "listening";
/// A machine that stands still holds up its own connection, and not for ever.
const PATIENCE: Duration = Duration::from_secs(15);

type Stream = StreamOwned<ServerConnection, TcpStream>;
/// Where what is taken is written, each as a whole.
type Taken = Mutex<File>;

/// A thread for each connection.
fn serve(
    listener: &TcpListener,
    config: &Arc<ServerConfig>,
    into: File,
    takes: fn(&mut Stream, &Taken) -> std::io::Result<()>,
) {
    let into = Arc::new(Mutex::new(into));
    for stream in listener.incoming() {
        let (stream, into) = (stream.unwrap(), Arc::clone(&into));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        // Who breaks off comes again.
        std::thread::spawn(move || takes(&mut stream, &into));
    }
}

fn webhook_takes(stream: &mut Stream, into: &Taken) -> std::io::Result<()> {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    let (head, body) = loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            if body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0) {
                break (head.to_owned(), body.to_owned());
            }
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => all.extend_from_slice(&buffer[..count]),
        }
    };
    let status = if head.contains(&format!("\r\nAuthorization: Bearer {TOKEN}")) {
        into.lock().unwrap().write_all(format!("{body}\n").as_bytes())?;
        "204 No Content"
    } else {
        "401 Unauthorized"
    };
    stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn syslog_takes(stream: &mut Stream, into: &Taken) -> std::io::Result<()> {
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    into.lock().unwrap().write_all(format!("{text}\n").as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}
