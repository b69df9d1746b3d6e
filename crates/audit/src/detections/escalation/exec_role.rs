//! A role lets its holder enter containers.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/exec-role",
    title: "A role lets its holder enter containers",
    severity: Severity::Medium,
    because: "who holds it has the tokens of the pods",
    attack: &["T1098.006"],
    needs: &[others(
        WRITES,
        Of::Resources(&[
            ("rbac.authorization.k8s.io", "roles"),
            ("rbac.authorization.k8s.io", "clusterroles"),
        ]),
        Level::RequestResponse,
    )],
    doc: include_str!("exec_role.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    gives(
        scene.object()?,
        &["create", "get", "*"],
        &["pods/exec", "pods/attach", "*/exec", "*/attach", "pods/*", "pods/ephemeralcontainers"],
    )
    .then(|| "entering containers is given".to_owned())
}
