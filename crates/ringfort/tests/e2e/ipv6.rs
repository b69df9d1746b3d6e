//! A cluster on machines that have IPv6 addresses and none of IPv4: proved, run again, with another way between
//! machines, and gone, as any other.

use std::net::{IpAddr, Ipv6Addr};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::cluster::{Cluster, Ground};
use crate::network::{self, NAMESPACE};
use crate::{cases, traffic};

/// Three control planes, so that etcd's members speak with each other, and the two workers that traffic needs.
const GROUND: Ground = Ground {
    end: "-6",
    options: &["--control-planes", "3", "--workers", "2", "--ipv6"],
    machines: &["cp1", "cp2", "cp3", "w1", "w2"],
    spare: &[],
    hub: IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0x77, 0, 0, 0, 0, 1)),
};

/// Boots a lab of its own, on which all this holds. The host has room for one running cluster.
pub fn proved(usual: &Cluster) {
    usual.lab(&["stop", usual.name(), "--hard"]);
    let cluster = Cluster::boot(&GROUND);
    let outcome = catch_unwind(AssertUnwindSafe(|| all_of(&cluster)));
    if outcome.is_err() {
        cluster.show_trouble();
    }
    cluster.end();
    if let Err(surprise) = outcome {
        resume_unwind(surprise);
    }
}

fn all_of(cluster: &Cluster) {
    cases::up(cluster);
    cases::up_again(cluster);
    of_ipv6_alone(cluster);
    traffic::matrix(cluster);
    network::policies(cluster);
    network::well(cluster, &["delete", "namespace", NAMESPACE]);
    through_vxlan(cluster);
    let reset = cluster.ringfort("reset", &["--yes", cluster.name()]);
    cases::well(&reset);
    cases::nothing_left(cluster);
}

/// What a specification says whose pods' packets go through VXLAN, and leave the cluster by their machines' addresses.
const THROUGH_VXLAN: &str = "\
network: { routes: vxlan, encryption: none, masquerade: true }
waivers:
  - { control: network/pod-encryption, reason: a test, owner: e2e, expires: 2099-01-01 }
";

const WAYS: &str = "nft list tables; ip -d link show ringfort0; true";

/// Packets take the tunnel that encrypts nothing, policies hold there as well, and the cluster comes back from it.
fn through_vxlan(cluster: &Cluster) {
    let spec = cluster.spec_with(|text| text.replace("waivers:\n", THROUGH_VXLAN));
    cases::well(&cluster.ringfort_with(&spec, cluster.bundle(), &["up"]));
    let ways = || cluster.on("w1", WAYS);
    network::within(20, "pods go through VXLAN and leave by their machine's address", || {
        ways().contains(" vxlan ") && ways().contains("table ip6 ringfort_masquerade")
    });
    traffic::matrix(cluster);
    cases::well(&cluster.ringfort("up", &[]));
    network::within(20, "they go as before", || {
        !ways().contains(" vxlan ") && !ways().contains("ringfort_masquerade")
    });
}

/// Nodes, pods and Services have addresses of IPv6, and none of IPv4.
fn of_ipv6_alone(cluster: &Cluster) {
    for (kind, path) in [
        ("nodes", "{.items[*].status.addresses[?(@.type=='InternalIP')].address}"),
        ("pods", "{.items[*].status.podIPs[*].ip}"),
        ("services", "{.items[*].spec.clusterIPs[*]}"),
    ] {
        let output = format!("jsonpath={path}");
        let told = cluster.kubectl(&["get", kind, "--all-namespaces", "-o", &output]);
        assert_eq!(told.code, Some(0), "{kind}: {}", told.stderr);
        let addresses: Vec<IpAddr> =
            told.stdout.split_whitespace().map(|it| it.parse().unwrap()).collect();
        assert!(addresses.len() > 1, "{kind}: {addresses:?}");
        assert!(addresses.iter().all(IpAddr::is_ipv6), "{kind}: {addresses:?}");
    }
}
