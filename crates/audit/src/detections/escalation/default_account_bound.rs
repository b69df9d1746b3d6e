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
    // An account is a user as well, by its long name.
    let is_default =
        |subject: &Node<'_>| match (subject.at("kind").text(), subject.at("name").text()) {
            ("ServiceAccount", name) => name == "default",
            ("User", name) => account(name).is_some_and(|(_, name)| name == "default"),
            _ => false,
        };
    subjects.iter().any(is_default).then(|| "bound to an account named default".to_owned())
}
