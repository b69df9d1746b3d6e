//! Hears from the kernel when a table changes, and so when somebody else touches ours.

use std::io;

use rustix::fd::OwnedFd;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with, sockopt,
};

use super::meddling::Author;

/// What was heard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Heard {
    /// A transaction that changed something of our table, and whose it was if the kernel told.
    Touched(Option<Author>),
    /// More than could be taken: nobody knows what changed.
    Overrun,
}

/// The group that is told of changes of nftables.
const GROUP: u32 = 1 << 6;
/// The subsystem's number in the upper half of a message's type.
const NFTABLES: u16 = 10;
/// The message that ends a transaction.
const NEW_GENERATION: u16 = 15;
/// The header of a message, and of the subsystem behind it.
const HEADER: usize = 16;
const SUBHEADER: usize = 4;
/// The attribute that names the table, in messages of every kind.
const TABLE_NAME: u16 = 1;
/// The attributes of a transaction's end that name the process.
const PROCESS: u16 = 2;
const PROCESS_NAME: u16 = 3;

/// A socket that hears of every transaction.
pub(super) struct Ear(OwnedFd);

impl Ear {
    pub(super) fn open() -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::NETFILTER),
        )?;
        // Thousands of elements in one transaction are thousands of messages.
        sockopt::set_socket_recv_buffer_size_force(&socket, 8 << 20)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, 8 << 20))?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUP))?;
        Ok(Self(socket))
    }

    /// Hears for ever, until `tell` says that nobody listens any more.
    pub(super) fn hear(&self, table: &str, mut tell: impl FnMut(Heard) -> bool) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        let mut touched = false;
        loop {
            let heard = match recv(&self.0, &mut buffer[..], RecvFlags::empty()) {
                Ok((length, _)) => transactions(&buffer[..length], table, &mut touched),
                Err(rustix::io::Errno::INTR) => continue,
                Err(rustix::io::Errno::NOBUFS) => {
                    touched = false;
                    if !tell(Heard::Overrun) {
                        return Ok(());
                    }
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            for author in heard {
                if !tell(Heard::Touched(author)) {
                    return Ok(());
                }
            }
        }
    }
}

/// Gives the transactions that end in a datagram and touched a table, each with its author.
fn transactions(datagram: &[u8], table: &str, touched: &mut bool) -> Vec<Option<Author>> {
    let mut ended = Vec::new();
    let mut rest = datagram;
    while let Some(message) = message(rest) {
        if message.kind >> 8 == NFTABLES {
            if message.kind & 0xff == NEW_GENERATION {
                if std::mem::take(touched) {
                    ended.push(author_of(message.body));
                }
            } else if text(message.body, TABLE_NAME) == Some(table) {
                *touched = true;
            }
        }
        rest = rest.get(message.length..).unwrap_or_default();
    }
    ended
}

struct Message<'a> {
    kind: u16,
    length: usize,
    body: &'a [u8],
}

fn message(bytes: &[u8]) -> Option<Message<'_>> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?);
    let length = usize::try_from(length).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEADER..length)?;
    Some(Message { kind, length: length.next_multiple_of(4), body })
}

/// Says whose transaction it was that a message ends.
fn author_of(body: &[u8]) -> Option<Author> {
    let pid = attribute(body, PROCESS)?.try_into().ok()?;
    Some(Author { pid: u32::from_be_bytes(pid), name: text(body, PROCESS_NAME)?.to_owned() })
}

fn text(body: &[u8], wanted: u16) -> Option<&str> {
    let text = std::str::from_utf8(attribute(body, wanted)?).ok()?;
    Some(text.trim_end_matches('\0'))
}

/// Gives an attribute of a message.
fn attribute(body: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = body.get(SUBHEADER..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        if kind & 0x3fff == wanted {
            return rest.get(4..length);
        }
        rest = rest.get(length.next_multiple_of(4).max(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::{Author, NEW_GENERATION, NFTABLES, transactions};

    fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len() + 4).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
        let body = attributes.concat();
        let length = u32::try_from(20 + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend((NFTABLES << 8 | kind).to_ne_bytes());
        bytes.resize(20, 0);
        bytes.extend(body);
        bytes
    }

    fn of(table: &str) -> Vec<u8> {
        message(12, &[attribute(2, b"set\0"), attribute(1, format!("{table}\0").as_bytes())])
    }

    #[test]
    fn a_transaction_counts_that_names_the_table() {
        let end = || message(NEW_GENERATION, &[attribute(1, &[0, 0, 0, 7])]);
        let check = |datagrams: &[Vec<u8>], expected| {
            let mut touched = false;
            let counted: usize =
                datagrams.iter().map(|it| transactions(it, "ours", &mut touched).len()).sum();
            assert_eq!(counted, expected);
        };
        check(&[[of("ours"), end()].concat()], 1);
        check(&[of("ours"), of("ours"), end()], 1);
        check(&[of("ours"), end(), of("ours"), end()], 2);
        check(&[of("theirs"), end()], 0);
        check(&[of("ours2"), end()], 0);
        check(&[of("ours")], 0);
        check(&[vec![1, 2, 3], vec![0; 40], [of("ours"), end()].concat()], 1);
    }

    #[test]
    fn who_it_was_is_told_as_far_as_the_kernel_tells_it() {
        let end = |more: &[Vec<u8>]| {
            let number = attribute(1, &[0, 0, 0, 7]);
            message(NEW_GENERATION, &[&[number], more].concat())
        };
        let by =
            |more: &[Vec<u8>]| transactions(&[of("ours"), end(more)].concat(), "ours", &mut false);
        let (process, name) = (attribute(2, &[0, 0, 2, 1]), attribute(3, b"iptables\0"));
        let author = Author { pid: 513, name: "iptables".to_owned() };
        assert_eq!(by(&[process.clone(), name.clone()]), [Some(author)]);
        assert_eq!(by(&[process]), [None]);
        assert_eq!(by(&[name, attribute(2, &[1])]), [None]);
    }
}
