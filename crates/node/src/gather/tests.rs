//! Facts are taken of machines that are directories.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use ringfort_model::machine::{FileKind, MachineFacts, Observed};
use ringfort_model::mode::FileMode;

use super::take;
use crate::root::Root;

fn put(room: &Path, path: &str, text: &str) {
    let path = room.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn process(room: &Path, number: u32, line: &str, environment: &str) {
    let at = format!("proc/{number}");
    put(room, &format!("{at}/cmdline"), &format!("{}\0", line.replace(' ', "\0")));
    put(room, &format!("{at}/environ"), environment);
    put(room, &format!("{at}/status"), "Name:\tx\nUid:\t0\t0\t0\t0\n");
    put(room, &format!("{at}/cgroup"), "0::/system.slice/x.service\n");
    symlink(line.split(' ').next().unwrap(), room.join(at.as_str()).join("exe")).unwrap();
    symlink(room, room.join(at).join("root")).unwrap();
}

fn machine() -> tempfile::TempDir {
    let room = tempfile::tempdir().unwrap();
    let at = room.path();
    process(at, 1, "/sbin/init", "");
    put(at, "etc/passwd", "root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:\netcd:x:2379:2379::/:\n");
    put(at, "etc/group", "root:x:0:\netcd:x:2379:\n");
    put(at, "etc/kubernetes/pki/sa.key", "PRIVATE");
    put(at, "etc/kubernetes/pki/ca.crt", "no certificate");
    room
}

#[test]
fn components_are_seen_with_what_they_name_and_without_secrets() {
    let room = machine();
    let at = room.path();
    process(
        at,
        7,
        "/usr/bin/kube-apiserver --encryption-provider-config=/etc/kubernetes/enc.yaml \
         --oidc-client-secret=c2VjcmV0 --tls-private-key-file=/etc/kubernetes/pki/sa.key",
        "HOME=/secret-home\0",
    );
    process(at, 8, "etcd", "ETCD_AUTO_TLS=true\0ETCD_X_PASSWORD=c2VjcmV0\0");
    put(
        at,
        "etc/kubernetes/enc.yaml",
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n\
         - resources: [secrets]\n  providers:\n  - aescbc: {keys: [{name: a, secret: c2VjcmV0}]}\n",
    );
    put(
        at,
        "etc/kubernetes/manifests/kube-apiserver.yaml",
        "spec:\n  containers:\n  - name: kube-apiserver\n    image: r.io/a/kube-apiserver:v1.36.2@sha256:aa\n",
    );
    let facts = take(&Root::new(at));
    let written = serde_json::to_string(&facts).unwrap();
    for secret in ["c2VjcmV0", "PRIVATE", "secret-home"] {
        assert!(!written.contains(secret), "{secret}: {written}");
    }
    assert_eq!(MachineFacts::read(&written).unwrap(), facts);
    let server = &facts.components["kube-apiserver"];
    assert_eq!(server.release, Observed::Known("v1.36.2".to_owned()));
    let Observed::Known(text) = &server.texts["/etc/kubernetes/enc.yaml"] else { panic!() };
    assert!(text.contains("aescbc"), "{text}");
    let key = "/etc/kubernetes/pki/sa.key";
    assert_eq!(server.places[key], Observed::Known(key.to_owned()));
    let Observed::Known(etcd) = &facts.components["etcd"].processes else { panic!() };
    let Observed::Known(variables) = &etcd[0].environment else { panic!() };
    assert_eq!(variables.0["ETCD_AUTO_TLS"].as_deref(), Some("true"));
    assert_eq!(variables.0["ETCD_X_PASSWORD"], None);
    assert_eq!(facts.components["kubelet"].processes, Observed::Absent);
    let Observed::Known(accounts) = &facts.accounts else { panic!() };
    assert_eq!((accounts.users[&0].as_str(), accounts.groups[&2379].as_str()), ("root", "etcd"));
}

#[test]
fn a_kubelets_drop_ins_are_read_in_its_own_view() {
    let room = machine();
    let at = room.path();
    process(at, 7, "kubelet --config=/k/config.yaml --config-dir /k/more/", "");
    put(at, "k/config.yaml", "kind: KubeletConfiguration\n");
    put(at, "k/more/10-a.conf", "kind: KubeletConfiguration\nreadOnlyPort: 10255\n");
    put(at, "k/more/readme", "no\n");
    let kubelet = take(&Root::new(at)).components.remove("kubelet").unwrap();
    assert_eq!(
        kubelet.below["/k/more/"],
        Observed::Known(vec!["10-a.conf".to_owned(), "readme".to_owned()])
    );
    let Observed::Known(text) = &kubelet.texts["/k/more/10-a.conf"] else { panic!() };
    assert!(text.contains("10255"));
    assert_eq!(kubelet.texts.len(), 2);
}

#[test]
fn a_file_is_seen_with_every_directory_that_leads_to_it() {
    let room = machine();
    let at = room.path();
    let pki = at.join("etc/kubernetes/pki");
    fs::set_permissions(&pki, fs::Permissions::from_mode(0o700)).unwrap();
    let facts = take(&Root::new(at));
    for path in ["/", "/etc", "/etc/kubernetes", "/etc/kubernetes/pki"] {
        let Observed::Known(seen) = &facts.files[path] else { panic!("{path}") };
        assert_eq!(seen.kind, FileKind::Directory, "{path}");
    }
    let Observed::Known(seen) = &facts.files["/etc/kubernetes/pki"] else { panic!() };
    assert_eq!(seen.mode, FileMode(0o700));
    assert_eq!(facts.files["/etc/kubernetes/admin.conf"], Observed::Absent);
    assert!(matches!(facts.certificates["/etc/kubernetes/pki/ca.crt"], Observed::Gap(_)));
}

#[test]
fn what_cannot_be_looked_at_is_a_gap_and_not_absent() {
    let room = machine();
    let at = room.path();
    process(at, 7, "kubelet --config=/k/config.yaml", "");
    // A link that leads to itself cannot be followed, by nobody.
    symlink("config.yaml", at.join("config.yaml")).unwrap();
    fs::create_dir(at.join("k")).unwrap();
    symlink("config.yaml", at.join("k/config.yaml")).unwrap();
    let facts = take(&Root::new(at));
    assert!(matches!(facts.components["kubelet"].texts["/k/config.yaml"], Observed::Gap(_)));
    // A kernel that hides the processes of others.
    fs::remove_dir_all(at.join("proc/1")).unwrap();
    let facts = take(&Root::new(at));
    assert!(matches!(facts.components["etcd"].processes, Observed::Gap(_)));
    assert!(matches!(facts.components["kubelet"].processes, Observed::Known(_)));
    fs::remove_dir_all(at.join("proc")).unwrap();
    let facts = take(&Root::new(at));
    assert!(matches!(facts.components["kubelet"].processes, Observed::Gap(_)));
    // Where there is no root there is nothing that could be absent.
    let facts = take(&Root::new(at.join("nowhere")));
    assert!(facts.files.values().all(|seen| matches!(seen, Observed::Gap(_))));
}

#[test]
fn what_is_too_large_is_a_gap() {
    let room = machine();
    let at = room.path();
    process(at, 7, "kubelet --config=/k/config.yaml", "");
    put(at, "k/config.yaml", &"a".repeat(2 << 20));
    let facts = take(&Root::new(at));
    let Observed::Gap(unseen) = &facts.components["kubelet"].texts["/k/config.yaml"] else {
        panic!()
    };
    assert!(unseen.why.contains("larger"), "{unseen:?}");
}

fn event(user: &str) -> String {
    format!(
        "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"stage\":\"ResponseComplete\",\"verb\":\"get\",\
         \"user\":{{\"username\":\"{user}\"}},\"requestReceivedTimestamp\":\"2026-11-27T10:00:00.000000Z\"}}\n"
    )
}

#[test]
fn the_newest_part_of_an_audit_log_is_summed_up() {
    let room = machine();
    let at = room.path();
    assert_eq!(take(&Root::new(at)).audit, Some(Observed::Absent), "no API server runs here");
    process(at, 7, "kube-apiserver --audit-log-path=/var/log/audit.log", "");
    let gap = |why: &str| {
        let Some(Observed::Gap(unseen)) = take(&Root::new(at)).audit else { panic!("{why}") };
        assert!(unseen.why.contains(why), "{unseen:?}");
    };
    gap("not there");
    put(at, "var/log/audit.log", "");
    gap("no event");
    // What is being written yet has no end.
    put(at, "var/log/audit.log", &format!("{}{}{{\"kind\":", event("ann"), event("ann")));
    let Some(Observed::Known(summary)) = take(&Root::new(at)).audit else { panic!() };
    assert_eq!((summary.events, summary.unread, summary.callers.len()), (2, 0, 1));
    // Of a log that is long its end is read, from the first whole line on.
    let long = event("first").repeat(250_000) + &event("last");
    put(at, "var/log/audit.log", &long);
    let Some(Observed::Known(summary)) = take(&Root::new(at)).audit else { panic!() };
    assert_eq!((summary.unread, summary.callers.len()), (0, 2));
    assert!(summary.events < 250_000, "{}", summary.events);
    put(at, "var/log/audit.log", "nothing that is an event\n");
    gap("no event");
    // What was rotated last is a part of it as long as there is room.
    put(at, "var/log/audit.log", &event("now"));
    put(at, "var/log/audit-2026-11-26T10-00-00.000.log", &event("long-ago"));
    put(at, "var/log/audit-2026-11-27T09-00-00.000.log", &event("before"));
    put(at, "var/log/audit-policy.log", &event("other"));
    put(at, "var/log/other-2026-11-27T09-30-00.000.log", &event("other"));
    let Some(Observed::Known(summary)) = take(&Root::new(at)).audit else { panic!() };
    let users: Vec<&str> = summary.callers.iter().map(|it| it.user.as_str()).collect();
    assert_eq!(users, ["before", "now"]);
    put(at, "var/log/audit-2026-11-27T09-30-00.000.log.gz", "packed");
    let Some(Observed::Known(summary)) = take(&Root::new(at)).audit else { panic!() };
    assert_eq!(summary.callers.len(), 1);
}

#[test]
fn how_pods_are_connected_and_by_what_policies_are_enforced_is_seen() {
    let room = machine();
    let at = room.path();
    process(at, 7, "/usr/local/bin/ringfort node policy", "");
    put(at, "etc/cni/net.d/10-a.conflist", "{\"plugins\": [{\"type\": \"bridge\"}]}");
    put(at, "etc/kubernetes/network-policy.json", "{\"closed\": true}");
    let facts = take(&Root::new(at));
    let Observed::Known(list) =
        &facts.components["containerd"].texts["/etc/cni/net.d/10-a.conflist"]
    else {
        panic!()
    };
    assert!(list.contains("bridge"));
    let ringfort = &facts.components["ringfort"];
    let Observed::Known(policy) = &ringfort.texts["/etc/kubernetes/network-policy.json"] else {
        panic!()
    };
    assert!(policy.contains("closed") && matches!(ringfort.processes, Observed::Known(_)));
    // What lies below a directory inside a tree that is listed is known as well.
    put(at, "etc/kubernetes/pki/inner/a.crt", "a");
    let facts = take(&Root::new(at));
    let machine = ringfort_facts::machine::Machine::new(&facts, None);
    let below = machine.below("/etc/kubernetes/pki").unwrap().unwrap().value;
    assert_eq!(below, ["ca.crt", "inner", "inner/a.crt", "sa.key"]);
    assert_eq!(machine.below("/etc/kubernetes/nothing"), Ok(None));
    assert!(machine.below("/etc").is_err() && machine.below("/etc/kubernetes-other").is_err());
}

#[test]
fn a_pod_that_takes_ringforts_words_is_not_taken_for_it() {
    let room = machine();
    let at = room.path();
    process(at, 7, "/usr/local/bin/ringfort integrity watch", "");
    let runs = || {
        let facts = take(&Root::new(at));
        let machine = ringfort_facts::machine::Machine::new(&facts, None);
        machine.runs_part(["integrity", "watch"]).ok()
    };
    assert_eq!(runs(), Some(true));
    let pod = "pod0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33";
    put(at, "proc/7/cgroup", &format!("0::/kubepods/besteffort/{pod}/x\n"));
    assert_eq!(runs(), Some(false));
    fs::remove_file(at.join("proc/7/cgroup")).unwrap();
    assert_eq!(runs(), None);
    put(at, "proc/7/cgroup", "0::/system.slice/x.service\n");
    fs::remove_file(at.join("proc/7/exe")).unwrap();
    symlink("/bin/sleep", at.join("proc/7/exe")).unwrap();
    assert_eq!(runs(), Some(false));
}
