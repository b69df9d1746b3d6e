//! Each fault of a machine has its finding.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ringfort_model::blueprint::Role;
use ringfort_model::bundle::HostTool;
use ringfort_model::name::NodeName;
use ringfort_model::survey::{LinkSeen, Survey};
use ringfort_spec::Routes;

use super::tools::TOOLS;
use super::{
    BRIDGE_FILTER, Candidate, FEATURES, Finding, KernelTerms, Terms, USER_NAMESPACES, VXLAN,
    Weight, judge,
};

fn link(name: &str, number: u8, address: IpAddr, mtu_bytes: u32) -> LinkSeen {
    LinkSeen {
        name: name.to_owned(),
        mac: Some(format!("02:00:00:00:00:{number:02x}")),
        addresses: vec![(address, 24)],
        mtu_bytes: Some(mtu_bytes),
    }
}

fn links(candidate: &mut Candidate) -> &mut Vec<LinkSeen> {
    candidate.survey.links.as_mut().unwrap()
}

fn good(number: u8) -> Candidate {
    let address = IpAddr::from([10, 0, 0, number]);
    let survey = Survey {
        hostname: Some(format!("m{number}")),
        machine_id: Some(format!("{number:032x}")),
        links: Some(vec![link("eth0", number, address, 1500)]),
        clock_ms: Some(1_000_000),
        cpus: Some(2),
        memory_bytes: Some(4 << 30),
        image_free_bytes: Some(50 << 30),
        own_free_bytes: Some(50 << 30),
        sync_latency_us: Some(900),
        kernel: Some("6.12.95+deb13-cloud-amd64".to_owned()),
        cgroup_version: Some(2),
        systemd: true,
        apparmor: true,
        swap: Some(false),
        tools: TOOLS
            .iter()
            .map(|(tool, _)| *tool)
            .chain(["apparmor_parser"])
            .map(|tool| (tool.to_owned(), "1".to_owned()))
            .collect(),
        features: FEATURES
            .iter()
            .chain([&USER_NAMESPACES, &BRIDGE_FILTER, &VXLAN])
            .map(|(name, _)| ((*name).to_owned(), true))
            .collect(),
        users: Some(BTreeMap::new()),
        groups: Some(BTreeMap::new()),
        ..Survey::default()
    };
    let kernel = KernelTerms { cgroup_v1: false, apparmor: true, user_namespaces: true };
    Candidate { role: Role::ControlPlane, address, survey, asked_ms: 1_000_300, kernel }
}

fn terms() -> Terms {
    let nft = HostTool {
        name: "nft".to_owned(),
        at_least: Some("1".to_owned()),
        why: "packets".to_owned(),
    };
    Terms {
        cluster: "harbour".into(),
        own_network: true,
        encrypts: true,
        routes: Routes::Auto,
        tools: vec![nft],
    }
}

fn judged(terms: &Terms, change: impl Fn(&mut Candidate)) -> Vec<Finding> {
    let mut candidates: BTreeMap<_, _> =
        (1..=3).map(|n| (NodeName::new(format!("cp{n}")).unwrap(), good(n))).collect();
    change(candidates.get_mut(&NodeName::new("cp2").unwrap()).unwrap());
    judge(terms, &candidates)
}

fn check_with(terms: &Terms, change: impl Fn(&mut Candidate), expected: &str) {
    let found = judged(terms, change);
    let texts: Vec<_> = found.into_iter().map(|it| it.text).collect();
    if expected.is_empty() {
        assert!(texts.is_empty(), "{texts:?}");
    } else {
        assert!(texts.len() == 1 && texts[0].contains(expected), "{expected}: {texts:?}");
    }
}

fn check(change: impl Fn(&mut Candidate), expected: &str) {
    check_with(&terms(), change, expected);
}

#[test]
fn good_machines_pass() {
    check(|_| {}, "");
    check(|c| c.survey.cluster = Some("harbour".into()), "");
}

