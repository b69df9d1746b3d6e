//! What good machines tell of themselves; and programs that are not of the bundle.

use std::collections::BTreeMap;

use ringfort_model::act::{Act, ListenerSeen, ProcessSeen, ProgramSeen, Protocol, Seen};
use ringfort_model::digest::Digest;
use ringfort_model::judgement::{Decided, Judgement};
use ringfort_model::kernel::OF_KUBELETS;

use super::{case, good, judge, judge_at, scene};
use crate::proof::Scene;

const PATH: &str = "/usr/local/bin/";

/// A program of the bundle that runs, name servers in pods and others outside of them.
fn running(name: &str) -> ProgramSeen {
    let digest = Digest::of(name.as_bytes());
    let in_pods = u32::from(name == "coredns");
    ProgramSeen {
        name: name.to_owned(),
        path: format!("{PATH}{name}"),
        digest,
        running: 1 - in_pods,
        in_pods,
    }
}

/// All that is asked for, as the bundle has it.
pub(super) fn programs(names: &[String], paths: &[String]) -> Seen {
    let lying = paths.iter().map(|path| {
        let name = path.trim_start_matches(PATH);
        ProgramSeen { running: 0, ..running(name) }
    });
    Seen::Programs(names.iter().map(|name| running(name)).chain(lying).collect())
}

