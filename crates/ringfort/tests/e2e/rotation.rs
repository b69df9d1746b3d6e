//! A new encryption key comes into a cluster that works, and the old one leaves it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cases::{nothing_planned, well};
use crate::cluster::Cluster;

const CONTROL_PLANES: [&str; 3] = ["cp1", "cp2", "cp3"];

/// Prints of each Secret in etcd how its value begins, each on a line.
const VALUES: &str = "get /registry/secrets --prefix --write-out=fields | \
    grep '^\"Value\" : ' | cut -c 1-99";
/// What stands before the name of the key that seals a value.
const SEALED: &str = "\"Value\" : \"k8s:enc:secretbox:v1:";

pub fn rotated(cluster: &Cluster) {
    let made = cluster.kubectl(&["create", "secret", "generic", "old", "--from-literal=a=b"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let old = seals(cluster);
    let configuration = || CONTROL_PLANES.map(|node| names(cluster, node));
    assert_eq!(configuration(), [(); 3].map(|()| old.clone()));
    cluster.keys(&cluster.spec(), "rotate");
    well(&cluster.ringfort("up", &[]));
    let new = seals(cluster);
    assert_eq!(new.len(), 1, "Secrets are sealed with {new:?}");
    assert!(new.is_disjoint(&old), "the key is still {old:?}");
    assert_eq!(configuration(), [(); 3].map(|()| new.clone()), "servers hold other keys");
    let kept = cluster.kubectl(&["get", "secret", "old", "-o", "jsonpath={.data.a}"]);
    assert_eq!(kept.stdout.trim(), "Yg==", "{}", kept.stderr);
    nothing_planned(cluster);
}

/// A Secret lies in plain, as a server wrote it that somebody had told to: no other server can read it.
pub fn sealed_in_place(cluster: &Cluster) {
    let made = cluster.kubectl(&["create", "secret", "generic", "plain", "--from-literal=a=b"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let stored = cluster.kubectl(&["get", "secret", "plain", "-o", "json"]);
    let stored: Value = serde_json::from_str(&stored.stdout).unwrap();
    let key = "/registry/secrets/default/plain";
    cluster.etcd(&format!("put {key} '{stored}'"));
    let unread = cluster.kubectl(&["get", "secrets", "-n", "default", "--request-timeout=30s"]);
    let unreadable = "no matching prefix found";
    assert!(unread.stderr.contains(unreadable), "{}{}", unread.stdout, unread.stderr);
    let up = cluster.ringfort("up", &["--seal-plain"]);
    well(&up);
    assert_eq!(up.steps(), [format!("cp1 etcd:{key}")]);
    seals(cluster);
    let kept = cluster.kubectl(&["get", "secret", "plain", "-o", "jsonpath={.data.a}"]);
    assert_eq!(kept.stdout.trim(), "Yg==", "{}", kept.stderr);
    let again = cluster.ringfort("up", &["--seal-plain"]);
    well(&again);
    assert_eq!(again.steps(), Vec::<String>::new());
    let gone = cluster.kubectl(&["delete", "secret", "plain"]);
    assert_eq!(gone.code, Some(0), "{}", gone.stderr);
}

/// Gives the names of the keys that seal Secrets; every one has to be sealed.
fn seals(cluster: &Cluster) -> BTreeSet<String> {
    let printed = cluster.etcd(VALUES);
    let name = |line: &str| {
        let sealed = line.strip_prefix(SEALED).unwrap_or_else(|| panic!("not sealed: {line}"));
        sealed.split(':').next().unwrap_or_default().to_owned()
    };
    printed.lines().map(name).collect()
}

/// Gives the names of the keys that a control plane's server is given.
fn names(cluster: &Cluster, node: &str) -> BTreeSet<String> {
    let printed =
        cluster.on(node, "sed -n 's/^ *- name: //p' /etc/kubernetes/encryption/config.yaml");
    printed.lines().map(str::to_owned).collect()
}
