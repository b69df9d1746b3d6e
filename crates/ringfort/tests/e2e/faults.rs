//! What is wrong before the first `up`: each is refused in clear words with the documented exit
//! code, and leaves every machine as it was.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ringfort_forge::keyring::{ClusterExists, Identity, StateDirectory};
use ringfort_model::name::ClusterName;

use crate::MACHINES;
use crate::cluster::{Cluster, Said};

/// Runs something that must be refused, and sees that no machine was changed by it.
fn refused(cluster: &Cluster, code: i32, words: &[&str], run: impl FnOnce() -> Said) {
    let before = cluster.listing(MACHINES);
    let said = run();
    assert_eq!(said.code, Some(code), "{}", said.stderr);
    let text = format!("{}\n{:?}", said.stderr, said.events);
    for word in words {
        assert!(text.contains(word), "{word:?} is not said: {text}");
    }
    let error = said.end()["error"].as_str().unwrap_or_default();
    assert!(!error.is_empty(), "the last event does not say the error: {}", said.end());
    for (machine, files) in cluster.listing(MACHINES) {
        let old = &before[&machine];
        let changed: Vec<_> = files.symmetric_difference(old).collect();
        assert!(changed.is_empty(), "{machine} was changed: {changed:#?}");
    }
}

fn up_with(cluster: &Cluster, spec: &Path) -> Said {
    cluster.ringfort_with(spec, cluster.bundle(), &["up"])
}

pub fn unreachable(cluster: &Cluster) {
    refused(
        cluster,
        4,
        &["preflight found 1 things", r#""node": String("w2")"#, "does not answer within"],
        || {
            cluster.lab(&["cut", cluster.name(), "w2"]);
            let said = cluster.ringfort("up", &[]);
            cluster.lab(&["heal", cluster.name(), "w2"]);
            said
        },
    );
    let path = entered(cluster, "w3", "port: 2222");
    let words = [r#""node": String("w3")"#, "port 2222 refuses the connection: is sshd running"];
    refused(cluster, 4, &words, || up_with(cluster, &path));
}

/// Writes a specification in which one machine is entered otherwise.
fn entered(cluster: &Cluster, machine: &str, ssh: &str) -> PathBuf {
    let (plain, other) =
        (format!("name: {machine} }}"), format!("name: {machine}, ssh: {{ {ssh} }} }}"));
    cluster.spec_with(|text| text.replace(&plain, &other))
}

pub fn wrong_host_key(cluster: &Cluster) {
    let line = |text: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix("knownHosts: "));
        serde_json::from_str::<String>(line.expect("the lab names its known hosts")).unwrap()
    };
    let spec = std::fs::read_to_string(cluster.spec()).unwrap();
    let known = line(&spec);
    let keys = std::fs::read_to_string(&known).unwrap();
    let of = |machine: &str| {
        let address = format!("{} ", address(&spec, machine));
        let line = keys.lines().find_map(|line| line.strip_prefix(address.as_str()));
        line.expect("the machine's key is known").to_owned()
    };
    let other = cluster.directory.join("known_hosts");
    let path = cluster.spec_with(|text| text.replace(&known, &other.display().to_string()));
    std::fs::write(&other, keys.replace(&of("w1"), &of("w2"))).unwrap();
    let words = ["w1: ", "holds another one", "nothing was sent"];
    refused(cluster, 4, &words, || up_with(cluster, &path));
    let without: String =
        keys.lines().filter(|l| !l.contains(&of("w1"))).map(|l| format!("{l}\n")).collect();
    std::fs::write(&other, without).unwrap();
    let words = ["w1: ", "which is not known here", "ssh.hostKeys"];
    refused(cluster, 4, &words, || up_with(cluster, &path));
}

fn address(spec: &str, machine: &str) -> String {
    let name = format!("name: {machine} }}");
    let line = spec.lines().find(|line| line.contains(&name)).expect("the machine is in the spec");
    line.split(&[' ', ','][..]).nth(5).expect("it has an address").to_owned()
}

