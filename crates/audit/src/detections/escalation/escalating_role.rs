//! A role lets its holder take more rights.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/escalating-role",
    title: "A role lets its holder take more rights",
    severity: Severity::High,
    because: "who holds it is an administrator",
    attack: &["T1098.006"],
    needs: &[others(
        WRITES,
        Of::Resources(&[
            ("rbac.authorization.k8s.io", "roles"),
            ("rbac.authorization.k8s.io", "clusterroles"),
        ]),
        Level::RequestResponse,
    )],
    doc: include_str!("escalating_role.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    gives(
        scene.object()?,
        &["escalate", "bind", "impersonate"],
        &[
            "*",
            "roles",
            "clusterroles",
            "rolebindings",
            "clusterrolebindings",
            "users",
            "groups",
            "serviceaccounts",
            "userextras",
        ],
    )
    .then(|| "escalate, bind or impersonate is given".to_owned())
}
