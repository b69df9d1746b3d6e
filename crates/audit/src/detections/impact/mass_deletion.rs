//! Somebody deletes much.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/mass-deletion",
    title: "Somebody deletes much",
    severity: Severity::High,
    because: "it is how work is destroyed",
    attack: &["T1485"],
    needs: &[others(&["delete", "deletecollection"], Of::AnyResource, Level::Metadata)],
    doc: include_str!("mass_deletion.md"),
    judge: Judge::Burst(Burst {
        counts,
        many: 30,
        seconds: 60,
        what: "different objects were deleted",
    }),
};

fn counts(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    let is_own = event.resource() == "events";
    (!event.failed() && !is_own)
        .then(|| (scene.actor(), number(&[event.resource(), event.namespace(), event.name()])))
}
