//! Events were deleted.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/events-deleted",
    title: "Events were deleted",
    severity: Severity::Medium,
    because: "they tell what happened to pods",
    attack: &["T1070"],
    needs: &[others(
        &["delete", "deletecollection"],
        Of::Resources(&[("", "events"), ("events.k8s.io", "events")]),
        Level::Metadata,
    )],
    doc: include_str!("events_deleted.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("events were deleted".to_owned())
}