#[test]
fn what_a_machine_of_the_cluster_lacks_bars_no_repair_of_others() {
    let weight = |change: fn(&mut Survey)| {
        let found = judged(&terms(), |c| {
            c.survey.cluster = Some("harbour".into());
            change(&mut c.survey);
        });
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].weight
    };
    assert_eq!(weight(|survey| survey.image_free_bytes = Some(2 << 30)), Weight::Advice);
    assert_eq!(weight(|survey| survey.memory_bytes = Some(1 << 30)), Weight::Advice);
    assert_eq!(weight(|survey| survey.sync_latency_us = Some(260_000)), Weight::Advice);
    assert_eq!(weight(|survey| survey.own_free_bytes = Some(1 << 29)), Weight::Machine);
    assert_eq!(weight(|survey| survey.image_free_bytes = Some(1 << 29)), Weight::Machine);
    assert_eq!(weight(|survey| survey.image_free_bytes = None), Weight::Machine);
    assert_eq!(weight(|survey| survey.clock_ms = Some(0)), Weight::Machine);
    assert_eq!(weight(|survey| survey.swap = Some(true)), Weight::Machine);
    let is_new: fn(&mut Survey) = |survey| {
        (survey.cluster, survey.clock_ms) = (None, Some(0));
    };
    assert_eq!(weight(is_new), Weight::Run);
}

#[test]
fn what_only_machines_of_the_cluster_share_bars_no_repair() {
    let machines = |clusters: [Option<&str>; 3]| {
        let mut all: BTreeMap<_, _> =
            (1..=3).map(|n| (NodeName::new(format!("cp{n}")).unwrap(), good(n))).collect();
        for (candidate, cluster) in all.values_mut().zip(clusters) {
            candidate.survey.cluster = cluster.map(str::to_owned);
        }
        let second = all.get_mut(&NodeName::new("cp2").unwrap()).unwrap();
        links(second)[0].mtu_bytes = Some(1450);
        judge(&terms(), &all)
    };
    let ours = Some("harbour");
    let found = machines([ours; 3]);
    assert_eq!((found.len(), found[0].weight), (1, Weight::Advice), "{found:?}");
    let found = machines([ours, ours, None]);
    assert_eq!((found.len(), found[0].weight), (1, Weight::Run), "{found:?}");
    assert!(found[0].text.contains("(1450: cp2; 1500: cp1, cp3)"), "{found:?}");
}

#[test]
fn links_of_one_machine_may_share_a_hardware_address() {
    let bond = |c: &mut Candidate| {
        let first = links(c)[0].clone();
        links(c).push(LinkSeen { name: "eth0.100".to_owned(), addresses: Vec::new(), ..first });
    };
    check(bond, "");
    // A card that is the same in every machine carries no machine's address.
    let service = |c: &mut Candidate| {
        links(c).push(LinkSeen {
            addresses: Vec::new(),
            ..link("usb0", 1, [10, 0, 0, 1].into(), 1500)
        });
    };
    check(service, "");
}

#[test]
fn only_the_link_of_the_machines_address_counts() {
    let other = |mtu_bytes| {
        move |c: &mut Candidate| {
            links(c).insert(0, link("eth1", 77, [192, 0, 2, 2].into(), mtu_bytes));
        }
    };
    check(other(9000), "");
    let private = |c: &mut Candidate| {
        other(1500)(c);
        links(c)[1].mtu_bytes = Some(1450);
    };
    check(private, "different MTUs (1450: cp2; 1500: cp1, cp3)");
    let foreign = Terms { own_network: false, ..terms() };
    check_with(&foreign, private, "");
}

