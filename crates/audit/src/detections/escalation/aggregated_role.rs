//! A role becomes a part of those that everybody is given.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/aggregated-role",
    title: "A role becomes a part of those that everybody is given",
    severity: Severity::Medium,
    because: "whoever has admin, edit or view has it too",
    attack: &["T1098.006"],
    needs: &[others(
        WRITES,
        Of::Resources(&[("rbac.authorization.k8s.io", "clusterroles")]),
        Level::RequestResponse,
    )],
    doc: include_str!("aggregated_role.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let labels = scene.object()?.along(&["metadata", "labels"]).fields();
    let into = labels.iter().find(|(key, value)| {
        key.starts_with("rbac.authorization.k8s.io/aggregate-to-") && value.text() == "true"
    })?;
    Some(into.0.rsplit_once('/')?.1.to_owned())
}
