//! A door that lets in who shows a certificate of the cluster's authority. Whoever is slow holds up nobody: each
//! connection has a thread, a time to end in, and there are only so many.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::http::{self, Answer, Request};
use super::timed::Timed;
use super::tls::{Papers, TlsError, speaks_for};

/// Why nobody can be let in.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The address.
    #[error("{at} cannot be listened on: {source}")]
    Listen {
        /// Where.
        at: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The papers.
    #[error(transparent)]
    Papers(#[from] TlsError),
}

/// Somewhere that is listened on.
pub struct Door {
    listener: TcpListener,
    config: Arc<ServerConfig>,
    patience: Duration,
    most_body: usize,
}

/// Answers a request of whom a certificate speaks for.
pub type Answering = dyn Fn(&str, &Request) -> Answer + Send + Sync;

/// So many are spoken with at a time.
const MOST_CONNECTIONS: usize = 32;
/// The longest that is taken of a request, where nothing else was said.
const MOST_BODY: usize = 1 << 20;

impl Door {
    /// Listens. Whoever is let in has so long.
    ///
    /// # Errors
    /// The address cannot be had, or the papers not be used.
    pub fn open(at: SocketAddr, papers: &Papers, patience: Duration) -> Result<Self, DoorError> {
        let config = papers.server()?;
        let listener = TcpListener::bind(at).map_err(|source| DoorError::Listen { at, source })?;
        Ok(Self { listener, config, patience, most_body: MOST_BODY })
    }

    /// Takes requests that are as long as this.
    #[must_use]
    pub fn taking(self, most_body: usize) -> Self {
        Self { most_body, ..self }
    }

    /// Where it is.
    ///
    /// # Errors
    /// The system does not say.
    pub fn at(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Lets in whoever comes, for as long as the program runs.
    pub fn serve(self, answering: &Arc<Answering>) -> ! {
        let open = Arc::new(AtomicUsize::new(0));
        loop {
            let Ok((tcp, _)) = self.listener.accept() else {
                // Files are short; trying again at once would not help.
                std::thread::sleep(Duration::from_millis(100));
                continue;
            };
            // Who is turned away comes again.
            if open.fetch_add(1, Ordering::Relaxed) >= MOST_CONNECTIONS {
                open.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let guard = Guard(Arc::clone(&open));
            let (config, answering) = (Arc::clone(&self.config), Arc::clone(answering));
            let (patience, most_body) = (self.patience, self.most_body);
            let begun = std::thread::Builder::new().spawn(move || {
                let _guard = guard;
                // Nobody is there to be told that somebody hung up.
                let _ = speak(tcp, config, (patience, most_body), &*answering);
            });
            drop(begun);
        }
    }
}

struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn speak(
    tcp: TcpStream,
    config: Arc<ServerConfig>,
    (patience, most_body): (Duration, usize),
    answering: &Answering,
) -> io::Result<()> {
    let mut timed = Timed::new(tcp, patience);
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    if let Err(error) = tls.complete_io(&mut timed) {
        timed.linger();
        return Err(error);
    }
    let shown = tls.peer_certificates().and_then(<[_]>::first);
    let caller = shown.and_then(speaks_for).unwrap_or_default();
    let mut stream = StreamOwned::new(tls, timed);
    let answer = match http::request(&mut stream, most_body)? {
        Ok(request) => answering(&caller, &request),
        Err(status) => Answer::said(status, &"this is no request that is understood here"),
    };
    http::answer(&mut stream, &answer)?;
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.sock.linger();
    Ok(())
}
