//! Tries whether other machines are reached: on one side ports that are open for the test alone,
//! on the other connections to them that want several full packets.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ringfort_model::reach::{BURST_BYTES, GREETING, Reach};

/// The time for a connection to be made, and for all of its bytes to arrive.
const LIMIT: Duration = Duration::from_secs(3);

/// How often a port looks for visitors, and whether it should close.
const TURN: Duration = Duration::from_millis(5);

/// Ports that are open for tests, until this is dropped.
pub(crate) struct Ears {
    closing: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Ears {
    /// Opens ports, and gives those that could not be opened.
    pub(crate) fn open(address: IpAddr, ports: &[u16]) -> (Self, BTreeMap<u16, String>) {
        let closing = Arc::new(AtomicBool::new(false));
        let (mut threads, mut closed) = (Vec::new(), BTreeMap::new());
        for port in ports {
            let listener = TcpListener::bind(SocketAddr::new(address, *port))
                .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
            match listener {
                Ok(listener) => {
                    let closing = Arc::clone(&closing);
                    threads.push(std::thread::spawn(move || receive(&listener, &closing)));
                }
                Err(error) => drop(closed.insert(*port, error.to_string())),
            }
        }
        (Self { closing, threads }, closed)
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that failed has closed its port as well.
            let _ = thread.join();
        }
    }
}

fn receive(listener: &TcpListener, closing: &AtomicBool) {
    while !closing.load(Ordering::Relaxed) {
        match listener.accept() {
            // A visitor that goes away says itself what it missed.
            Ok((visitor, _)) => drop(std::thread::spawn(move || drop(greet(visitor)))),
            Err(_) => std::thread::sleep(TURN),
        }
    }
}

fn greet(mut visitor: TcpStream) -> io::Result<()> {
    visitor.set_nonblocking(false)?;
    visitor.set_nodelay(true)?;
    visitor.set_write_timeout(Some(LIMIT))?;
    visitor.write_all(GREETING)?;
    visitor.write_all(&vec![0; BURST_BYTES])
}

/// Tries all targets side by side.
pub(crate) fn all(targets: Vec<SocketAddr>) -> Vec<(SocketAddr, Reach)> {
    std::thread::scope(|scope| {
        let tries: Vec<_> =
            targets.into_iter().map(|to| (to, scope.spawn(move || one(to)))).collect();
        let untried = || Reach::Untried { why: "a fault of ringfort's own".to_owned() };
        tries
            .into_iter()
            .map(|(to, reach)| (to, reach.join().unwrap_or_else(|_| untried())))
            .collect()
    })
}

fn one(to: SocketAddr) -> Reach {
    match TcpStream::connect_timeout(&to, LIMIT) {
        Ok(stream) => hear(stream),
        Err(error) => match error.kind() {
            ErrorKind::ConnectionRefused => Reach::Refused,
            ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                Reach::Silent
            }
            _ => Reach::Untried { why: error.to_string() },
        },
    }
}

fn hear(mut stream: TcpStream) -> Reach {
    let (end, wanted) = (Instant::now() + LIMIT, GREETING.len() + BURST_BYTES);
    let (mut heard, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    while heard.len() < wanted {
        let left = end.saturating_duration_since(Instant::now());
        let count = match stream.set_read_timeout(Some(left.max(TURN))) {
            Ok(()) if !left.is_zero() => stream.read(&mut piece).unwrap_or(0),
            _ => 0,
        };
        if count == 0 {
            break;
        }
        heard.extend_from_slice(&piece[..count]);
        // Somebody who does not greet is a component of a cluster that runs.
        if !GREETING.starts_with(&heard[..heard.len().min(GREETING.len())]) {
            return Reach::Connected;
        }
    }
    match heard.len() {
        0 => Reach::Connected,
        count if count == wanted => Reach::Whole,
        count => Reach::Broken { received_bytes: count as u64 },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

    use ringfort_model::reach::{GREETING, Reach};

    use super::{Ears, all};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn free_port() -> u16 {
        TcpListener::bind((HERE, 0)).unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn open_ports_are_reached_until_they_close() {
        let at = SocketAddr::new(HERE, free_port());
        let (ears, closed) = Ears::open(HERE, &[at.port()]);
        assert!(closed.is_empty(), "{closed:?}");
        assert_eq!(all(vec![at, at]), [(at, Reach::Whole), (at, Reach::Whole)]);
        drop(ears);
        assert_eq!(all(vec![at]), [(at, Reach::Refused)]);
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind((HERE, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let (_ears, closed) = Ears::open(HERE, &[port]);
        assert!(closed[&port].contains("in use"), "{closed:?}");
    }

    #[test]
    fn others_and_broken_ways_are_told_apart() {
        let say = |words: &'static [u8]| {
            let listener = TcpListener::bind((HERE, 0)).unwrap();
            let at = listener.local_addr().unwrap();
            let server = std::thread::spawn(move || {
                let (mut visitor, _) = listener.accept().unwrap();
                visitor.write_all(words).unwrap();
            });
            let reached = all(vec![at]).remove(0).1;
            server.join().unwrap();
            reached
        };
        assert_eq!(say(b"HTTP/1.1 400"), Reach::Connected);
        assert_eq!(say(b""), Reach::Connected);
        assert_eq!(say(GREETING), Reach::Broken { received_bytes: GREETING.len() as u64 });
    }
}
