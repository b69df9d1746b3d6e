//! Messages of ICMPv6 that are made by hand, as a pod makes them that may: each carries a word in an option
//! that nobody knows, by which whoever hears it tells it from what the kernel sends.

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};

use rustix::net::{AddressFamily, SocketType, ipproto, socket, sockopt};

/// Where a message's options begin: behind its type and the address that it is about.
const OPTIONS: usize = 24;
/// The kind of option that carries words, which RFC 4727 leaves to experiments.
const WORDS: u8 = 253;

/// What all these messages are sent and heard through.
pub(crate) fn open() -> UdpSocket {
    let made = socket(AddressFamily::INET6, SocketType::RAW, Some(ipproto::ICMPV6)).unwrap();
    made.into()
}

/// Gives the word of a message, if it carries one.
pub(crate) fn word(message: &[u8]) -> Option<String> {
    let (kind, said) = message.get(OPTIONS..)?.split_first()?;
    let said = said.get(1..).filter(|_| *kind == WORDS)?;
    let end = said.iter().position(|byte| *byte == 0).unwrap_or(said.len());
    Some(String::from_utf8_lossy(&said[..end]).into_owned())
}

/// Sends a message of a type about an address, with an option of eights of bytes that says a word.
pub(crate) fn whisper(ends: [&str; 2], kind: &str, about: &str, eights: &str, word: &str) {
    let [from, to] = ends.map(|end| format!("[{end}]:0").parse::<SocketAddr>().unwrap());
    let about: Ipv6Addr = about.parse().unwrap();
    let eights: u8 = eights.parse().unwrap();
    let mut message = vec![kind.parse::<u8>().unwrap(), 0, 0, 0, 0, 0, 0, 0];
    message.extend(about.octets());
    let mut option = vec![WORDS, eights];
    option.extend(word.as_bytes());
    option.resize(usize::from(eights) * 8, 0);
    message.extend(option);
    let socket = open();
    rustix::net::bind(&socket, &from).unwrap();
    // Neighbours believe nothing else.
    sockopt::set_ipv6_unicast_hops(&socket, Some(255)).unwrap();
    sockopt::set_ipv6_multicast_hops(&socket, 255).unwrap();
    socket.send_to(&message, to).unwrap();
}
