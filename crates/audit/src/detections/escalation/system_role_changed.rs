//! A role of the system was changed.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/system-role-changed",
    title: "A role of the system was changed",
    severity: Severity::Critical,
    because: "components and administrators have what it says",
    attack: &["T1098.006"],
    needs: &[others(
        &["update", "patch", "delete", "deletecollection"],
        Of::Resources(&[
            ("rbac.authorization.k8s.io", "roles"),
            ("rbac.authorization.k8s.io", "clusterroles"),
        ]),
        Level::Metadata,
    )],
    doc: include_str!("system_role_changed.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let name = scene.event.name();
    let is_own =
        name.starts_with("system:") || ["cluster-admin", "admin", "edit", "view"].contains(&name);
    is_own.then(|| "a role of the system was changed".to_owned())
}
