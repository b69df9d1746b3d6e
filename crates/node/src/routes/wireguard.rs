//! The door to the kernel's WireGuard: generic netlink, so that no tool has to be on the machine.
//! Performs, never decides.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_generic::GenlMessage;
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_wireguard::{
    WireguardAddressFamily, WireguardAllowedIp, WireguardAllowedIpAttr, WireguardAttribute,
    WireguardCmd, WireguardMessage, WireguardPeer, WireguardPeerAttribute, WireguardPeerFlags,
};
use rustix::fd::OwnedFd;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
    sockopt,
};
use zeroize::Zeroizing;

use ringfort_model::net::Cidr;
use ringfort_model::secret::Secret;
use ringfort_model::tunnel::TunnelKey;

use super::DEVICE;

/// What the kernel says of our device.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Link {
    /// The public half of its key, if it has one.
    pub(super) key: Option<TunnelKey>,
    /// The port that it listens on.
    pub(super) port: u16,
    /// The machines that it speaks with.
    pub(super) peers: Vec<Peer>,
}

/// A machine at the other end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Peer {
    pub(super) key: TunnelKey,
    pub(super) endpoint: Option<SocketAddr>,
    /// The addresses that it may send from, and that are sent to it.
    pub(super) allowed: BTreeSet<Cidr>,
}

/// What is changed of our device. Machines that are not named stay as they are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Change {
    /// Whether the machine's own key is given to the kernel.
    pub(super) key: bool,
    pub(super) port: Option<u16>,
    pub(super) removed: Vec<TunnelKey>,
    pub(super) set: Vec<Peer>,
}

/// Peers in one message: an attribute holds 64 KiB at most, and a peer takes some 200 bytes.
const PEERS_AT_ONCE: usize = 100;

/// How long an answer of the kernel may be.
const ANSWER_BYTES: usize = 1 << 16;

/// Asks the kernel for our device, which must be there.
pub(super) fn look() -> io::Result<Link> {
    let kernel = Kernel::open()?;
    let name = WireguardAttribute::IfName(DEVICE.to_owned());
    let answers = kernel.wireguard(WireguardCmd::GetDevice, vec![name], NLM_F_DUMP)?;
    Ok(link(answers))
}

/// Changes our device.
pub(super) fn configure(change: &Change, secret: &Secret<[u8; 32]>) -> io::Result<()> {
    let kernel = Kernel::open()?;
    for attributes in messages(change, secret) {
        kernel.wireguard(WireguardCmd::SetDevice, attributes, NLM_F_ACK)?;
    }
    Ok(())
}

/// Writes a change as messages: what goes before what comes, since an address that moves from one
/// peer to another belongs to whom it was given last.
fn messages(change: &Change, secret: &Secret<[u8; 32]>) -> Vec<Vec<WireguardAttribute>> {
    let name = || WireguardAttribute::IfName(DEVICE.to_owned());
    let mut own = vec![name()];
    if change.key {
        own.push(WireguardAttribute::PrivateKey(*secret.expose()));
    }
    own.extend(change.port.map(WireguardAttribute::ListenPort));
    let peers: Vec<WireguardPeer> =
        change.removed.iter().map(removal).chain(change.set.iter().map(setting)).collect();
    let peers = peers.chunks(PEERS_AT_ONCE);
    let mut messages = vec![own];
    messages.extend(peers.map(|peers| vec![name(), WireguardAttribute::Peers(peers.to_vec())]));
    messages
}

fn removal(key: &TunnelKey) -> WireguardPeer {
    WireguardPeer(vec![
        WireguardPeerAttribute::PublicKey(key.0),
        WireguardPeerAttribute::Flags(WireguardPeerFlags::RemoveMe),
    ])
}

fn setting(peer: &Peer) -> WireguardPeer {
    let mut attributes = vec![
        WireguardPeerAttribute::PublicKey(peer.key.0),
        WireguardPeerAttribute::Flags(WireguardPeerFlags::ReplaceAllowedIps),
    ];
    attributes.extend(peer.endpoint.map(WireguardPeerAttribute::Endpoint));
    attributes.push(WireguardPeerAttribute::AllowedIps(peer.allowed.iter().map(allowed).collect()));
    WireguardPeer(attributes)
}

