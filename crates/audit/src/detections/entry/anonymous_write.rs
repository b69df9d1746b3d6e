//! Somebody without a name changed something.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/anonymous-write",
    title: "Somebody without a name changed something",
    severity: Severity::Critical,
    because: "a stranger writes into the cluster",
    attack: &["T1610"],
    needs: &[anonymous(CHANGES, Of::AnyResource, Level::Metadata)],
    doc: include_str!("anonymous_write.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("changed without a name".to_owned())
}
