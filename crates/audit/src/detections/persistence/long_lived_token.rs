//! A token without an end was made.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/long-lived-token",
    title: "A token without an end was made",
    severity: Severity::High,
    because: "it works until somebody finds it",
    attack: &["T1098"],
    needs: &[others(WRITES, Of::Resources(&[("", "secrets")]), Level::Request)],
    doc: include_str!("long_lived_token.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    (scene.object()?.at("type").text() == "kubernetes.io/service-account-token")
        .then(|| "a token without an end".to_owned())
}
