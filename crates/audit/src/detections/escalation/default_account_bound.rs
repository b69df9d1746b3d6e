//! The account of all pods of a namespace was given rights.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/default-account-bound",
    title: "The account of all pods of a namespace was given rights",
    severity: Severity::Medium,
    because: "every pod that says nothing has them",
    attack: &["T1098.006"],
    needs: &[others(
        WRITES,
        Of::Resources(&[
            ("rbac.authorization.k8s.io", "rolebindings"),
            ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ]),
        Level::RequestResponse,
    )],
    doc: include_str!("default_account_bound.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let subjects = scene.object()?.at("subjects").items();
    let is_default = |subject: &Node<'_>| {
        subject.at("kind").text() == "ServiceAccount" && subject.at("name").text() == "default"
    };
    subjects.iter().any(is_default).then(|| "bound to an account named default".to_owned())
}