pub fn wrong_user(cluster: &Cluster) {
    let path = entered(cluster, "w1", "user: stranger, sudo: true");
    let words = ["w1: ", "does not let \"stranger\" in", "check ssh.user"];
    refused(cluster, 4, &words, || up_with(cluster, &path));
    cluster.on(
        "w1",
        "useradd -m -s /bin/sh plain && install -d -o plain -m 700 ~plain/.ssh && \
         install -o plain -m 600 /root/.ssh/authorized_keys ~plain/.ssh/",
    );
    let path = entered(cluster, "w1", "user: plain");
    refused(cluster, 2, &["the user \"plain\" has no way to become root"], || {
        up_with(cluster, &path)
    });
    let path = entered(cluster, "w1", "user: plain, sudo: true");
    let words = ["w1: commands do not run as root", "set ssh.user to root", "ssh.sudo"];
    refused(cluster, 4, &words, || up_with(cluster, &path));
    cluster.on("w1", "pkill -u plain; userdel -r plain 2>/dev/null; true");
}

/// Machines that cannot carry a cluster; what is wrong with all of them is said at once.
pub fn unfit(cluster: &Cluster) {
    let small = "sed 's/^MemTotal:.*/MemTotal: 524288 kB/' /proc/meminfo >/run/meminfo && \
                 mount --bind /run/meminfo /proc/meminfo";
    cluster.on("w1", small);
    cluster.on(
        "w2",
        "systemd-run --quiet --unit=squatter /usr/sbin/sshd -D -p 10250 -o PidFile=none; \
                      until ss -ltn | grep -q :10250; do sleep 0.1; done",
    );
    cluster.on("w3", "hostname cp3");
    let link = "$(ip -o route get 10.77.0.1 | sed 's/.* dev \\([^ ]*\\) .*/\\1/')";
    cluster.on("cp1", &format!("ip link set {link} mtu 1400"));
    cluster
        .on("cp2", "mkdir -p /var/lib/etcd/member/snap && echo data >/var/lib/etcd/member/snap/db");
    let words = [
        "memory: 512 MiB, but at least 900 MiB is needed",
        "port 10250 is taken by sshd",
        "cp3, w3 have the same host name",
        "different MTUs",
        "another cluster or container runtime was here: /var/lib/etcd",
        "preflight found 5 things to mend first; nothing was written",
    ];
    refused(cluster, 4, &words, || cluster.ringfort("up", &[]));
    cluster.on("w1", "umount /proc/meminfo");
    cluster.on("w2", "systemctl stop squatter");
    cluster.on("w3", "hostname w3");
    cluster.on("cp1", &format!("ip link set {link} mtu 1500"));
    cluster.on("cp2", "rm -r /var/lib/etcd/member");
}

/// One byte of a file that a machine lacks is another one.
pub fn altered_bundle(cluster: &Cluster) {
    let copy = cluster.directory.join("bundle");
    let copied =
        std::process::Command::new("cp").arg("-rl").arg(cluster.bundle()).arg(&copy).status();
    assert!(copied.unwrap().success());
    let file = copy.join("files/runc");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // The copy shares its files with the bundle: this one becomes its own.
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, bytes).unwrap();
    // The lab's machines have the bundle already; this one has to be brought its files.
    cluster.on("w3", "umount /var/lib/ringfort/seed");
    let words = ["files/runc: altered: its digest is", "nothing was written"];
    for command in ["plan", "up"] {
        refused(cluster, 2, &words, || cluster.ringfort_with(&cluster.spec(), &copy, &[command]));
    }
    std::fs::remove_dir_all(&copy).unwrap();
    cluster.lab(&["stop", cluster.name(), "w3", "--hard"]);
    cluster.lab(&["start", cluster.name(), "w3"]);
}

/// The first day of 2010, in seconds since 1970: authorities live for ten years.
const LONG_AGO_S: i64 = 1_262_304_000;

pub fn expired_authority(cluster: &Cluster) {
    let directory = cluster.directory.join("old");
    std::fs::create_dir_all(&directory).unwrap();
    let spec = directory.join("cluster.yaml");
    std::fs::copy(cluster.spec(), &spec).unwrap();
    let then = Timestamp::from_second(LONG_AGO_S).unwrap();
    let path = directory.join("identity.txt");
    let identity = Identity::make(&path, then).unwrap();
    let state = StateDirectory::beside(&spec, &ClusterName::new(cluster.name()).unwrap());
    let held = state.hold().unwrap();
    let none = std::collections::BTreeSet::new();
    held.open_or_create(&identity, &none, ClusterExists::No, LONG_AGO_S).unwrap();
    drop(held);
    let identity = path.display().to_string();
    let words = ["expired on 2019-12-30", "ringfort reset and then ringfort up make it anew"];
    refused(cluster, 4, &words, || {
        cluster.ringfort_with(&spec, cluster.bundle(), &["up", "--identity", &identity])
    });
    std::fs::remove_dir_all(&directory).unwrap();
}
