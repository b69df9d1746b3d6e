//! Pods leave the cluster by their machine's address, where the specification says so and only as long as it does.

use crate::cluster::Cluster;
use crate::network::{self, NAMESPACE};
use crate::receiver::{HUB, WEBHOOK};
use crate::{cases, traffic};

/// A policy that lets pods reach somebody outside of the cluster, who knows no way back to them.
fn policy() -> String {
    format!(
        "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{ name: outward, namespace: {NAMESPACE} }}
spec:
  podSelector: {{ matchLabels: {{ app: server }} }}
  policyTypes: [Egress]
  egress:
    - to: [{{ ipBlock: {{ cidr: {HUB}/32 }} }}]
      ports: [{{ port: {WEBHOOK} }}]
"
    )
}

/// Whether a pod of a worker reaches him.
fn leaves(cluster: &Cluster, pod: &str) -> bool {
    let knock = format!(
        "{network}
         nsenter --net=$(network {pod}) timeout 2 bash -c '</dev/tcp/{HUB}/{WEBHOOK}' 2>/dev/null && echo open || true",
        network = traffic::NETWORK
    );
    cluster.on("w1", &knock).trim() == "open"
}

fn tables(cluster: &Cluster) -> String {
    cluster.on("w1", "nft list tables")
}

const TABLE: &str = "ringfort_masquerade";

/// Nothing but the option opens a way out, a policy still closes it, and it ends with the option.
pub fn masquerade(cluster: &Cluster) {
    network::fenced(cluster);
    let pod = network::start(cluster, "server", "w1");
    network::apply(cluster, &policy());
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(!leaves(cluster, &pod), "nobody outside knows the way to a pod");
    let spec = cluster
        .spec_with(|text| text.replace("waivers:\n", "network: { masquerade: true }\nwaivers:\n"));
    cases::well(&cluster.ringfort_with(&spec, cluster.bundle(), &["up"]));
    network::within(20, "the pod reaches somebody outside", || leaves(cluster, &pod));
    cluster.on("w1", &format!("nft delete table ip {TABLE}"));
    network::within(30, "the table is put back", || tables(cluster).contains(TABLE));
    assert!(leaves(cluster, &pod), "what is put back works");
    network::well(cluster, &["-n", NAMESPACE, "delete", "networkpolicy", "outward"]);
    network::within(10, "a closed pod reaches nobody", || !leaves(cluster, &pod));
    cases::well(&cluster.ringfort("up", &[]));
    network::within(20, "the table goes with the option", || !tables(cluster).contains(TABLE));
    network::well(cluster, &["delete", "namespace", NAMESPACE]);
}
