//! Somebody ran a command in a container.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/exec",
    title: "Somebody ran a command in a container",
    severity: Severity::Medium,
    because: "it leaves no other trace in the cluster",
    attack: &["T1609"],
    needs: &[EXEC],
    doc: include_str!("exec.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("a command was run in a container".to_owned())
}
