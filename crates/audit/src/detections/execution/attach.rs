//! Somebody attached to a container.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/attach",
    title: "Somebody attached to a container",
    severity: Severity::Medium,
    because: "what the container reads and writes is theirs",
    attack: &["T1609"],
    needs: &[others(&[], Of::Resources(&[("", "pods/attach")]), Level::Metadata)],
    doc: include_str!("attach.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("attached to a running container".to_owned())
}
