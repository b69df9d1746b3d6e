//! Sends batches of what waits: to a webhook, a syslog server, or a control plane. What was not received as a whole is sent again.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ringfort_model::net::{bracketed, host_port};
use ringfort_model::receiver::HttpsUrl;
use ringfort_model::secret::Secret;

use super::http::{ask, status};
use super::offer::Peer;
use super::spool::Batch;
use super::tls::Tls;
use super::witness::FINDINGS;
use crate::format::checkpoint::VERSION;

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
    /// There is nobody to send it to.
    #[error("nobody is named who receives it")]
    Nobody,
}

/// Takes batches.
pub trait Receiver: Send {
    /// Sends a batch. When it returns well it was received as a whole.
    ///
    /// # Errors
    /// It was not, or nobody knows.
    fn send(&mut self, batch: &Batch) -> Result<(), SendError>;
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
        let mut stream = self.tls.connect(at)?;
        let body = self.body(batch);
        stream.write_all(self.head(body.len()).expose().as_bytes())?;
        stream.write_all(body.as_bytes())?;
        stream.flush()?;
        status(&mut stream)
    }

    fn head(&self, length: usize) -> Secret<String> {
        let HttpsUrl { host, port, path } = &self.url;
        let host = if *port == 443 { bracketed(host) } else { host_port(host, *port) };
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

/// Sends messages by their lengths (RFC 5425, section 4.3). The server acknowledges none of them. All that is known is
/// that whoever answers TLS there ended the connection in good order: an end without a word of TLS anybody on the way can
/// make.
fn stream(tls: &Tls, at: SocketAddr, batch: &Batch) -> io::Result<()> {
    let mut stream = tls.connect(at)?;
    for message in &batch.lines {
        write!(stream, "{} {message}", message.len())?;
    }
    stream.flush()?;
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.sock.shut()?;
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
    }
}

fn datagrams(at: SocketAddr, batch: &Batch) -> io::Result<()> {
    let any: IpAddr = match at {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(at)?;
    for message in &batch.lines {
        let end =
            (0..=MOST_DATAGRAM.min(message.len())).rev().find(|at| message.is_char_boundary(*at));
        socket.send(&message.as_bytes()[..end.unwrap_or(0)])?;
    }
    Ok(())
}

/// Control planes that take what an agent found: any of them is enough, and who does not answer is tried last from then
/// on.
pub struct Collectors {
    peers: VecDeque<Peer>,
}

impl Collectors {
    /// Delivers to the first of these that takes it.
    pub fn new(peers: Vec<Peer>) -> Self {
        Self { peers: peers.into() }
    }
}

impl Receiver for Collectors {
    fn send(&mut self, batch: &Batch) -> Result<(), SendError> {
        let mut trouble = None;
        for _ in 0..self.peers.len() {
            let Some(peer) = self.peers.front() else { break };
            match peer.deliver(&batch.lines, batch.lost) {
                Ok(()) => return Ok(()),
                Err(error) => trouble = Some(error),
            }
            self.peers.rotate_left(1);
        }
        Err(trouble.unwrap_or(SendError::Nobody))
    }
}

impl Peer {
    /// Delivers findings, with how many there was no room for. When it returns well they are durable there.
    ///
    /// # Errors
    /// They are not, or nobody knows.
    pub fn deliver(&self, lines: &[String], lost: u64) -> Result<(), SendError> {
        let (at, lines) = (self.at, lines.join(","));
        let body = format!("{{\"version\":{VERSION},\"lost\":{lost},\"findings\":[{lines}]}}");
        match ask(&self.tls, at, ("POST", FINDINGS), body.as_bytes()) {
            Ok((said, _)) if said.starts_with('2') => Ok(()),
            Ok((said, _)) => Err(SendError::Refused { at, said }),
            Err(source) => Err(SendError::Reach { at, source }),
        }
    }
}
