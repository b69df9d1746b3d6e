//! A role gives everything of something.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/wildcard-role",
    title: "A role gives everything of something",
    severity: Severity::Medium,
    because: "it gives also what there will be",
    attack: &["T1098.006"],
    needs: &[others(
        WRITES,
        Of::Resources(&[
            ("rbac.authorization.k8s.io", "roles"),
            ("rbac.authorization.k8s.io", "clusterroles"),
        ]),
        Level::RequestResponse,
    )],
    doc: include_str!("wildcard_role.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let rules = scene.object()?.at("rules").items();
    let star = |rule: &Node<'_>| {
        ["verbs", "resources"].into_iter().any(|key| rule.at(key).texts().any(|it| it == "*"))
    };
    rules.iter().any(star).then(|| "a rule has a star".to_owned())
}