fn allowed(range: &Cidr) -> WireguardAllowedIp {
    let family = match range.base().is_ipv4() {
        true => WireguardAddressFamily::Ipv4,
        false => WireguardAddressFamily::Ipv6,
    };
    WireguardAllowedIp(vec![
        WireguardAllowedIpAttr::Family(family),
        WireguardAllowedIpAttr::IpAddr(range.base()),
        WireguardAllowedIpAttr::Cidr(range.prefix()),
    ])
}

/// Reads what the kernel says. A machine with many addresses may come in several parts.
fn link(answers: Vec<WireguardMessage>) -> Link {
    let mut link = Link::default();
    for attribute in answers.into_iter().flat_map(|answer| answer.attributes) {
        match attribute {
            WireguardAttribute::PublicKey(key) => link.key = Some(TunnelKey(key)),
            WireguardAttribute::ListenPort(port) => link.port = port,
            WireguardAttribute::Peers(peers) => {
                for peer in peers.into_iter().filter_map(peer) {
                    match link.peers.iter_mut().find(|known| known.key == peer.key) {
                        Some(known) => known.allowed.extend(peer.allowed),
                        None => link.peers.push(peer),
                    }
                }
            }
            _ => {}
        }
    }
    link
}

fn peer(peer: WireguardPeer) -> Option<Peer> {
    let (mut key, mut endpoint, mut allowed) = (None, None, BTreeSet::new());
    for attribute in peer.0 {
        match attribute {
            WireguardPeerAttribute::PublicKey(bytes) => key = Some(TunnelKey(bytes)),
            WireguardPeerAttribute::Endpoint(address) => endpoint = Some(address),
            WireguardPeerAttribute::AllowedIps(ranges) => {
                allowed.extend(ranges.into_iter().filter_map(range));
            }
            _ => {}
        }
    }
    Some(Peer { key: key?, endpoint, allowed })
}

fn range(range: WireguardAllowedIp) -> Option<Cidr> {
    let (mut address, mut prefix) = (None, None);
    for attribute in range.0 {
        match attribute {
            WireguardAllowedIpAttr::IpAddr(ip) => address = Some(ip),
            WireguardAllowedIpAttr::Cidr(bits) => prefix = Some(bits),
            _ => {}
        }
    }
    Cidr::holding(address?, prefix?)
}

/// A conversation with the kernel. What is sent without an address goes to the kernel.
struct Kernel(OwnedFd);

/// How long the kernel is waited for: it answers at once or never.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

impl Kernel {
    fn open() -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::GENERIC),
        )?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
        Ok(Self(socket))
    }

    fn wireguard(
        &self,
        cmd: WireguardCmd,
        attributes: Vec<WireguardAttribute>,
        flags: u16,
    ) -> io::Result<Vec<WireguardMessage>> {
        let family = self.family("wireguard")?;
        let mut message = GenlMessage::from_payload(WireguardMessage { cmd, attributes });
        message.set_resolved_family_id(family);
        let answers = self.ask(message, flags)?;
        Ok(answers.into_iter().map(|answer| answer.payload).collect())
    }

    /// Asks which number a family has on this machine.
    fn family(&self, name: &str) -> io::Result<u16> {
        let question = GenlCtrl {
            cmd: GenlCtrlCmd::GetFamily,
            nlas: vec![GenlCtrlAttrs::FamilyName(name.to_owned())],
        };
        let answers = self.ask(GenlMessage::from_payload(question), NLM_F_ACK)?;
        let number = |attribute: &GenlCtrlAttrs| match attribute {
            GenlCtrlAttrs::FamilyId(number) => Some(*number),
            _ => None,
        };
        answers
            .iter()
            .flat_map(|answer| &answer.payload.nlas)
            .find_map(number)
            .ok_or_else(|| io::Error::other(format!("the kernel knows no family {name}")))
    }

    /// Sends a message and gathers the answers up to the last.
    fn ask<T>(&self, message: T, flags: u16) -> io::Result<Vec<T>>
    where
        T: NetlinkSerializable + NetlinkDeserializable + Into<NetlinkPayload<T>>,
    {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut message = NetlinkMessage::new(header, message.into());
        message.finalize();
        // A private key may be in it.
        let mut bytes = Zeroizing::new(vec![0; message.buffer_len()]);
        message.serialize(&mut bytes);
        send(&self.0, &bytes, SendFlags::empty())?;
        let mut answers = Vec::new();
        let mut buffer = Zeroizing::new(vec![0; ANSWER_BYTES]);
        loop {
            let (_, length) = recv(&self.0, buffer.as_mut_slice(), RecvFlags::TRUNC)?;
            let part =
                buffer.get(..length).ok_or_else(|| io::Error::other("too long an answer"))?;
            if gather(part, &mut answers)? == Heard::All {
                return Ok(answers);
            }
        }
    }
}

