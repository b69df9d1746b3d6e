//! The names of the cluster were changed.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/dns-changed",
    title: "The names of the cluster were changed",
    severity: Severity::High,
    because: "who answers names sends everybody where they like",
    attack: &["T1557"],
    needs: &[others(
        &["update", "patch", "delete", "deletecollection"],
        Of::Resources(&[("", "configmaps")]),
        Level::Metadata,
    )],
    doc: include_str!("dns_changed.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let event = scene.event;
    // Who deletes all of a namespace names none.
    let is_dns = event.namespace() == "kube-system"
        && ["", "coredns", "kube-dns", "coredns-custom", "node-local-dns"].contains(&event.name());
    is_dns.then(|| "the settings of DNS were changed".to_owned())
}
