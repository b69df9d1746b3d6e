//! A directory with processes and files of its own.

use std::os::unix::fs::symlink;

use super::*;
use crate::protected::Class;

const ROOT: &str = "Uid:\t0\t0\t0\t0\n";
const SERVICE: &str = "0::/system.slice/a.service";

struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(machine.0.path().join("proc")).unwrap();
        machine
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.0.path().join(&path[1..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs a program of `/usr/bin` as a service of root's.
    fn run(&self, pid: i32, line: &str) {
        let name = line.split(' ').next().unwrap();
        self.put(&format!("/proc/{pid}/cmdline"), &line.replace(' ', "\0"));
        self.put(&format!("/proc/{pid}/status"), ROOT);
        self.put(&format!("/proc/{pid}/cgroup"), SERVICE);
        self.exe(pid, &format!("/usr/bin/{name}"));
    }

    fn exe(&self, pid: i32, exe: &str) {
        let link = self.0.path().join(format!("proc/{pid}/exe"));
        let _ = fs::remove_file(&link);
        symlink(exe, link).unwrap();
    }

    fn live(&self) -> Live {
        Live::new(self.0.path())
    }
}

/// What is named beside the programs themselves, and protected.
fn paths(looked: &Looked) -> Vec<(String, Class)> {
    let all = looked.speakers.iter().flat_map(|it| &it.found);
    let all = all.filter(|it| it.unprotected.is_none());
    let all = all.map(|it| (it.entry.path.to_string(), it.entry.class));
    all.filter(|(path, _)| !path.starts_with("/usr/bin/")).collect()
}

#[test]
fn what_begins_and_what_changes_is_read_again() {
    let machine = Machine::new();
    let mut live = machine.live();
    let mut now = Instant::now();
    assert_eq!(live.look(now), Some(Looked::default()));
    now += AT_LEAST;
    assert_eq!(live.look(now), None, "nothing is another");
    machine.put("/etc/k.yaml", "staticPodPath: /srv/pods\n");
    fs::create_dir_all(machine.0.path().join("srv/pods")).unwrap();
    machine.run(7, "kubelet --config=/etc/k.yaml --root-dir=/srv/data");
    machine.run(8, "sleep --config=/etc/none");
    let found = live.look(now).unwrap();
    let expected = [
        ("/etc/k.yaml".to_owned(), Class::Exact),
        ("/srv/data".to_owned(), Class::Kept),
        ("/srv/pods".to_owned(), Class::Watched),
    ];
    assert_eq!(paths(&found), expected);
    let by = &found.speakers[0].found[2].by;
    assert_eq!(by, "/etc/k.yaml of kubelet (pid 7, /usr/bin/kubelet, a.service)");
    assert_eq!(live.look(now), None);
    // Its file names something else; then it is run with other arguments. Both are not seen too often.
    machine.put("/etc/k.yaml", "staticPodPath: /srv/other\nvolumePluginDir: /srv/x\n");
    assert_eq!(live.look(now), None);
    now += AT_LEAST;
    assert_eq!(paths(&live.look(now).unwrap()).len(), 4);
    machine.run(9, "kubelet --root-dir=/srv/data");
    fs::remove_dir_all(machine.0.path().join("proc/7")).unwrap();
    now += AT_LEAST;
    assert_eq!(paths(&live.look(now).unwrap()), [("/srv/data".to_owned(), Class::Kept)]);
    // What is not young is looked at once a minute.
    machine.run(8, "etcd --cert-file=/c");
    now += YOUNG;
    assert_eq!(live.look(now), None);
    now += ALL_EVERY;
    assert_eq!(paths(&live.look(now).unwrap()).len(), 2);
}

#[test]
fn only_who_may_be_a_component_is_one() {
    let machine = Machine::new();
    let count = || machine.live().look(Instant::now()).unwrap().speakers.len();
    machine.run(7, "etcd --cert-file=/c");
    assert_eq!(count(), 1);
    // Whoever calls himself so, whoever is logged in, and in a pod of the API's.
    machine.exe(7, "/usr/bin/perl5.36");
    assert_eq!(count(), 0);
    machine.exe(7, "/usr/bin/etcd (deleted)");
    assert_eq!(count(), 1);
    machine.put("/proc/7/status", "Uid:\t1000\t1000\t1000\t1000\n");
    assert_eq!(count(), 0);
    machine.put("/proc/7/cgroup", "0::/system.slice/etcd.service");
    assert_eq!(count(), 1);
    machine.put("/proc/7/status", ROOT);
    machine.put("/proc/7/cgroup", "0::/user.slice/user-0.slice/session-1.scope");
    assert_eq!(count(), 0);
    // A container beside all pods has files of its own.
    machine.run(7, "etcd --cert-file=/c");
    machine.put("/proc/1/status", ROOT);
    fs::create_dir_all(machine.0.path().join("proc/1/ns")).unwrap();
    fs::create_dir_all(machine.0.path().join("proc/7/ns")).unwrap();
    symlink("mnt:[1]", machine.0.path().join("proc/1/ns/mnt")).unwrap();
    symlink("mnt:[2]", machine.0.path().join("proc/7/ns/mnt")).unwrap();
    assert_eq!(count(), 0);
}

#[test]
fn who_has_mounts_of_his_own_and_was_upgraded_is_seen_in_his_unit_and_told_elsewhere() {
    let machine = Machine::new();
    machine.run(7, "etcd --cert-file=/c");
    machine.exe(7, "/usr/bin/etcd (deleted)");
    for (pid, namespace) in [(1, "mnt:[1]"), (7, "mnt:[2]")] {
        machine.put(&format!("/proc/{pid}/mountinfo"), "1 0 8:1 / / rw - ext4 x rw\n");
        let of = machine.0.path().join(format!("proc/{pid}/ns"));
        fs::create_dir_all(&of).unwrap();
        symlink(namespace, of.join("mnt")).unwrap();
    }
    let look = || machine.live().look(Instant::now()).unwrap();
    let looked = look();
    assert!(paths(&looked).is_empty() && looked.speakers[0].is_unseen, "{looked:?}");
    assert!(looked.speakers[0].gaps[0].contains("not there any more"), "{looked:?}");
    machine.put("/proc/7/cgroup", "2:cpu:/etcd.service\n0::/system.slice/other.service");
    assert!(look().speakers[0].is_unseen, "one group alone says nothing");
    machine.put("/proc/7/cgroup", "0::/system.slice/etcd.service");
    let looked = look();
    assert_eq!(paths(&looked), [("/c".to_owned(), Class::Exact)]);
    assert!(!looked.speakers[0].is_unseen && looked.speakers[0].gaps.is_empty(), "{looked:?}");
    // One whose file is there is compared with it.
    machine.exe(7, "/usr/bin/etcd");
    assert!(look().speakers.is_empty());
}

#[test]
fn a_link_is_protected_with_what_it_leads_to() {
    let machine = Machine::new();
    machine.put("/srv/real.yaml", "a: 1\n");
    symlink("/srv/real.yaml", machine.0.path().join("link.yaml")).unwrap();
    machine.run(7, "kube-scheduler --config=/link.yaml");
    let found = machine.live().look(Instant::now()).unwrap();
    let expected = ["/link.yaml", "/srv/real.yaml"].map(|path| (path.to_owned(), Class::Exact));
    assert_eq!(paths(&found), expected);
    // What is looked at is looked at along no link.
    machine.run(7, "kube-scheduler --config=/way/real.yaml");
    symlink("srv", machine.0.path().join("way")).unwrap();
    let found = machine.live().look(Instant::now()).unwrap();
    assert_eq!(paths(&found), [("/srv/real.yaml".to_owned(), Class::Exact)]);
}

#[test]
fn what_cannot_be_read_or_watched_is_told() {
    let machine = Machine::new();
    machine.run(7, "kubelet --config=/dir --config-dir=/etc");
    for directory in ["dir", "etc"] {
        fs::create_dir_all(machine.0.path().join(directory)).unwrap();
    }
    let looked = machine.live().look(Instant::now()).unwrap();
    let gaps = &looked.speakers[0].gaps;
    for expected in ["no file", "/etc, which --config-dir of kubelet names: it is too wide"] {
        assert!(gaps.iter().any(|gap| gap.contains(expected)), "{expected}: {gaps:?}");
    }
    // Of what is no file, nothing but that it is there is held to.
    assert_eq!(paths(&looked), [("/dir".to_owned(), Class::Kept)]);
    // That something is named is told wherever it lies, and whatever it is.
    machine.run(7, "kubelet --config=/run/k.yaml --config-dir=/etc --kubeconfig=/dev/shm/k");
    let looked = machine.live().look(Instant::now()).unwrap();
    let found = looked.speakers[0].found.iter();
    let found: Vec<(String, bool)> =
        found.map(|it| (it.entry.path.to_string(), it.unprotected.is_some())).collect();
    for path in ["/run/k.yaml", "/etc", "/dev/shm/k"] {
        assert!(found.contains(&(path.to_owned(), true)), "{path}: {found:?}");
    }
}

#[test]
fn a_process_in_a_static_pod_sees_the_machine_by_its_mounts() {
    let machine = Machine::new();
    machine.put("/etc/pki/ca.crt", "x");
    machine.run(9, "kube-apiserver --client-ca-file=/pki/ca.crt --token-auth-file=/image");
    let machines = b"1 0 8:1 / / rw - ext4 x rw\n9 1 0:9 / /mnt/\xff rw - fuse x rw\n";
    fs::create_dir_all(machine.0.path().join("proc/1")).unwrap();
    fs::write(machine.0.path().join("proc/1/mountinfo"), machines).unwrap();
    let own = "1 0 0:7 / / rw - overlay x rw\n2 1 8:1 /etc/pki /pki rw - ext4 x rw\n";
    machine.put("/proc/9/mountinfo", own);
    let container = "ab".repeat(32);
    let of_file = "d0".repeat(16);
    machine.put("/proc/9/cgroup", &format!("0::/kubepods/pod{of_file}/{container}"));
    let looked = machine.live().look(Instant::now()).unwrap();
    assert_eq!(paths(&looked), [("/etc/pki/ca.crt".to_owned(), Class::Exact)]);
    assert_eq!(looked.speakers[0].exe, None);
    let gaps = &looked.speakers[0].gaps;
    assert!(gaps.iter().any(|gap| gap.starts_with("/image, which")), "{gaps:?}");
    // The file that is mounted was replaced since: what lies there now is read at the next start.
    let replaced = format!("{own}3 1 8:1 /etc/pki/ca.crt//deleted /image rw - ext4 x rw\n");
    machine.put("/proc/9/mountinfo", &replaced);
    let looked = machine.live().look(Instant::now()).unwrap();
    assert!(paths(&looked).iter().all(|(path, _)| path == "/etc/pki/ca.crt"), "{looked:?}");
    let is_told = |looked: &Looked, gap: &str| {
        let gaps = &looked.speakers[0].gaps;
        gaps.iter().any(|it| it.starts_with(gap))
    };
    assert!(!is_told(&looked, "/image") && !is_told(&looked, "/etc"), "{looked:?}");
    machine.put("/proc/9/mountinfo", &replaced.replace("ca.crt//", "gone//"));
    let looked = machine.live().look(Instant::now()).unwrap();
    assert!(is_told(&looked, "/etc/pki/gone, which"), "{looked:?}");
    // Whoever makes pods by the API names nothing.
    let uid = "0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33";
    machine.put("/proc/9/cgroup", &format!("0::/kubepods/pod{uid}/{container}"));
    assert!(machine.live().look(Instant::now()).unwrap().speakers.is_empty());
}

#[test]
fn what_was_seen_is_answered_by_another_thread() {
    let machine = Machine::new();
    machine.run(7, "etcd --cert-file=/c");
    let mut lookout = Lookout::begin(machine.live());
    let looked = lookout.answer(Duration::from_secs(60)).unwrap();
    assert_eq!(paths(&looked), [("/c".to_owned(), Class::Exact)]);
    assert!(!lookout.is_silent());
    lookout.asked = Instant::now().checked_sub(SILENT);
    assert!(lookout.is_silent());
}
