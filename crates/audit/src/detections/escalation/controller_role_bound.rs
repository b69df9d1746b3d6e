//! Somebody was given the role of a controller.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/controller-role-bound",
    title: "Somebody was given the role of a controller",
    severity: Severity::High,
    because: "some of them may give themselves anything",
    attack: &["T1098.006"],
    needs: &[others(
        WRITES,
        Of::Resources(&[
            ("rbac.authorization.k8s.io", "rolebindings"),
            ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ]),
        Level::RequestResponse,
    )],
    doc: include_str!("controller_role_bound.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let role = scene.object()?.at("roleRef").at("name").text();
    role.starts_with("system:controller:").then(|| format!("bound to {role}"))
}
