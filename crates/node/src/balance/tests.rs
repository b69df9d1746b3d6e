//! The balancer before servers that speak TLS, die and come back.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener as Listener, TcpStream as Stream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio::net::{TcpListener, TcpSocket};

use super::backends::{Pool, follow};
use super::health::{Pace, Standing};
use super::{Settings, accept};
use crate::probe::{ProbeError, ask_tls, trust};
use crate::root::Root;

const FAST: Pace = Pace {
    every: Duration::from_millis(20),
    again: Duration::from_millis(10),
    limit: Duration::from_millis(500),
    patience: Duration::from_secs(3),
};

/// What a client sends that holds a connection: no TLS begins with it.
const HOLD: &[u8; 1] = b"H";

/// An authority and a certificate of it for 127.0.0.1, written below a root.
fn certificates(root: &Path) -> Arc<ServerConfig> {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(root.join("ca.crt"), ca.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::default();
    leaf.subject_alt_names = vec![SanType::IpAddress("127.0.0.1".parse().unwrap())];
    let leaf = leaf.signed_by(&key, &ca).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

/// A port where nobody listens, and which is given to no other test's server while it is held.
fn refuses() -> TcpSocket {
    let held = TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    held
}

/// A server that answers every request with its name, until it is told to die. Connections that
/// it has taken stay open and silent: its machine lost power.
struct Server {
    at: SocketAddr,
    alive: Arc<Mutex<bool>>,
}

impl Server {
    fn start(name: &'static str, tls: &Arc<ServerConfig>) -> Self {
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let alive = Arc::new(Mutex::new(true));
        let (tls, living) = (Arc::clone(tls), Arc::clone(&alive));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if !*living.lock().unwrap() {
                    return;
                }
                let tls = Arc::clone(&tls);
                std::thread::spawn(move || answer(stream.unwrap(), tls, name));
            }
        });
        Self { at, alive }
    }

    fn die(&self) {
        *self.alive.lock().unwrap() = false;
        // Wakes the listener, which then closes.
        let _ = Stream::connect(self.at);
    }
}

