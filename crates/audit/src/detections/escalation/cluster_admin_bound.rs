//! Somebody was given all rights.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/cluster-admin-bound",
    title: "Somebody was given all rights",
    severity: Severity::Critical,
    because: "whoever it is may do anything",
    attack: &["T1098.006"],
    needs: &[others(
        WRITES,
        Of::Resources(&[
            ("rbac.authorization.k8s.io", "rolebindings"),
            ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ]),
        Level::RequestResponse,
    )],
    doc: include_str!("cluster_admin_bound.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let role = scene.object()?.at("roleRef").at("name").text();
    (role == "cluster-admin").then(|| "bound to cluster-admin".to_owned())
}