pub(super) fn kernel() -> BTreeMap<String, String> {
    OF_KUBELETS.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// What an enforcer of network policies tells of itself.
pub(super) fn enforced() -> BTreeMap<String, String> {
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    [("in_force", "shown"), ("is_whole", "true"), ("meddled", "0")].map(pair).into()
}

/// What a machine tells of a file that was changed and put back, but for some of it.
pub(super) fn canary(other: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let usual = [
        ("running", "true"),
        ("seen", "unexplained"),
        ("who", "right"),
        ("back", "explained"),
        ("ms", "31"),
        ("change", "c4a1"),
        ("unexplained", "0"),
        ("baseline", "4"),
    ];
    let key = Digest::of(b"a key").to_string();
    let says = Digest::of(b"a baseline").to_string();
    let signed = [("key", key.as_str()), ("says", says.as_str())];
    usual.iter().chain(&signed).chain(other).copied().map(pair).collect()
}

pub(super) fn process(name: &str) -> ProcessSeen {
    ProcessSeen {
        name: name.to_owned(),
        user: match name {
            "kube-apiserver" => 0,
            "etcd" => 2379,
            _ => 997,
        },
        capabilities: "0000000000000000".to_owned(),
        no_new_privileges: true,
        seccomp: 2,
        app_armor: Some("cri-containerd.apparmor.d (enforce)".to_owned()),
    }
}

/// Where a good machine listens.
pub(super) fn listening() -> Seen {
    let ports = [(2381, "etcd"), (6444, "ringfort"), (10248, "kubelet")];
    let more =
        [(10257, "kube-controller-manager"), (10259, "kube-scheduler"), (40_001, "containerd")];
    let alone = ports.into_iter().chain(more).map(|(port, by)| listener([127, 0, 0, 1], port, by));
    let open =
        [(10250, "kubelet"), (22, "sshd")].map(|(port, by)| listener([0, 0, 0, 0], port, by));
    Seen::Listeners(alone.chain(open).collect())
}

/// Somebody who listens over TCP outside of pods.
pub(super) fn listener(ip: [u8; 4], port: u16, program: &str) -> ListenerSeen {
    let (protocol, address) = (Protocol::Tcp, (ip, port).into());
    ListenerSeen { protocol, address, program: Some(program.to_owned()), in_pod: false }
}

/// Gives how the proof ends where a machine's programs are changed.
fn said(machine: &str, change: impl Fn(&mut Vec<ProgramSeen>)) -> String {
    let case = case("versions/pinned-by-digest");
    in_words(judge(&case, |act| match (act, good(&case, 0, act)) {
        (Act::Programs { node, .. }, Seen::Programs(mut found)) if node.as_str() == machine => {
            change(&mut found);
            Some(Seen::Programs(found))
        }
        _ => None,
    }))
}

/// Gives how the proof ends at a time, by a lock that names some versions otherwise.
fn at(time: &str, otherwise: &[(&str, &str)]) -> Judgement {
    let now_s = time.parse::<jiff::Timestamp>().unwrap().as_second();
    let mut scene = Scene { now_s, ..scene() };
    let otherwise = otherwise.iter().map(|(entry, it)| ((*entry).to_owned(), (*it).to_owned()));
    scene.versions.extend(otherwise);
    judge_at(&scene, &case("versions/pinned-by-digest"), &mut good)
}

fn in_words(judgement: Judgement) -> String {
    match judgement {
        Ok(Decided::Pass(_)) => "pass".to_owned(),
        Ok(Decided::Fail(finding)) => finding.said,
        Ok(other) => format!("{other:?}"),
        Err(gap) => format!("gap: {}", gap.said),
    }
}

/// Gives how the proof ends where one more listens.
fn heard(machine: &str, more: &ListenerSeen) -> String {
    let case = case("network/loopback-only");
    in_words(judge(&case, |act| match (act, listening()) {
        (Act::Listeners { node }, Seen::Listeners(mut all)) if node.as_str() == machine => {
            all.push(more.clone());
            Some(Seen::Listeners(all))
        }
        _ => None,
    }))
}

#[test]
fn who_of_the_cluster_listens_without_being_listed_is_told() {
    let open = |port, program: &str| listener([0, 0, 0, 0], port, program);
    let unlisted = "listens at 0.0.0.0:9999 (TCP), which no list names";
    assert_eq!(heard("w1", &open(9999, "kubelet")), format!("w1: kubelet {unlisted}"));
    assert_eq!(heard("cp1", &open(9999, "ringfort")), format!("cp1: ringfort {unlisted}"));
    let by_udp = ListenerSeen { protocol: Protocol::Udp, ..open(10250, "kubelet") };
    assert!(heard("w1", &by_udp).contains("(UDP), which no list names"));
    assert!(heard("w1", &open(40_001, "containerd")).contains("no list names"));
    assert!(heard("w1", &listener([127, 0, 0, 1], 9999, "kubelet")).contains("no list names"));
}

/// The list has its ports in its pods, where machines do not see them.
#[test]
fn a_name_server_outside_of_its_pod_is_told() {
    let open = |port| listener([0, 0, 0, 0], port, "coredns");
    for port in [53, 8080, 8181, 9153] {
        let said = heard("w1", &open(port));
        assert!(said.contains("which the list has in its pods alone"), "{said}");
    }
    assert!(heard("w1", &open(9999)).contains("no list names"));
}

#[test]
fn who_is_no_program_of_the_cluster_may_listen() {
    let open = |port, program: &str| listener([0, 0, 0, 0], port, program);
    assert_eq!(heard("w1", &open(9100, "node_exporter")), "pass");
    assert_eq!(heard("w1", &open(30_123, "kube-proxy")), "pass");
    assert_eq!(heard("w1", &ListenerSeen { in_pod: true, ..open(9999, "etcd") }), "pass");
    let in_pod = ListenerSeen { in_pod: true, ..open(9999, "etcd") };
    assert!(heard("cp1", &in_pod).contains("no list names"));
}

fn other(name: &str) -> ProgramSeen {
    ProgramSeen { digest: Digest::of(b"other"), ..running(name) }
}

#[test]
fn a_program_of_another_digest_is_told_where_it_runs() {
    assert!(said("w2", |found| found.push(other("kubelet"))).starts_with("w2: kubelet runs from"));
    let lies = |found: &mut Vec<ProgramSeen>| {
        found.retain(|it| it.name != "runc");
        found.push(ProgramSeen { running: 0, ..other("runc") });
    };
    assert!(said("cp3", lies).starts_with("cp3: runc lies at"));
}

#[test]
fn what_users_pods_run_is_theirs_on_workers_only() {
    let in_pod = |found: &mut Vec<ProgramSeen>| {
        found.push(ProgramSeen { running: 0, in_pods: 1, ..other("etcd") });
    };
    assert_eq!(said("w1", in_pod), "pass");
    assert!(said("cp1", in_pod).starts_with("cp1: etcd runs from"));
}

#[test]
fn name_servers_on_workers_are_the_bundles() {
    let exchanged = |found: &mut Vec<ProgramSeen>| {
        found.retain(|it| it.name != "coredns");
        found.push(ProgramSeen { running: 0, in_pods: 1, ..other("coredns") });
    };
    assert_eq!(
        said("w1", exchanged),
        "w1: of 1 name servers 0 run what the bundle has, and 1 programs of that name do not"
    );
    let besides = |found: &mut Vec<ProgramSeen>| {
        found.push(ProgramSeen { running: 0, in_pods: 1, ..other("coredns") });
    };
    assert_eq!(said("w1", besides), "pass", "users may run their own beside it");
    let gone = |found: &mut Vec<ProgramSeen>| found.retain(|it| it.name != "coredns");
    assert_eq!(said("w1", gone), "gap: not shown: w1: 0 of 1 name servers were seen to run");
    assert_eq!(said("w3", gone), "pass", "no name server is there");
}

#[test]
fn what_upstream_mends_no_more_fails() {
    let check = |time: &str, otherwise: &[(&str, &str)], expected: &str| {
        let said = in_words(at(time, otherwise));
        assert!(said.starts_with(expected), "{said}");
    };
    check("2027-05-16T23:59:59Z", &[], "pass");
    let over = "containerd 2.4.2 is out of support: 2.4 was mended until 2027-05-16 (by the table";
    check("2027-05-17T00:00:00Z", &[], over);
    let over = "runc 1.4.2 is out of support: 1.4 was mended until 2027-04-30 (by the schedule";
    check("2027-05-01T00:00:00Z", &[("runc", "1.4.2")], over);
    check("2027-04-30T12:00:00Z", &[("runc", "v1.4.2")], "pass");
    check("2027-10-29T00:00:00Z", &[], "Kubernetes 1.37 is out of support");
    let over = "etcd 3.5.31 is out of support: on 2026-11-30 3.6, 3.7 were mended, and none before (by etcd's";
    check("2027-01-15T08:00:00Z", &[("etcd", "3.5.31")], over);
    let Ok(Decided::Fail(finding)) = at("2027-05-17T00:00:00Z", &[]) else { panic!() };
    assert!(finding.fix.contains("ringfort bundle build"), "{}", finding.fix);
}

#[test]
fn whose_end_is_not_known_is_told_and_never_passed_over() {
    let now = "2027-01-15T08:00:00Z";
    let said = in_words(at(now, &[("runc", "1.9.0")]));
    assert_eq!(said, "gap: not shown: until when runc 1.9.0 is mended: a row is missing here");
    let Ok(Decided::Pass(evidence)) = at(now, &[("portmap", "1.9.1")]) else { panic!() };
    let said = evidence.to_string();
    assert!(said.contains("Kubernetes 1.37 until 2027-10-28, containerd 2.4 until"), "{said}");
    assert!(said.contains("runc 1.5 until 2027-10-31 (by the schedule"), "{said}");
    assert!(said.contains("etcd 3.7 as was known on 2026-11-30 (by etcd's"), "{said}");
    assert!(said.ends_with("; no window known: CNI plugins, coredns"), "{said}");
    let Ok(Decided::Pass(evidence)) = at("2027-04-10T08:00:00Z", &[]) else { panic!() };
    let (said, soon) =
        (evidence.to_string(), "; ends within 60 days: containerd 2.4 (2027-05-16), ");
    assert!(said.contains(soon) && said.contains("known here of etcd 3.7 (2027-05-29)"), "{said}");
    let said = in_words(at(now, &[("etcd", "3.8.0")]));
    assert_eq!(said, "gap: not shown: whether etcd 3.8.0 is mended: a row is missing here");
}

#[test]
fn what_was_not_found_is_unknown() {
    let without = |machine, name: &str| said(machine, |found| found.retain(|it| it.name != name));
    assert_eq!(without("w1", "kubelet"), "gap: not shown: w1: no kubelet runs");
    assert_eq!(without("cp2", "etcd"), "gap: not shown: cp2: no etcd runs");
    assert_eq!(without("w1", "runc"), "gap: not shown: w1: no /usr/local/bin/runc");
}
