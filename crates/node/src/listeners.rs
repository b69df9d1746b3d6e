//! Tells where this machine listens, and which program does.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ringfort_model::act::{ListenerSeen, Protocol};

use crate::processes;
use crate::root::Root;

/// The kernel's lists of sockets, and the state of one that listens: a TCP socket listens, a UDP socket
/// that has no peer hears everybody.
const LISTS: [(&str, Protocol, &str); 4] = [
    ("proc/net/tcp", Protocol::Tcp, "0A"),
    ("proc/net/tcp6", Protocol::Tcp, "0A"),
    ("proc/net/udp", Protocol::Udp, "07"),
    ("proc/net/udp6", Protocol::Udp, "07"),
];
/// How a process's link to a socket begins.
const SOCKET: &str = "socket:[";

/// Lists what listens in the machine's own network.
///
/// # Errors
/// A list of the kernel could not be read.
pub fn look(root: &Root) -> io::Result<Vec<ListenerSeen>> {
    let mut found = Vec::new();
    for (path, protocol, state) in LISTS {
        let text = match fs::read_to_string(root.own(path)) {
            // A kernel without such a protocol.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            text => text?,
        };
        let listening = text.lines().filter_map(|line| socket(line, state));
        found.extend(listening.map(|(address, number)| (protocol, address, number)));
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let owners = owners(root);
    let told = |(protocol, address, number)| {
        let owner = owners.get(&number);
        let program = owner.map(|(program, _)| program.clone());
        let in_pod = owner.is_some_and(|(_, in_pod)| *in_pod);
        ListenerSeen { protocol, address, program, in_pod }
    };
    let mut told: Vec<ListenerSeen> = found.into_iter().map(told).collect();
    told.sort();
    told.dedup();
    Ok(told)
}

/// Gives the program that holds each socket, and whether it is a pod's. A process that ends meanwhile
/// holds none.
fn owners(root: &Root) -> BTreeMap<u64, (String, bool)> {
    let mut owners = BTreeMap::new();
    for process in processes::all(root) {
        let Some(program) = processes::program(&process) else { continue };
        let in_pod = processes::is_in_pod(&process);
        for handle in fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
            let number = fs::read_link(handle.path()).ok().and_then(|link| {
                link.to_str()?.strip_prefix(SOCKET)?.strip_suffix(']')?.parse().ok()
            });
            if let Some(number) = number {
                owners.insert(number, (program.clone(), in_pod));
            }
        }
    }
    owners
}

/// Reads a line of a list: where a socket in this state listens, and its number. Addresses are words of
/// the machine's byte order.
fn socket(line: &str, state: &str) -> Option<(SocketAddr, u64)> {
    let mut fields = line.split_whitespace().skip(1);
    let (address, port) = fields.next()?.split_once(':')?;
    if fields.nth(1)? != state {
        return None;
    }
    let number = fields.nth(5)?.parse().ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(8 * at..8 * at + 8)?, 16).ok();
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?.to_ne_bytes())),
        32 => {
            let mut bytes = [0; 16];
            for at in 0..4 {
                bytes[4 * at..4 * at + 4].copy_from_slice(&word(at)?.to_ne_bytes());
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some((SocketAddr::new(ip, port), number))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use ringfort_model::act::Protocol;

    use super::{look, socket};
    use crate::root::Root;

    fn line(address: &str, state: &str, number: u64) -> String {
        format!(
            "   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {number} 1 ffff 100 0 0 10 0"
        )
    }

    #[test]
    fn only_what_listens_counts() {
        let check = |address: &str, state: &str, expected: Option<&str>| {
            let found = socket(&line(address, state, 7), "0A");
            assert_eq!(found, expected.map(|at| (at.parse().unwrap(), 7)), "{address}");
        };
        check("0100007F:192C", "0A", Some("127.0.0.1:6444"));
        check("0100007F:192C", "01", None);
        check("00000000000000000000000000000000:1A0B", "0A", Some("[::]:6667"));
        check("00000000000000000000000001000000:1A0B", "0A", Some("[::1]:6667"));
        assert_eq!(socket("  sl  local_address rem_address   st", "0A"), None);
    }

    #[test]
    fn who_listens_is_told_by_the_socket_that_a_process_holds() {
        let room = tempfile::tempdir().unwrap();
        let at = |path: &str| room.path().join(path);
        fs::create_dir_all(at("proc/net")).unwrap();
        let tcp = [line("0100007F:192C", "0A", 71), line("00000000:2806", "0A", 72)].join("\n");
        fs::write(at("proc/net/tcp"), tcp).unwrap();
        fs::write(at("proc/net/udp"), line("00000000:0035", "07", 73)).unwrap();
        for (number, program, group, socket) in [
            (5, "kubelet", "0::/system.slice", 72),
            (6, "coredns", "0::/kubepods/pod0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33", 73),
        ] {
            let process = at(&format!("proc/{number}"));
            fs::create_dir_all(process.join("fd")).unwrap();
            fs::write(process.join("cmdline"), format!("/usr/local/bin/{program}\0--x")).unwrap();
            fs::write(process.join("cgroup"), group).unwrap();
            symlink(format!("socket:[{socket}]"), process.join("fd/3")).unwrap();
        }
        let found = look(&Root::new(room.path())).unwrap();
        let told: Vec<_> = found
            .iter()
            .map(|it| (it.protocol, it.address.port(), it.program.as_deref(), it.in_pod))
            .collect();
        let expected = [
            (Protocol::Tcp, 6444, None, false),
            (Protocol::Tcp, 10246, Some("kubelet"), false),
            (Protocol::Udp, 53, Some("coredns"), true),
        ];
        assert_eq!(told.len(), expected.len(), "{told:?}");
        assert!(expected.iter().all(|it| told.contains(it)), "{told:?}");
    }
}
