//! Everybody was given rights.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/everyone-bound",
    title: "Everybody was given rights",
    severity: Severity::Critical,
    because: "strangers are among everybody",
    attack: &["T1098.006"],
    needs: &[others(
        WRITES,
        Of::Resources(&[
            ("rbac.authorization.k8s.io", "rolebindings"),
            ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ]),
        Level::RequestResponse,
    )],
    doc: include_str!("everyone_bound.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let everybody = [
        "system:anonymous",
        "system:unauthenticated",
        "system:authenticated",
        "system:serviceaccounts",
    ];
    let subjects = scene.object()?.at("subjects").items();
    let found = subjects
        .iter()
        .map(|subject| subject.at("name").text())
        .find(|name| everybody.contains(name))?;
    Some(format!("bound to {found}"))
}
