//! A pod goes where nothing should go.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/tolerates-everything",
    title: "A pod goes where nothing should go",
    severity: Severity::Low,
    because: "control planes are kept free by taints alone",
    attack: &["T1610"],
    needs: &[POD_WRITTEN],
    doc: include_str!("tolerates_everything.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    let all = pod.spec.at("tolerations").items().iter().find(|toleration| {
        let key = toleration.at("key").text();
        let exists = toleration.at("operator").text() == "Exists";
        (key.is_empty() && exists) || key == "node-role.kubernetes.io/control-plane"
    });
    all.map(|_| "every taint, or that of control planes, is tolerated".to_owned())
}
