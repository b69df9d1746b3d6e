//! A NetworkPolicy was deleted.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/network-policy-deleted",
    title: "A NetworkPolicy was deleted",
    severity: Severity::Medium,
    because: "what it kept apart may talk",
    attack: &["T1562.007"],
    needs: &[others(
        &["delete", "deletecollection"],
        Of::Resources(&[
            ("networking.k8s.io", "networkpolicies"),
            ("policy.networking.k8s.io", "clusternetworkpolicies"),
            ("policy.networking.k8s.io", "adminnetworkpolicies"),
            ("policy.networking.k8s.io", "baselineadminnetworkpolicies"),
        ]),
        Level::Metadata,
    )],
    doc: include_str!("network_policy_deleted.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("a NetworkPolicy was deleted".to_owned())
}
