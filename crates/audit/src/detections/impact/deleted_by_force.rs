//! A pod was deleted by force.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/deleted-by-force",
    title: "A pod was deleted by force",
    severity: Severity::Low,
    because: "its end is not waited for, and data may be written twice",
    attack: &["T1485"],
    needs: &[others(&["delete"], Of::Resources(&[("", "pods")]), Level::Metadata)],
    doc: include_str!("deleted_by_force.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    scene
        .event
        .request_uri
        .contains("gracePeriodSeconds=0")
        .then(|| "without waiting for its end".to_owned())
}
