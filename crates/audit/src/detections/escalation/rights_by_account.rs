//! A program gave rights.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/rights-by-account",
    title: "A program gave rights",
    severity: Severity::Medium,
    because: "programs that give rights are worth more than the rights",
    attack: &["T1098.006"],
    needs: &[others(
        CHANGES,
        Of::Resources(&[
            ("rbac.authorization.k8s.io", "roles"),
            ("rbac.authorization.k8s.io", "clusterroles"),
            ("rbac.authorization.k8s.io", "rolebindings"),
            ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ]),
        Level::Metadata,
    )],
    doc: include_str!("rights_by_account.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    account(&scene.event.actor().username)
        .map(|(space, name)| format!("written by the account {name} of {space}"))
}
