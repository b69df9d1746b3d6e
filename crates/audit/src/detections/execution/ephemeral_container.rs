//! A container was added to a running pod.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/ephemeral-container",
    title: "A container was added to a running pod",
    severity: Severity::Medium,
    because: "it sees the processes and the tokens of the pod",
    attack: &["T1611"],
    needs: &[others(
        &["update", "patch"],
        Of::Resources(&[("", "pods/ephemeralcontainers")]),
        Level::Metadata,
    )],
    doc: include_str!("ephemeral_container.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("a container was added to a running pod".to_owned())
}
