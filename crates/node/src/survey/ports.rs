//! Ports that the cluster needs and something else listens on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::processes;
use crate::root::Root;

/// Ports of etcd, API server, kubelet, kube-proxy, controller manager, scheduler and balancer.
const OURS: &[u16] = &[2379, 2380, 2381, 6443, 6444, 10249, 10250, 10256, 10257, 10259];

/// The kernel's number for a socket that listens.
const LISTENS: &str = "0A";

/// The balancer's port, which ringfort itself serves. On the others it only listens for a test.
const BALANCER: u16 = 6444;

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
        let is_test = |(port, name): (&u16, &String)| *port != BALANCER && name == "ringfort";
        if Instant::now() >= end || !found.iter().any(is_test) {
            return found;
        }
        std::thread::sleep(PAUSE);
    }
}

fn busy_now(root: &Root) -> BTreeMap<u16, String> {
    let tables =
        ["proc/net/tcp", "proc/net/tcp6"].map(|path| std::fs::read_to_string(root.own(path)));
    let taken: Vec<(u16, String)> =
        tables.iter().flatten().flat_map(|table| table.lines().filter_map(listening)).collect();
    if taken.is_empty() {
        return BTreeMap::new();
    }
    let inodes = taken.iter().map(|(_, inode)| inode.as_str()).collect();
    let names = holders(root, &inodes);
    let name = |inode: &String| {
        names.get(inode).cloned().unwrap_or_else(|| "an unknown process".to_owned())
    };
    taken.iter().map(|(port, inode)| (*port, name(inode))).collect()
}

/// Reads a line of the kernel's table: number, local address, remote address, state … inode.
fn listening(line: &str) -> Option<(u16, String)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (words.get(1)?, words.get(3)?, words.get(9)?);
    let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
    (*state == LISTENS && OURS.contains(&port)).then(|| (port, (*inode).to_owned()))
}

fn holders(root: &Root, inodes: &BTreeSet<&str>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for process in processes::all(root) {
        let Ok(open) = std::fs::read_dir(process.join("fd")) else { continue };
        for socket in open.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok()) {
            let socket = socket.to_string_lossy();
            let inode = socket.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            let Some(inode) = inode.filter(|inode| inodes.contains(inode)) else { continue };
            let name = processes::program(&process).unwrap_or_else(|| "the kernel".to_owned());
            names.insert(inode.to_owned(), name);
        }
    }
    names
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
        // 192B is 6443, 094B 2379, 0016 22.
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
    }
}