fn answer(mut stream: Stream, tls: Arc<ServerConfig>, name: &str) {
    let mut first = [0];
    if stream.peek(&mut first).is_ok_and(|count| count > 0) && first == *HOLD {
        let _ = stream.write_all(HOLD);
        // Until the balancer lets go.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
        return;
    }
    let mut stream = StreamOwned::new(ServerConnection::new(tls).unwrap(), stream);
    if stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {
        let status = if name == "unready" { "500 Internal Server Error" } else { "200 OK" };
        let _ = stream.write_all(format!("HTTP/1.1 {status}\r\nName: {name}\r\n\r\n").as_bytes());
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
}

struct Balanced {
    directory: tempfile::TempDir,
    pool: Arc<Pool>,
    at: SocketAddr,
}

impl Balanced {
    async fn before(directory: tempfile::TempDir, servers: &[SocketAddr]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let backends = directory.path().join("backends");
        write(&backends, servers);
        let root = Root::new(directory.path());
        let settings = Settings { listen: at, backends, ca: "/ca.crt".to_owned(), root };
        let pool = Arc::new(Pool::open(&settings, FAST).unwrap());
        tokio::spawn(follow(Arc::clone(&pool)));
        let accepting = Arc::clone(&pool);
        tokio::spawn(async move { accept(&listener, &accepting).await });
        Self { directory, pool, at }
    }

    async fn until(&self, server: SocketAddr, standing: Standing) {
        let found = self.pool.in_order().into_iter().find(|(at, _)| *at == server);
        let (_, mut watched) = found.unwrap();
        let wait = watched.wait_for(|now| *now == standing);
        let waited = tokio::time::timeout(Duration::from_secs(20), wait).await;
        assert!(waited.is_ok(), "{server} never became {standing:?}");
    }

    /// Holds a connection that a server has taken.
    async fn hold(&self) -> Stream {
        let mut stream = Stream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(HOLD).unwrap();
        let read = move || stream.read_exact(&mut [0]).map(|()| stream);
        tokio::task::spawn_blocking(read).await.unwrap().unwrap()
    }

    fn first(&self) -> SocketAddr {
        self.pool.in_order()[0].0
    }

    async fn ask(&self) -> Result<(), ProbeError> {
        let (root, at) = (Root::new(self.directory.path()), self.at);
        let asked = tokio::task::spawn_blocking(move || {
            ask_tls(&trust(&root, "/ca.crt").unwrap(), at, "/", Duration::from_secs(5))
        });
        asked.await.unwrap()
    }
}

fn write(path: &Path, servers: &[SocketAddr]) {
    let lines: String = servers.iter().map(|at| format!("{at}\n")).collect();
    std::fs::write(path, lines).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_servers_connections_end_and_new_ones_go_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let tls = certificates(directory.path());
    let (one, two) = (Server::start("one", &tls), Server::start("two", &tls));
    let balanced = Balanced::before(directory, &[one.at, two.at]).await;
    balanced.until(one.at, Standing::Ready).await;
    balanced.until(two.at, Standing::Ready).await;
    assert_eq!(balanced.first(), one.at);
    balanced.ask().await.unwrap();
    let mut held = balanced.hold().await;
    one.die();
    let ended = tokio::task::spawn_blocking(move || held.read(&mut [0; 1]));
    assert!(matches!(ended.await.unwrap(), Ok(0)), "the held connection is given up");
    balanced.until(one.at, Standing::Dead).await;
    assert_eq!(balanced.first(), two.at);
    balanced.ask().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_is_passed_over_within_one_connection() {
    let directory = tempfile::tempdir().unwrap();
    let tls = certificates(directory.path());
    let held = refuses();
    let gone = held.local_addr().unwrap();
    let two = Server::start("two", &tls);
    // Nothing was asked yet: the dead one is still first in the file's order.
    let balanced = Balanced::before(directory, &[gone, two.at]).await;
    balanced.ask().await.unwrap();
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_waits_for_the_first_server_and_not_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let tls = certificates(directory.path());
    let held = refuses();
    let gone = held.local_addr().unwrap();
    let balanced = Balanced::before(directory, &[gone]).await;
    balanced.until(gone, Standing::Dead).await;
    let (late, asked) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let late = Server::start("late", &tls);
            write(&balanced.directory.path().join("backends"), &[late.at]);
            late
        },
        balanced.ask()
    );
    asked.unwrap();
    late.die();
    balanced.until(late.at, Standing::Dead).await;
    assert!(balanced.ask().await.is_err(), "a client without a server is sent away in the end");
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_ready_gets_no_new_connections() {
    let directory = tempfile::tempdir().unwrap();
    let tls = certificates(directory.path());
    let (unready, two) = (Server::start("unready", &tls), Server::start("two", &tls));
    let balanced = Balanced::before(directory, &[unready.at, two.at]).await;
    balanced.until(unready.at, Standing::Doubtful).await;
    balanced.until(two.at, Standing::Ready).await;
    assert_eq!(balanced.first(), two.at);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_another_authority_is_never_ready() {
    let directory = tempfile::tempdir().unwrap();
    let foreign = Server::start("one", &certificates(directory.path()));
    let ours = Server::start("two", &certificates(directory.path()));
    let balanced = Balanced::before(directory, &[foreign.at, ours.at]).await;
    balanced.until(foreign.at, Standing::Dead).await;
    balanced.until(ours.at, Standing::Ready).await;
    assert_eq!(balanced.first(), ours.at);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_followed_and_a_bad_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let tls = certificates(directory.path());
    let (one, two) = (Server::start("one", &tls), Server::start("two", &tls));
    let backends = directory.path().join("backends");
    let balanced = Balanced::before(directory, &[one.at]).await;
    balanced.until(one.at, Standing::Ready).await;
    balanced.ask().await.unwrap();
    let mut held = balanced.hold().await;
    std::fs::write(&backends, "cp1:6443\n").unwrap();
    balanced.ask().await.unwrap();
    // The server that is taken out loses its connections.
    write(&backends, &[two.at]);
    let ended = tokio::task::spawn_blocking(move || held.read(&mut [0; 1]));
    assert!(matches!(ended.await.unwrap(), Ok(0)));
    assert_eq!(balanced.first(), two.at);
}
