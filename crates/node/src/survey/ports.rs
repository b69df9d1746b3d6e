//! Ports that the cluster needs and something else listens on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ringfort_model::act::{ListenerSeen, Protocol};
use ringfort_model::reach::{API_PORT, WITNESS_PORT};

use crate::listeners;
use crate::root::Root;

/// Ports of etcd, API server, balancer, witness, kube-proxy, kubelet, controller manager and scheduler.
const OURS: &[u16] =
    &[2379, 2380, 2381, API_PORT, 6444, WITNESS_PORT, 10248, 10249, 10250, 10256, 10257, 10259];

/// The ports of balancer and witness, which ringfort itself serves. On the others it only listens for a test.
const OWN: [u16; 2] = [6444, WITNESS_PORT];

/// A run that was just ended closes the ports of its test within this time.
const AFTERWARDS: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// Finds the ports that are taken, with the name of who took them.
pub(super) fn busy(root: &Root) -> BTreeMap<u16, String> {
    busy_after(root, AFTERWARDS)
}

fn busy_after(root: &Root, patience: Duration) -> BTreeMap<u16, String> {
    let end = Instant::now() + patience;
    loop {
        let found = busy_now(root);
        let may_close = |(port, name): (&u16, &Option<String>)| match name {
            Some(name) => !OWN.contains(port) && name == "ringfort",
            None => true,
        };
        if Instant::now() >= end || !found.iter().any(may_close) {
            let unknown = || "an unknown process".to_owned();
            return found
                .into_iter()
                .map(|(port, name)| (port, name.unwrap_or_else(unknown)))
                .collect();
        }
        std::thread::sleep(PAUSE);
    }
}

/// Names who took each port; what nobody holds any more was closed while it was looked for.
fn busy_now(root: &Root) -> BTreeMap<u16, Option<String>> {
    let listeners = listeners::look(root).unwrap_or_default().into_iter();
    let is_ours =
        |it: &ListenerSeen| it.protocol == Protocol::Tcp && OURS.contains(&it.address.port());
    listeners.filter(is_ours).map(|it| (it.address.port(), it.program)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{busy, busy_after};
    use crate::root::Root;

    #[test]
    fn who_listens_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        let net = directory.path().join("proc/net");
        std::fs::create_dir_all(&net).unwrap();
        let line = |port: &str, state: &str, inode: u32| {
            format!("   0: 0100007F:{port} 00000000:0000 {state} 0:0 00:0 0 0 0 {inode} 1\n")
        };
        // 192B is 6443, 094B 2379, 0016 22, 2808 10248.
        let table = line("192B", "0A", 70) + &line("094B", "01", 71) + &line("0016", "0A", 72);
        std::fs::write(net.join("tcp"), format!("  sl  local_address\n{table}")).unwrap();
        let process = directory.path().join("proc/12/fd");
        std::fs::create_dir_all(&process).unwrap();
        std::fs::write(process.parent().unwrap().join("cmdline"), "/usr/sbin/nginx\0-g\0").unwrap();
        std::os::unix::fs::symlink("socket:[70]", process.join("3")).unwrap();
        assert_eq!(busy(&root), [(6443, "nginx".to_owned())].into());
        // A test of a run that was just ended is waited for, and named if it does not end.
        std::fs::write(process.parent().unwrap().join("cmdline"), "/x/ringfort\0node\0").unwrap();
        let stays = busy_after(&root, Duration::ZERO);
        assert_eq!(stays, [(6443, "ringfort".to_owned())].into());
        let goes = std::thread::scope(|scope| {
            let asked = scope.spawn(|| busy_after(&root, Duration::from_secs(60)));
            std::fs::write(net.join("tcp"), "  sl  local_address\n").unwrap();
            asked.join().unwrap()
        });
        assert_eq!(goes, [].into());
        std::fs::write(net.join("tcp"), line("2808", "0A", 70)).unwrap();
        assert_eq!(busy_after(&root, Duration::ZERO).into_keys().collect::<Vec<_>>(), [10248]);
        // Who has closed it while it was looked for is not there when it is looked for again.
        std::fs::write(net.join("tcp"), line("192B", "0A", 77)).unwrap();
        let stays = busy_after(&root, Duration::ZERO);
        assert_eq!(stays, [(6443, "an unknown process".to_owned())].into());
        let goes = std::thread::scope(|scope| {
            let asked = scope.spawn(|| busy_after(&root, Duration::from_secs(60)));
            std::thread::sleep(Duration::from_millis(20));
            std::fs::write(net.join("tcp"), "  sl  local_address\n").unwrap();
            asked.join().unwrap()
        });
        assert_eq!(goes, [].into());
    }
}
