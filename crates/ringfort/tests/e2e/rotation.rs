//! A new encryption key comes into a cluster that works, and the old one leaves it.

use std::collections::BTreeSet;

use crate::cases::{nothing_planned, well};
use crate::cluster::Cluster;

const CONTROL_PLANES: [&str; 3] = ["cp1", "cp2", "cp3"];

/// Prints of each Secret in etcd the words before what is sealed: the last of them names the key.
const SEALS: &str = "get /registry/secrets --prefix --print-value-only | \
    grep -a -o '^k8s:enc:[a-z]*:v1:[^:]*:'";

pub fn rotated(cluster: &Cluster) {
    let made = cluster.kubectl(&["create", "secret", "generic", "old", "--from-literal=a=b"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let (old, count) = seals(cluster);
    let configuration = || CONTROL_PLANES.map(|node| names(cluster, node));
    assert_eq!(configuration(), [(); 3].map(|()| old.clone()));
    cluster.keys(&cluster.spec(), "rotate");
    well(&cluster.ringfort("up", &[]));
    let (new, still) = seals(cluster);
    assert_eq!(new.len(), 1, "Secrets are sealed with {new:?}");
    assert!(new.is_disjoint(&old), "the key is still {old:?}");
    assert_eq!(still, count, "Secrets came or went");
    assert_eq!(configuration(), [(); 3].map(|()| new.clone()), "servers hold other keys");
    let kept = cluster.kubectl(&["get", "secret", "old", "-o", "jsonpath={.data.a}"]);
    assert_eq!(kept.stdout.trim(), "Yg==", "{}", kept.stderr);
    nothing_planned(cluster);
}

/// Gives the names of the keys that seal Secrets, and how many Secrets there are.
fn seals(cluster: &Cluster) -> (BTreeSet<String>, usize) {
    let printed = cluster.etcd(SEALS);
    let names = printed.lines().filter_map(|line| line.split(':').nth(4));
    (names.map(str::to_owned).collect(), printed.lines().count())
}

/// Gives the names of the keys that a control plane's server is given.
fn names(cluster: &Cluster, node: &str) -> BTreeSet<String> {
    let printed =
        cluster.on(node, "sed -n 's/^ *- name: //p' /etc/kubernetes/encryption/config.yaml");
    printed.lines().map(str::to_owned).collect()
}
