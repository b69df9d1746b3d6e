//! Tells systemd that a service of this machine is ready, and that it goes on (sd_notify(3)).

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Tells systemd that the service is ready, where systemd asked to be told.
pub fn ready() {
    tell(b"READY=1");
}

/// Tells systemd that the service goes on: one that hangs is started anew (`WatchdogSec=`). However often this is called,
/// it is told once a second at most.
pub fn alive() {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    static TOLD: AtomicU64 = AtomicU64::new(0);
    if is_due(&TOLD, BEGUN.get_or_init(Instant::now).elapsed()) {
        tell(b"WATCHDOG=1");
    }
}

/// Whether nobody was told in this second yet, counted from one: nothing is told at zero.
fn is_due(told: &AtomicU64, since: Duration) -> bool {
    let second = since.as_secs() + 1;
    told.fetch_max(second, Ordering::Relaxed) < second
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
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use super::{is_due, send};

    #[test]
    fn it_is_told_at_once_and_then_once_a_second() {
        let told = AtomicU64::new(0);
        let calls = [0, 20, 999, 1_000, 1_001, 999, 7_300, 7_301];
        let due: Vec<u64> = calls
            .into_iter()
            .filter(|millis| is_due(&told, Duration::from_millis(*millis)))
            .collect();
        assert_eq!(due, [0, 1_000, 7_300], "also where a thread comes late");
    }

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
