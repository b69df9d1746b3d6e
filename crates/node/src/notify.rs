//! Tells systemd that a service of this machine is ready, and that it goes on (sd_notify(3)).

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Tells systemd that the service is ready, where systemd asked to be told.
pub fn ready() {
    tell(b"READY=1");
}

/// Tells systemd that the service goes on: one that hangs is started anew (`WatchdogSec=`).
pub fn alive() {
    tell(b"WATCHDOG=1");
}

fn tell(text: &[u8]) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&socket, text) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

fn send(socket: &OsStr, text: &[u8]) -> io::Result<()> {
    let to = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(text, &to).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    use super::send;

    #[test]
    fn both_kinds_of_sockets_are_told() {
        let check = |listener: UnixDatagram, name: &std::ffi::OsStr| {
            send(name, b"READY=1").unwrap();
            let mut heard = [0; 16];
            let count = listener.recv(&mut heard).unwrap();
            assert_eq!(&heard[..count], b"READY=1");
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        check(UnixDatagram::bind(&path).unwrap(), path.as_os_str());
        let name = format!("ringfort-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        check(UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}").as_ref());
    }
}