#[test]
fn a_machine_of_ipv6_keeps_its_way_out_and_is_known_by_one_address() {
    let v6 = |c: &mut Candidate| {
        let address = "fd00::2".parse().unwrap();
        c.address = address;
        links(c)[0].addresses = vec![(address, 64)];
        c.survey.advertised = Some(Vec::new());
        c.survey.lent = Some(vec!["fd00::98".parse().unwrap()]);
    };
    let with = |change: fn(&mut Candidate)| {
        move |c: &mut Candidate| {
            v6(c);
            change(c);
        }
    };
    check(v6, "");
    check(with(|c| c.survey.advertised = None), "could not be read");
    let heard = |c: &mut Candidate| c.survey.advertised = Some(vec!["eth0".to_owned()]);
    check(with(heard), "net.ipv6.conf.eth0.accept_ra = 2");
    check(with(|c| c.survey.lent = None), "could not be read");
    check(with(|c| c.survey.lent = Some(vec![c.address])), "loses it when it hears no more");
    let second = |c: &mut Candidate| links(c)[0].addresses.push(("fd00::99".parse().unwrap(), 64));
    check(with(second), "fd00::99 beside fd00::2");
    let leased = |c: &mut Candidate| {
        links(c)[0].addresses =
            vec![("fd00::2".parse().unwrap(), 128), ("fd00::99".parse().unwrap(), 64)];
    };
    check(with(leased), "fd00::99 beside fd00::2");
    // In another network of the link another address is chosen by nobody.
    let apart = |c: &mut Candidate| links(c)[0].addresses.push(("fd01::2".parse().unwrap(), 64));
    check(with(apart), "");
    let small = judged(&terms(), with(|c| links(c)[0].mtu_bytes = Some(1300)));
    assert!(small.iter().any(|it| it.text.contains("set 1360 or more")), "{small:?}");
    // Of IPv4 nothing of this is asked.
    check(|c| c.survey.advertised = Some(vec!["eth0".to_owned()]), "");
}

#[test]
fn what_only_some_clusters_use_is_asked_of_them_alone() {
    let lacks = |feature: &'static str| {
        move |c: &mut Candidate| _ = c.survey.features.insert(feature.to_owned(), false)
    };
    check(lacks("bridge-filter"), "br_netfilter");
    check_with(&Terms { own_network: false, ..terms() }, lacks("bridge-filter"), "");
    check(lacks("vxlan"), "");
    check_with(&Terms { routes: Routes::Vxlan, ..terms() }, lacks("vxlan"), "lacks vxlan");
    let untried = |c: &mut Candidate| _ = c.survey.features.remove("vxlan");
    check_with(&Terms { routes: Routes::Vxlan, ..terms() }, untried, "could not be tried");
    let without = |c: &mut Candidate| {
        lacks("user-namespaces")(c);
        c.kernel.user_namespaces = false;
    };
    check(lacks("user-namespaces"), "lacks user-namespaces");
    check(without, "");
}

#[test]
fn names_and_numbers_of_the_users_to_come_are_free() {
    let user = |name: &'static str, numbers| {
        move |c: &mut Candidate| {
            c.survey.users.as_mut().unwrap().insert(name.to_owned(), numbers);
        }
    };
    check(user("etcd", (2379, 2379)), "");
    check(user("backup", (2379, 34)), "user id 2379 belongs to \"backup\"");
    check(user("etcd", (112, 112)), "the user etcd is there and is not 2379:2379");
    check(user("ringfort", (10257, 100)), "the user ringfort is there and is not 10257:10257");
    let group = |name: &'static str, number| {
        move |c: &mut Candidate| {
            c.survey.groups.as_mut().unwrap().insert(name.to_owned(), number);
        }
    };
    check(group("ringfort", 10257), "");
    check(group("etcd", 118), "the group etcd is there and is not 2379");
    check(group("folk", 10257), "group id 10257 belongs to \"folk\"");
    // Workers are given neither of them.
    let worker = |c: &mut Candidate| {
        group("etcd", 118)(c);
        c.role = Role::Worker;
    };
    check(worker, "");
}

#[test]
fn one_machine_may_be_held_to_less() {
    let less = |c: &mut Candidate| {
        (c.survey.cgroup_version, c.survey.apparmor) = (Some(1), false);
        c.survey.kernel = Some("6.1.0-50-amd64".to_owned());
        c.survey.tools.remove("apparmor_parser");
        c.kernel = KernelTerms { cgroup_v1: true, apparmor: false, user_namespaces: false };
    };
    check(less, "");
}

