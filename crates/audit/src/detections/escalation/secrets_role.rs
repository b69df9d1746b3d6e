//! A role lets its holder read Secrets or take tokens.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/secrets-role",
    title: "A role lets its holder read Secrets or take tokens",
    severity: Severity::Medium,
    because: "tokens in Secrets are identities",
    attack: &["T1098.006"],
    needs: &[others(
        WRITES,
        Of::Resources(&[
            ("rbac.authorization.k8s.io", "roles"),
            ("rbac.authorization.k8s.io", "clusterroles"),
        ]),
        Level::RequestResponse,
    )],
    doc: include_str!("secrets_role.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    (gives(scene.object()?, &["get", "list", "watch", "*"], &["secrets"])
        || gives(scene.object()?, &["create", "*"], &["serviceaccounts/token"]))
    .then(|| "reading Secrets or taking tokens is given".to_owned())
}
