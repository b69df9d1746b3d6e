//! A door that lets in who shows a certificate of the cluster's authority. Whoever is slow holds up nobody: each
//! connection has a thread, a time to end in, and there are only so many, of each address fewer. Who has shown no
//! certificate yet takes no place of those who have.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// So many are spoken with at a time,
const MOST_KNOWN: usize = 32;
/// and so many beside that have not shown who they are. An address has so many of both: an API server sends up to 15
/// batches of events at once.
const MOST_UNKNOWN: usize = 96;
const MOST_OF_ONE: usize = 24;
/// In this time it has to be shown.
const HANDSHAKE: Duration = Duration::from_secs(5);
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
        let places = Arc::new(Mutex::new(Places::default()));
        loop {
            let Ok((tcp, from)) = self.listener.accept() else {
                // Files are short; trying again at once would not help.
                std::thread::sleep(Duration::from_millis(100));
                continue;
            };
            // Who is turned away comes again.
            let Some(held) = Held::new(&places, from.ip().to_canonical()) else { continue };
            let (config, answering) = (Arc::clone(&self.config), Arc::clone(answering));
            let (patience, most_body) = (self.patience, self.most_body);
            let begun = std::thread::Builder::new().spawn(move || {
                // Nobody is there to be told that somebody hung up.
                let _ = speak((tcp, held), config, (patience, most_body), &*answering);
            });
            drop(begun);
        }
    }
}

/// How many there are.
#[derive(Debug, Default)]
struct Places {
    of: BTreeMap<IpAddr, usize>,
    unknown: usize,
    known: usize,
}

/// A place that is held: of an address, by one of whom it is not known, or is, who it is.
struct Held {
    places: Arc<Mutex<Places>>,
    from: IpAddr,
    is_known: bool,
}

impl Held {
    /// Gives a place to whoever comes from an address, if there is one.
    fn new(places: &Arc<Mutex<Places>>, from: IpAddr) -> Option<Self> {
        let mut there = lock(places);
        let of = there.of.get(&from).copied().unwrap_or(0);
        if of >= MOST_OF_ONE || there.unknown >= MOST_UNKNOWN {
            return None;
        }
        there.unknown += 1;
        there.of.insert(from, of + 1);
        Some(Self { places: Arc::clone(places), from, is_known: false })
    }

    /// It is known now who it is. Says whether there is a place among those.
    fn know(&mut self) -> bool {
        let mut there = lock(&self.places);
        if there.known >= MOST_KNOWN {
            return false;
        }
        there.unknown -= 1;
        there.known += 1;
        self.is_known = true;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut there = lock(&self.places);
        match self.is_known {
            true => there.known -= 1,
            false => there.unknown -= 1,
        }
        if let Some(of) = there.of.get_mut(&self.from) {
            *of -= 1;
            if *of == 0 {
                there.of.remove(&self.from);
            }
        }
    }
}

fn lock(places: &Mutex<Places>) -> MutexGuard<'_, Places> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

fn speak(
    (tcp, mut held): (TcpStream, Held),
    config: Arc<ServerConfig>,
    (patience, most_body): (Duration, usize),
    answering: &Answering,
) -> io::Result<()> {
    let mut timed = Timed::new(tcp, patience.min(HANDSHAKE));
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    if let Err(error) = tls.complete_io(&mut timed) {
        timed.linger();
        return Err(error);
    }
    if !held.know() {
        return Ok(());
    }
    timed.lasts(patience);
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

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::{Arc, Mutex};

    use super::{Held, MOST_KNOWN, MOST_OF_ONE, MOST_UNKNOWN, Places, lock};

    fn address(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    #[test]
    fn who_shows_nothing_takes_no_place_of_others() {
        let places = Arc::new(Mutex::new(Places::default()));
        let from = |last| Held::new(&places, address(last));
        let mut one: Vec<Held> = (0..MOST_OF_ONE).filter_map(|_| from(1)).collect();
        assert_eq!(one.len(), MOST_OF_ONE);
        assert!(from(1).is_none(), "another of the same address");
        // As many as may be are known, and those that are not are still let in.
        let mut known: Vec<Held> = (2..).filter_map(from).take(MOST_KNOWN).collect();
        assert!(known.iter_mut().all(Held::know));
        let mut other = from(60).unwrap();
        assert!(!other.know(), "there are enough");
        drop(known.pop());
        assert!(other.know());
        drop(one.pop());
        one.extend(from(1));
        assert_eq!(one.len(), MOST_OF_ONE);
        let unknown: Vec<Held> = (100..).map_while(from).collect();
        assert_eq!(lock(&places).unknown, MOST_UNKNOWN);
        drop((one, known, other, unknown));
        let there = lock(&places);
        assert_eq!((there.of.len(), there.unknown, there.known), (0, 0, 0));
    }
}
