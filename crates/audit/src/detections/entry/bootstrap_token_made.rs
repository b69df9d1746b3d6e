//! A bootstrap token was made.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/bootstrap-token-made",
    title: "A bootstrap token was made",
    severity: Severity::Medium,
    because: "who holds it can ask for the certificate of a node",
    attack: &["T1098"],
    needs: &[others(WRITES, Of::Resources(&[("", "secrets")]), Level::Metadata)],
    doc: include_str!("bootstrap_token_made.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let event = scene.event;
    let is_one = event.namespace() == "kube-system" && event.name().starts_with("bootstrap-token-");
    is_one.then(|| "a bootstrap token".to_owned())
}
