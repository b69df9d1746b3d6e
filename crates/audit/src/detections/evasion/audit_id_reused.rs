//! Two requests have one name.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/audit-id-reused",
    title: "Two requests have one name",
    severity: Severity::Medium,
    because: "who counts events by their name sees one",
    attack: &["T1562.008"],
    needs: &[others(&[], Of::Anything, Level::Metadata)],
    doc: include_str!("audit_id_reused.md"),
    judge: Judge::Reuse(Reuse { of, what: "its Audit-ID stood for another request before" }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    let time = &event.request_received_timestamp;
    let is_named = !event.audit_id.is_empty() && !time.is_empty();
    is_named.then(|| {
        (
            number(&[&event.audit_id]),
            number(&[&event.user.username, &event.verb, event.resource(), time]),
        )
    })
}
