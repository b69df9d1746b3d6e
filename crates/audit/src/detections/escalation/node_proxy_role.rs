//! A role lets its holder speak to kubelets.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/node-proxy-role",
    title: "A role lets its holder speak to kubelets",
    severity: Severity::High,
    because: "a kubelet runs commands in every pod",
    attack: &["T1098.006"],
    needs: &[others(
        WRITES,
        Of::Resources(&[
            ("rbac.authorization.k8s.io", "roles"),
            ("rbac.authorization.k8s.io", "clusterroles"),
        ]),
        Level::RequestResponse,
    )],
    doc: include_str!("node_proxy_role.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    gives(scene.object()?, &[], &["nodes/proxy", "nodes/*", "*/proxy"])
        .then(|| "nodes/proxy is given".to_owned())
}
