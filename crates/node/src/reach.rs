//! Tries whether other machines are reached: on one side ports that are open for the test alone,
//! on the other connections to them that want several full packets, and datagrams that come back.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ringfort_model::reach::{
    BURST_BYTES, DATAGRAM_BYTES, GREETING, Port, Reach, Target, Transport,
};

/// The time for a connection to be made, for all of its bytes to arrive, and for a datagram to come
/// back.
const LIMIT: Duration = Duration::from_secs(3);

/// How soon a datagram that did not come back is sent again: single ones may be lost.
const AGAIN: Duration = Duration::from_millis(300);

/// How often a port looks for visitors, and whether it should close.
const TURN: Duration = Duration::from_millis(5);

/// Ports that are open for tests, until this is dropped.
pub(crate) struct Ears {
    closing: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Ears {
    /// Opens ports, and gives those that could not be opened.
    pub(crate) fn open(address: IpAddr, ports: &[Port]) -> (Self, Vec<(Port, String)>) {
        let closing = Arc::new(AtomicBool::new(false));
        let (mut threads, mut closed) = (Vec::new(), Vec::new());
        for port in ports {
            match listen(port.of(address), Arc::clone(&closing)) {
                Ok(thread) => threads.push(thread),
                Err(error) => closed.push((*port, error.to_string())),
            }
        }
        (Self { closing, threads }, closed)
    }
}

fn listen(at: Target, closing: Arc<AtomicBool>) -> io::Result<JoinHandle<()>> {
    Ok(match at.port.transport {
        Transport::Tcp => {
            let listener = TcpListener::bind(at.socket())?;
            listener.set_nonblocking(true)?;
            std::thread::spawn(move || receive(&listener, &closing))
        }
        Transport::Udp => {
            let socket = UdpSocket::bind(at.socket())?;
            socket.set_nonblocking(true)?;
            std::thread::spawn(move || send_back(&socket, &closing))
        }
    })
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

/// Sends back what begins with the greeting, and nothing longer than it came.
fn send_back(socket: &UdpSocket, closing: &AtomicBool) {
    let mut piece = [0; DATAGRAM_BYTES];
    while !closing.load(Ordering::Relaxed) {
        match socket.recv_from(&mut piece) {
            // Two open ports would never end to greet each other.
            Ok((_, from)) if socket.local_addr().is_ok_and(|own| own.port() == from.port()) => {}
            Ok((count, from)) if piece[..count].starts_with(GREETING) => {
                // What is lost is sent again by who misses it.
                let _ = socket.send_to(&piece[..count], from);
            }
            Ok(_) => {}
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
pub(crate) fn all(targets: Vec<Target>) -> Vec<(Target, Reach)> {
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

fn one(to: Target) -> Reach {
    let reached = match to.port.transport {
        Transport::Tcp => TcpStream::connect_timeout(&to.socket(), LIMIT).map(hear),
        Transport::Udp => echo(to.socket()),
    };
    reached.unwrap_or_else(|error| match error.kind() {
        ErrorKind::ConnectionRefused => Reach::Refused,
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            Reach::Silent
        }
        _ => Reach::Untried { why: error.to_string() },
    })
}

/// Sends a datagram until it comes back.
fn echo(to: SocketAddr) -> io::Result<Reach> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(AGAIN))?;
    let mut sent = [0; DATAGRAM_BYTES];
    sent[..GREETING.len()].copy_from_slice(GREETING);
    let (end, mut heard) = (Instant::now() + LIMIT, [0; DATAGRAM_BYTES]);
    while Instant::now() < end {
        socket.send(&sent)?;
        match socket.recv(&mut heard) {
            Ok(count) if heard[..count] == sent => return Ok(Reach::Whole),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Reach::Silent)
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
    use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};

    use ringfort_model::reach::{GREETING, Port, Reach};

    use super::{Ears, all};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn free_ports() -> [Port; 2] {
        let tcp = TcpListener::bind((HERE, 0)).unwrap().local_addr().unwrap().port();
        let udp = UdpSocket::bind((HERE, 0)).unwrap().local_addr().unwrap().port();
        [Port::tcp(tcp), Port::udp(udp)]
    }

    #[test]
    fn open_ports_are_reached_until_they_close() {
        let ports = free_ports();
        let targets = ports.map(|port| port.of(HERE));
        let all_are = |reach: &Reach| all(targets.into()).iter().all(|(_, found)| found == reach);
        let (ears, closed) = Ears::open(HERE, &ports);
        assert!(closed.is_empty(), "{closed:?}");
        assert!(all_are(&Reach::Whole));
        drop(ears);
        assert!(all_are(&Reach::Refused));
    }

    #[test]
    fn a_taken_port_is_named() {
        let (tcp, udp) =
            (TcpListener::bind((HERE, 0)).unwrap(), UdpSocket::bind((HERE, 0)).unwrap());
        let ports = [
            Port::tcp(tcp.local_addr().unwrap().port()),
            Port::udp(udp.local_addr().unwrap().port()),
        ];
        let (_ears, closed) = Ears::open(HERE, &ports);
        assert_eq!(closed.iter().map(|(port, _)| *port).collect::<Vec<_>>(), ports);
        assert!(closed.iter().all(|(_, why)| why.contains("in use")), "{closed:?}");
    }

    #[test]
    fn a_datagram_that_is_swallowed_is_no_pass() {
        let swallows = UdpSocket::bind((HERE, 0)).unwrap();
        let port = Port::udp(swallows.local_addr().unwrap().port());
        assert_eq!(all(vec![port.of(HERE)]).remove(0).1, Reach::Silent);
    }

    #[test]
    fn others_and_broken_ways_are_told_apart() {
        let say = |words: &'static [u8]| {
            let listener = TcpListener::bind((HERE, 0)).unwrap();
            let at = Port::tcp(listener.local_addr().unwrap().port()).of(HERE);
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
