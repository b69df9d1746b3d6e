//! Who of the cloud is who in the cluster was changed.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/cloud-users-changed",
    title: "Who of the cloud is who in the cluster was changed",
    severity: Severity::High,
    because: "it makes anybody of the cloud an administrator",
    attack: &["T1098"],
    needs: &[others(CHANGES, Of::Resources(&[("", "configmaps")]), Level::Metadata)],
    doc: include_str!("cloud_users_changed.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    (scene.event.namespace() == "kube-system" && scene.event.name() == "aws-auth")
        .then(|| "users of the cloud were mapped".to_owned())
}