/// Whether more is to come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Heard {
    All,
    Part,
}

/// Takes the messages out of one datagram.
fn gather<T: NetlinkDeserializable>(mut part: &[u8], answers: &mut Vec<T>) -> io::Result<Heard> {
    while !part.is_empty() {
        let message = NetlinkMessage::<T>::deserialize(part).map_err(io::Error::other)?;
        // Messages are laid out on bounds of four bytes.
        let length = (message.header.length as usize).next_multiple_of(4);
        match message.payload {
            NetlinkPayload::InnerMessage(answer) => answers.push(answer),
            NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
            NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => return Ok(Heard::All),
            _ => {}
        }
        part = part.get(length..).unwrap_or_default();
    }
    Ok(Heard::Part)
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::{Emitable as _, ParseableParametrized as _};
    use netlink_packet_generic::GenlHeader;
    use netlink_packet_wireguard::{WireguardAttribute, WireguardCmd, WireguardMessage};
    use ringfort_model::secret::Secret;
    use ringfort_model::tunnel::TunnelKey;

    use super::{Change, Heard, Link, PEERS_AT_ONCE, Peer, gather, link, messages};

    fn peer(number: u8) -> Peer {
        Peer {
            key: TunnelKey([number; 32]),
            endpoint: Some(format!("10.77.0.{number}:51882").parse().unwrap()),
            allowed: [format!("10.244.{number}.0/24"), format!("10.77.0.{number}/32")]
                .iter()
                .map(|range| range.parse().unwrap())
                .collect(),
        }
    }

    /// Writes attributes and reads them again.
    fn echoed(attributes: Vec<WireguardAttribute>) -> WireguardMessage {
        let message = WireguardMessage { cmd: WireguardCmd::SetDevice, attributes };
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        let header = GenlHeader { cmd: 1, version: 1 };
        WireguardMessage::parse_with_param(&bytes, header).unwrap()
    }

    #[test]
    fn what_is_set_is_what_is_read() {
        let change = Change {
            key: true,
            port: Some(51882),
            set: vec![peer(1), peer(2)],
            ..Change::default()
        };
        let messages = messages(&change, &Secret::new([9; 32]));
        let read = link(messages.into_iter().map(echoed).collect());
        assert_eq!(read, Link { key: None, port: 51882, peers: vec![peer(1), peer(2)] });
    }

    #[test]
    fn the_key_is_sent_only_when_it_changes_and_peers_are_never_replaced_as_a_whole() {
        let change =
            Change { set: vec![peer(1)], removed: vec![TunnelKey([3; 32])], ..Change::default() };
        let sent: Vec<_> = messages(&change, &Secret::new([9; 32])).into_iter().flatten().collect();
        let forbidden = |attribute: &WireguardAttribute| {
            matches!(attribute, WireguardAttribute::PrivateKey(_) | WireguardAttribute::Flags(_))
        };
        assert!(!sent.iter().any(forbidden), "{sent:?}");
    }

    #[test]
    fn many_peers_go_in_several_messages() {
        let set = vec![peer(1); PEERS_AT_ONCE + 1];
        let messages = messages(&Change { set, ..Change::default() }, &Secret::new([9; 32]));
        assert_eq!(messages.len(), 3);
    }

    #[test]
    fn a_refusal_of_the_kernel_is_an_error_and_its_consent_the_end() {
        let answer = |code: i32| {
            let mut bytes = Vec::new();
            bytes.extend(36u32.to_ne_bytes());
            bytes.extend(2u16.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(code.to_ne_bytes());
            bytes.extend([0; 16]);
            bytes
        };
        type Message = netlink_packet_generic::GenlMessage<WireguardMessage>;
        assert_eq!(gather::<Message>(&answer(0), &mut Vec::new()).unwrap(), Heard::All);
        let error = gather::<Message>(&answer(-1), &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        assert_eq!(gather::<Message>(&[], &mut Vec::new()).unwrap(), Heard::Part);
    }
}
