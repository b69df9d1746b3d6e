//! What this machine is like, before anything is changed. What could not be read is left out, and
//! preflight says so. What is tried is tried in namespaces of its own and leaves no trace.

mod features;
mod links;
mod ports;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ringfort_engine::journal::Ledger;
use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;
use ringfort_model::survey::Survey;
use rustix::fs::{Mode, OFlags};

use crate::files;
use crate::journal;
use crate::root::Root;
use crate::tools::{Tools, find};

/// Programs of the machine that are reported, and how each tells its version.
const TOOLS: &[(&str, &str)] = &[
    ("apparmor_parser", "--version"),
    ("ip", "-V"),
    ("iptables", "--version"),
    ("modprobe", "--version"),
    ("mount", "--version"),
    ("nft", "--version"),
    ("systemctl", "--version"),
    ("umount", "--version"),
    ("unshare", "--version"),
    ("useradd", ""),
];

/// Paths that speak of a cluster or of containers that are or were there, unless ringfort made them.
const LEFTOVERS: &[&str] = &[
    "/etc/cni/net.d",
    "/etc/kubernetes",
    "/etc/rancher",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/lib/etcd",
    "/var/lib/k0s",
    "/var/lib/kubelet",
    "/var/lib/rancher",
    "/sys/class/net/cni0",
    "/sys/class/net/flannel.1",
];

/// Where things will lie that need room or speed. Each may be a disk of its own.
const IMAGES: &str = "var/lib/containerd";
const OWN: &str = "var/lib/ringfort";
const ETCD: &str = "var/lib/etcd";

/// Looks at the whole machine.
pub(crate) fn take(root: &Root, tools: &dyn Tools) -> Survey {
    Survey {
        hostname: text(root, "proc/sys/kernel/hostname"),
        machine_id: text(root, "etc/machine-id"),
        links: links::read(tools),
        advertised: links::advertised(root, tools),
        lent: links::lent(root, tools),
        cpus: std::thread::available_parallelism().ok().and_then(|n| u32::try_from(n.get()).ok()),
        memory_bytes: memory_bytes(root),
        image_free_bytes: free_bytes(root, IMAGES),
        own_free_bytes: free_bytes(root, OWN),
        sync_latency_us: sync_latency_us(root),
        kernel: text(root, "proc/sys/kernel/osrelease"),
        cgroup_version: cgroup_version(root),
        systemd: root.own("run/systemd/system").is_dir(),
        apparmor: text(root, "sys/module/apparmor/parameters/enabled").as_deref() == Some("Y"),
        swap: text(root, "proc/swaps").map(|table| table.lines().count() > 1),
        os: os(root),
        uid: rustix::process::geteuid().as_raw(),
        tools: versions(tools),
        busy_ports: ports::busy(root),
        leftovers: leftovers(root),
        cluster: cluster(root),
        features: features::try_all(root, tools),
        users: accounts(root, "etc/passwd", |own| Some((*own.first()?, *own.get(1)?))),
        groups: accounts(root, "etc/group", |own| own.first().copied()),
        // Last, since the operator compares it with the moment of the answer.
        clock_ms: clock_ms(),
    }
}

/// Reads the cluster that this machine belongs to.
pub(crate) fn cluster(root: &Root) -> Option<String> {
    text(root, "var/lib/ringfort/cluster").filter(|name| !name.is_empty())
}

fn text(root: &Root, path: &str) -> Option<String> {
    std::fs::read_to_string(root.own(path)).ok().map(|text| text.trim().to_owned())
}

fn clock_ms() -> Option<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

