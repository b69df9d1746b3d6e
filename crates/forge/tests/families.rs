//! The blueprint of a cluster that speaks IPv6. What IPv4 is like the goldens have; here is the law that holds for every
//! text of the other family, and what has to be said in it that nobody says in IPv4.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::net::{IpAddr, SocketAddr};

use common::lock;
use ringfort_controls::audit::site::NONE;
use ringfort_forge::render::{Materials, render_all, sample_trust, tree};
use ringfort_model::digest::Digest;
use ringfort_model::net::Cidr;
use ringfort_model::version::Minor;

const SPEC: &str = "
controlPlanes: [\"fd00:10:77::11\", \"fd00:10:77::12\", \"fd00:10:77::13\"]
workers: [\"fd00:10:77::21\", \"fd00:10:77::22\", \"fd00:10:77::23\"]
endpoint: \"[fd00:10:77::10]:6443\"
dns: { upstream: [\"fd00:10:77::53\"] }
network: { masquerade: true }
audit:
  tell:
    syslog: { address: \"[fd00:10:77::51]:514\", transport: udp }
";

/// Every text of the blueprint, by its path.
fn texts(minor: Minor) -> Vec<(String, String)> {
    let text = format!(
        "apiVersion: ringfort.dev/v1\nkind: Cluster\nname: harbour\nkubernetes: \"{minor}\"\n{SPEC}"
    );
    let today = "2026-11-23".parse().unwrap();
    let spec = ringfort_spec::read(&text, "cluster.yaml", &ringfort_controls::known(), today)
        .unwrap_or_else(|report| panic!("{report}"));
    let lock = lock(minor);
    let materials =
        Materials { bundle: &lock, ringfort: Digest::of(b"ringfort"), addons: &[], site: &NONE };
    let rendered = render_all(&spec, &sample_trust(&spec).unwrap(), &materials).unwrap();
    tree(&rendered).into_iter().map(|file| (file.path, file.text)).collect()
}

/// The text of a file of the first control plane.
fn text(path: &str) -> String {
    let path = format!("nodes/cp-fd00-10-77--11{path}");
    let found = texts(Minor::V1_37).into_iter().find(|(at, _)| *at == path);
    found.unwrap_or_else(|| panic!("no {path}")).1
}

/// What a text holds that may be an address, a range, or an address and a port.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_apart = |c: char| !c.is_ascii_hexdigit() && !":.[]/".contains(c);
    text.split(is_apart).map(|word| {
        let word = word.trim_matches('/');
        word.strip_prefix("://").unwrap_or(word).trim_end_matches(['.', '/'])
    })
}

fn address(word: &str) -> Option<IpAddr> {
    let alone = word.parse::<IpAddr>().ok();
    let range = || word.parse::<Cidr>().ok().map(Cidr::base);
    let port = || word.parse::<SocketAddr>().ok().map(|at| at.ip());
    alone.or_else(range).or_else(port)
}

#[test]
fn nothing_of_ipv4_is_left_but_loopback() {
    for minor in Minor::ALL {
        for (path, text) in texts(minor) {
            let strays: Vec<&str> = words(&text)
                .filter(|word| address(word).is_some_and(|it| it.is_ipv4() && !it.is_loopback()))
                .collect();
            assert!(strays.is_empty(), "{minor} {path}: {strays:?}");
        }
    }
}

/// Whoever puts a port behind an address without brackets writes another address, or none.
#[test]
fn every_address_is_one_also_where_a_port_follows() {
    let ports = [2379, 2380, 6443, 6445, 514];
    for (path, text) in texts(Minor::V1_37) {
        for word in words(&text).filter(|word| word.contains("fd00:")) {
            let found = address(word).unwrap_or_else(|| panic!("{path}: {word}"));
            let IpAddr::V6(found) = found else { panic!("{path}: {word}") };
            let last = format!("{:x}", found.segments()[7]);
            assert!(!ports.iter().any(|port| port.to_string() == last), "{path}: {word}");
        }
    }
}

#[test]
fn components_are_told_in_ipv6() {
    let has = |path: &str, parts: &[&str]| {
        let text = text(path);
        for part in parts {
            assert!(text.contains(part), "{path}: {part}: {text}");
        }
    };
    let manifests = "/etc/kubernetes/manifests";
    has(
        &format!("{manifests}/kube-apiserver.yaml"),
        &[
            "--advertise-address=fd00:10:77::11",
            "--bind-address=::",
            "--service-cluster-ip-range=fd00:10:96::/112",
            "https://[fd00:10:77::12]:2379",
            "host: fd00:10:77::11",
        ],
    );
    has(
        &format!("{manifests}/etcd.yaml"),
        &[
            "--listen-client-urls=https://127.0.0.1:2379,https://[fd00:10:77::11]:2379",
            "cp-fd00-10-77--12=https://[fd00:10:77::12]:2380",
        ],
    );
    has("/etc/kubernetes/balancer.conf", &["[fd00:10:77::12]:6443\n"]);
    has("/etc/sysctl.d/90-ringfort-network.conf", &["net.ipv6.conf.all.forwarding = 1\n"]);
    has("/etc/cni/net.d/10-ringfort.conflist", &["\"::/0\"", "\"fd00:10:244::/64\""]);
    has("/etc/systemd/system/kubelet.service", &["--node-ip=fd00:10:77::11 "]);
}

/// A unit that may open no socket of the family speaks with nobody.
#[test]
fn units_that_speak_with_others_may_do_so_in_ipv6() {
    let mut limited = 0;
    for (path, text) in texts(Minor::V1_37) {
        let lines = text.lines().filter_map(|line| line.strip_prefix("RestrictAddressFamilies="));
        for families in lines.map(|line| line.split(' ').collect::<Vec<_>>()) {
            let is_network = families.iter().any(|it| it.starts_with("AF_INET"));
            assert!(!is_network || families.contains(&"AF_INET6"), "{path}: {families:?}");
            limited += usize::from(is_network);
        }
    }
    assert!(limited > 6, "{limited}");
}
