//! Sends batches of what waits: to a webhook, or to a syslog server. What was not received as a whole is sent again.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringfort_model::receiver::HttpsUrl;
use ringfort_model::secret::Secret;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::spool::Batch;

/// Why a batch counts as not received. Nothing of the batch or of a token is in it.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Nobody was reached, or somebody who is not believed.
    #[error("{at} cannot be spoken to: {source}")]
    Reach {
        /// Where.
        at: SocketAddr,
        /// What is wrong.
        source: io::Error,
    },
    /// Somebody answered otherwise than that it was received.
    #[error("{at} answers {said}")]
    Refused {
        /// Where.
        at: SocketAddr,
        /// The status of the answer.
        said: String,
    },
}

/// Takes batches.
pub trait Receiver: Send {
    /// Sends a batch. When it returns well it was received as a whole.
    ///
    /// # Errors
    /// It was not, or nobody knows.
    fn send(&mut self, batch: &Batch) -> Result<(), SendError>;
}

/// How a server is known, and how long it may take.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    patience: Duration,
}

/// So long a batch may take as a whole.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Why nobody could be known.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The authorities.
    #[error("no certificate of an authority can be read in it: {0}")]
    Authorities(String),
    /// The name.
    #[error("{0:?} is no name that a certificate can be for")]
    Name(String),
}

impl Tls {
    /// Knows a server by its name, in a certificate that one of these authorities signed. Only TLS 1.3 is spoken.
    ///
    /// # Errors
    /// There is no authority in the text, or the name is none.
    pub fn new(name: &str, authorities_pem: &str, patience: Duration) -> Result<Self, TlsError> {
        let why = |error: &dyn fmt::Display| TlsError::Authorities(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities_pem.as_bytes()) {
            let certificate = certificate.map_err(|error| why(&error))?;
            roots.add(certificate).map_err(|error| why(&error))?;
        }
        if roots.is_empty() {
            return Err(why(&"there is none"));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider speaks TLS 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name =
            ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))?;
        Ok(Self { config: Arc::new(config), name, patience })
    }

    fn connect(&self, at: SocketAddr) -> io::Result<Connection> {
        let until = Instant::now() + self.patience;
        let tcp = TcpStream::connect_timeout(&at, self.patience)?;
        let tls = ClientConnection::new(Arc::clone(&self.config), self.name.clone())
            .map_err(io::Error::other)?;
        Ok(Connection { stream: StreamOwned::new(tls, Timed { tcp, until }) })
    }
}

/// A connection that has to end within a time, however slowly the other side goes on.
struct Connection {
    stream: StreamOwned<ClientConnection, Timed>,
}

struct Timed {
    tcp: TcpStream,
    until: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(io::Error::new(io::ErrorKind::TimedOut, "it takes too long")),
            false => Ok(left),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(Some(self.left()?))?;
        self.tcp.read(buffer).map_err(late)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(Some(self.left()?))?;
        self.tcp.write(bytes).map_err(late)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

fn late(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "it takes too long"),
        _ => error,
    }
}

/// A webhook: a batch is one request, and is received when the answer says so.
pub struct Webhook {
    /// Where it is.
    pub url: HttpsUrl,
    /// The address that is connected to.
    pub address: IpAddr,
    /// How it is known.
    pub tls: Tls,
    /// The token that it asks for.
    pub token: Option<Secret<String>>,
    /// Whose findings they are: the machine.
    pub source: String,
}

/// No answer needs more to say whether something was received.
const MOST_ANSWER: usize = 16 << 10;

impl Receiver for Webhook {
    fn send(&mut self, batch: &Batch) -> Result<(), SendError> {
        let at = SocketAddr::new(self.address, self.url.port);
        let said = self.ask(at, batch).map_err(|source| SendError::Reach { at, source })?;
        match said.as_str() {
            said if said.starts_with('2') => Ok(()),
            _ => Err(SendError::Refused { at, said }),
        }
    }
}