fn memory_bytes(root: &Root) -> Option<u64> {
    let table = text(root, "proc/meminfo")?;
    let line = table.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Gives a directory, or the nearest above it that is there.
fn nearest(root: &Root, path: &str) -> Option<PathBuf> {
    let mut above = Path::new(path).ancestors().map(|path| root.own("").join(path));
    above.find(|path| path.is_dir())
}

fn free_bytes(root: &Root, path: &str) -> Option<u64> {
    let is = rustix::fs::statvfs(nearest(root, path)?).ok()?;
    is.f_bavail.checked_mul(is.f_frsize)
}

/// Synced writes that are tried, in so much time: a disk that is slow is known after a few.
const SYNCED_WRITES: usize = 40;
const SYNC_PATIENCE: Duration = Duration::from_millis(600);

/// Writes pages as etcd would and gives what nine of ten stay below: the slowest alone would be
/// whatever else the disk did at that moment.
fn sync_latency_us(root: &Root) -> Option<u64> {
    let mut file = without_a_name(&nearest(root, ETCD)?)?;
    let mut write = || {
        let begin = Instant::now();
        file.write_all(&[0; 4096]).and_then(|()| file.sync_data()).ok()?;
        u64::try_from(begin.elapsed().as_micros()).ok()
    };
    let begin = Instant::now();
    let in_time = (0..SYNCED_WRITES).take_while(|_| begin.elapsed() < SYNC_PATIENCE);
    let took: Option<Vec<u64>> = in_time.map(|_| write()).collect();
    nine_of_ten(took?)
}

/// Makes a file of which nothing stays, however this ends, and by which its directory does not change either where the
/// file system can do that.
fn without_a_name(directory: &Path) -> Option<File> {
    let (flags, mode) =
        (OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR);
    if let Ok(file) = rustix::fs::open(directory, flags, mode) {
        return Some(file.into());
    }
    let path = directory.join(format!(".ringfort-sync-{}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).open(&path).ok()?;
    files::remove_if_there(&path).ok()?;
    Some(file)
}

/// Gives the smallest value that nine of ten do not exceed.
fn nine_of_ten(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    let place = (values.len() * 9).div_ceil(10);
    values.get(place.checked_sub(1)?).copied()
}

fn cgroup_version(root: &Root) -> Option<u32> {
    if root.own("sys/fs/cgroup/cgroup.controllers").exists() {
        return Some(2);
    }
    root.own("sys/fs/cgroup/memory").is_dir().then_some(1)
}

fn os(root: &Root) -> Option<String> {
    let release = text(root, "etc/os-release")?;
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned())
}

fn versions(tools: &dyn Tools) -> BTreeMap<String, String> {
    let version = |tool: &str, argument: &str| {
        find(tool)?;
        let arguments: Vec<&str> = Some(argument).filter(|a| !a.is_empty()).into_iter().collect();
        let said = if arguments.is_empty() { None } else { tools.run(tool, &arguments).ok() };
        let said = said.map(|said| said.stdout).unwrap_or_default();
        Some((tool.to_owned(), said.lines().next().unwrap_or_default().to_owned()))
    };
    TOOLS.iter().filter_map(|(tool, argument)| version(tool, argument)).collect()
}

fn leftovers(root: &Root) -> Vec<String> {
    let read =
        journal::read(root).ok().and_then(|bytes| ringfort_engine::journal::read(&bytes).ok());
    let owned = read.map(|read| Ledger::of(&read.records).owned).unwrap_or_default();
    let ours = |path: &str| {
        owned.iter().any(|item| match item {
            ItemId::File(of) | ItemId::Directory(of) => of.starts_with(path),
            _ => false,
        })
    };
    let holds_something = |path: &str| {
        let entries = std::fs::read_dir(root.own(path.trim_start_matches('/')));
        entries.is_ok_and(|mut e| e.any(|e| e.is_ok_and(|e| e.file_name() != "lost+found")))
    };
    let link_of_ours = |path: &str| !owned.is_empty() && path.starts_with("/sys");
    LEFTOVERS
        .iter()
        .filter(|path| !ours(path) && !link_of_ours(path))
        .filter(|path| holds_something(path))
        .map(|path| (*path).to_owned())
        .collect()
}

/// Reads who has a name or a number of the cluster's users in a list of users or groups.
fn accounts<T>(
    root: &Root,
    file: &str,
    numbers: fn(&[u32]) -> Option<T>,
) -> Option<BTreeMap<String, T>> {
    let table = text(root, file)?;
    let account = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let own: Vec<u32> = rest.split(':').skip(1).map_while(|part| part.parse().ok()).collect();
        let is_asked = Owner::USERS.iter().any(|(is, user)| {
            own.first().is_some_and(|id| [is.uid, is.gid].contains(id)) || *user == name
        });
        Some((name.to_owned(), numbers(&own).filter(|_| is_asked)?))
    };
    Some(table.lines().filter_map(account).collect())
}

#[cfg(test)]
mod tests {
    use super::{
        ETCD, accounts, cgroup_version, free_bytes, leftovers, memory_bytes, nearest, nine_of_ten,
        os, sync_latency_us,
    };
    use crate::root::Root;

    #[test]
    fn facts_are_read_from_files() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        for (path, text) in [
            ("proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n"),
            ("etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"),
            (
                "etc/passwd",
                "root:x:0:0::/:/bin/sh\npostgres:x:2379:5::/:/bin/false\netcd:x:112:118::/:/bin/sh\n",
            ),
            ("etc/group", "root:x:0:\netcd:x:118:\nfolk:x:10257:a,b\n"),
            ("etc/kubernetes/admin.conf", ""),
            ("var/lib/etcd/lost+found/x", ""),
            ("var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db", ""),
        ] {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        assert_eq!(memory_bytes(&root), Some(2 << 20));
        assert_eq!(os(&root).as_deref(), Some("Debian GNU/Linux 12"));
        let users = accounts(&root, "etc/passwd", |own| Some((own[0], own[1])));
        let expected = [("etcd".to_owned(), (112, 118)), ("postgres".to_owned(), (2379, 5))];
        assert_eq!(users, Some(expected.into()));
        let groups = accounts(&root, "etc/group", |own| own.first().copied());
        assert_eq!(groups, Some([("etcd".to_owned(), 118), ("folk".to_owned(), 10257)].into()));
        assert_eq!(accounts(&root, "etc/gshadow", |own| own.first().copied()), None);
        assert_eq!(leftovers(&root), ["/etc/kubernetes", "/var/lib/containerd"]);
        assert_eq!(cgroup_version(&root), None);
        assert!(sync_latency_us(&root).is_some());
        let entries = |path: &str| std::fs::read_dir(directory.path().join(path)).unwrap().count();
        assert_eq!((entries("var/lib"), entries(ETCD)), (2, 1));
    }

    #[test]
    fn room_and_speed_are_measured_where_they_will_be_needed() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        let at = |path: &str| directory.path().join(path);
        assert_eq!(nearest(&root, ETCD), Some(at("")));
        std::fs::create_dir_all(at("var/lib")).unwrap();
        assert_eq!(nearest(&root, ETCD), Some(at("var/lib")));
        assert!(free_bytes(&root, ETCD).is_some_and(|free| free > 0));
        std::fs::create_dir_all(at(ETCD)).unwrap();
        assert_eq!(nearest(&root, ETCD), Some(at(ETCD)));
    }

    #[test]
    fn one_stall_in_ten_does_not_count() {
        assert_eq!(nine_of_ten(Vec::new()), None);
        assert_eq!(nine_of_ten(vec![7]), Some(7));
        assert_eq!(nine_of_ten(vec![5, 5, 900, 5, 5, 5, 5, 5, 5, 6]), Some(6));
        assert_eq!(nine_of_ten(vec![5, 5, 900, 5, 5, 5, 5, 5, 5, 800]), Some(800));
        assert_eq!(nine_of_ten((1..=100).collect()), Some(90));
    }
}