#[test]
fn each_fault_has_its_finding() {
    check(|c| c.survey.uid = 1000, "as root");
    check(|c| c.survey.systemd = false, "not systemd");
    check(|c| links(c)[0].addresses.clear(), "carries 10.0.0.2");
    check(|c| c.survey.hostname = Some("m1".into()), "same host name");
    check(|c| c.survey.machine_id = Some(format!("{:032x}", 1)), "same machine-id");
    check(
        |c| links(c)[0].mac = Some("02:00:00:00:00:01".into()),
        "cp1, cp2 have the same hardware address",
    );
    check(|c| c.survey.cpus = Some(1), "processors: 1");
    check(|c| c.survey.memory_bytes = Some(1 << 30), "memory: 1024 MiB");
    check(|c| c.survey.image_free_bytes = Some(1 << 30), "free disk for images");
    check(|c| c.survey.own_free_bytes = Some(1 << 20), "free disk for ringfort's own files");
    check(|c| c.survey.sync_latency_us = Some(260_000), "260 ms or more: etcd cannot");
    check(|c| c.survey.sync_latency_us = Some(20_000), "20 ms or more: etcd asks");
    check(|c| c.survey.clock_ms = Some(0), "clock");
    check(|c| c.survey.cgroup_version = Some(1), "version 1");
    check(|c| c.survey.apparmor = false, "AppArmor");
    check(|c| _ = c.survey.tools.remove("apparmor_parser"), "without a profile");
    check(|c| c.survey.kernel = Some("6.2.16-1-pve".into()), "only from 6.3 on");
    check(|c| c.survey.kernel = Some("5.14.0-611.el9".into()), "the kernel is 5.14.0-611.el9");
    check(|c| c.survey.kernel = None, "version of the kernel");
    check(|c| c.survey.kernel = Some("odd".into()), "version of the kernel");
    check(|c| c.survey.swap = Some(true), "swap");
    check(|c| _ = c.survey.tools.remove("nft"), "nftables");
    check(|c| _ = c.survey.tools.insert("nft".into(), "0.9".into()), "nft is too old (0.9)");
    check(|c| _ = c.survey.features.insert("overlay".into(), false), "lacks overlay");
    check(|c| _ = c.survey.features.insert("protocol-names".into(), false), "netbase");
    check(|c| _ = c.survey.busy_ports.insert(6443, "nginx".into()), "taken by nginx");
    check(|c| c.survey.leftovers = vec!["/etc/kubernetes/manifests".into()], "another cluster or");
    check(|c| c.survey.cluster = Some("other".into()), "belongs to the cluster \"other\"");
    check(|c| links(c)[0].mtu_bytes = Some(1400), "different MTUs");
}

#[test]
fn what_could_not_be_read_is_no_pass() {
    check(|c| c.survey.cpus = None, "processors could not be read");
    check(|c| c.survey.memory_bytes = None, "memory could not be read");
    check(|c| c.survey.image_free_bytes = None, "could not be read");
    check(|c| c.survey.own_free_bytes = None, "could not be read");
    check(|c| c.survey.links = None, "links could not be read");
    check(|c| links(c).clear(), "links could not be read");
    check(|c| links(c)[0].mtu_bytes = None, "MTU of eth0, which carries 10.0.0.2, could not be");
    check(|c| links(c)[0].mac = None, "eth0 has no hardware address of its own");
    check(|c| c.survey.users = None, "list of users could not be read");
    check(|c| c.survey.groups = None, "list of groups could not be read");
    check(|c| c.survey.clock_ms = None, "clock could not be read");
    check(|c| c.survey.cgroup_version = None, "could not be read");
    check(|c| c.survey.sync_latency_us = None, "could not be measured");
    check(|c| c.survey.swap = None, "could not be read");
    check(|c| _ = c.survey.features.remove("seccomp"), "could not be tried");
}