impl Webhook {
    /// Sends a batch, and gives the status of the answer.
    fn ask(&self, at: SocketAddr, batch: &Batch) -> io::Result<String> {
        let mut stream = self.tls.connect(at)?.stream;
        let body = self.body(batch);
        stream.write_all(self.head(body.len()).expose().as_bytes())?;
        stream.write_all(body.as_bytes())?;
        stream.flush()?;
        status(&mut stream)
    }

    fn head(&self, length: usize) -> Secret<String> {
        let HttpsUrl { host, port, path } = &self.url;
        let host = if *port == 443 { host.clone() } else { format!("{host}:{port}") };
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ringfort\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n"
        );
        if let Some(token) = &self.token {
            head.push_str("Authorization: Bearer ");
            head.push_str(token.expose());
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        Secret::new(head)
    }

    /// The lines are JSON already, and stay as they are.
    fn body(&self, batch: &Batch) -> String {
        let source = serde_json::Value::from(self.source.as_str());
        let (lost, lines) = (batch.lost, batch.lines.join(","));
        format!("{{\"version\":1,\"source\":{source},\"lost\":{lost},\"findings\":[{lines}]}}")
    }
}

/// Reads the first line of an answer, and gives what it says: three digits and some words.
fn status(stream: &mut impl Read) -> io::Result<String> {
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    let end = loop {
        if let Some(end) = answer.iter().position(|byte| *byte == b'\n') {
            break end;
        }
        let read = stream.read(&mut buffer)?;
        if read == 0 || answer.len() > MOST_ANSWER {
            return Err(io::Error::other("it does not answer as HTTP does"));
        }
        answer.extend_from_slice(&buffer[..read]);
    };
    let line = String::from_utf8_lossy(&answer[..end]);
    let said =
        line.trim_end().split_once(' ').filter(|(version, _)| version.starts_with("HTTP/1."));
    let said = said.map(|(_, said)| said.chars().filter(|it| !it.is_control()).take(60).collect());
    let said: String = said.ok_or_else(|| io::Error::other("it does not answer as HTTP does"))?;
    match said.bytes().take_while(u8::is_ascii_digit).count() {
        3 => Ok(said),
        _ => Err(io::Error::other("it does not answer as HTTP does")),
    }
}

/// A syslog server. Its lines are whole messages.
pub struct Syslog {
    /// Where it is.
    pub address: SocketAddr,
    /// How it is known; by datagrams nobody is.
    pub tls: Option<Tls>,
}

/// A longer message may be cut off on its way (RFC 5426, section 3.2).
const MOST_DATAGRAM: usize = 2048;

impl Receiver for Syslog {
    fn send(&mut self, batch: &Batch) -> Result<(), SendError> {
        let at = self.address;
        let sent = match &self.tls {
            Some(tls) => stream(tls, at, batch),
            None => datagrams(at, batch),
        };
        sent.map_err(|source| SendError::Reach { at, source })
    }
}

/// Sends messages by their lengths (RFC 5425, section 4.3). The server acknowledges none of them: it has them when
/// it has read up to our end, and ends as well.
fn stream(tls: &Tls, at: SocketAddr, batch: &Batch) -> io::Result<()> {
    let mut stream = tls.connect(at)?.stream;
    for message in &batch.lines {
        write!(stream, "{} {message}", message.len())?;
    }
    stream.flush()?;
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.sock.tcp.shutdown(std::net::Shutdown::Write)?;
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Who leaves without a word of TLS has read all the same, unless the connection was broken off.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn datagrams(at: SocketAddr, batch: &Batch) -> io::Result<()> {
    let socket = UdpSocket::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0))?;
    socket.connect(at)?;
    for message in &batch.lines {
        let end =
            (0..=MOST_DATAGRAM.min(message.len())).rev().find(|at| message.is_char_boundary(*at));
        socket.send(&message.as_bytes()[..end.unwrap_or(0)])?;
    }
    Ok(())
}
