//! Somebody who is known gave rights of a kind for the first time.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/first-rights",
    title: "Somebody who is known gave rights of a kind for the first time",
    severity: Severity::Low,
    because: "rights are given by few, and seldom by others",
    attack: &["T1098.006"],
    needs: &[others(&[], Of::AnyResource, Level::Metadata)],
    doc: include_str!("first_rights.md"),
    judge: Judge::First(First {
        of,
        said: "roles or bindings of a kind that it did not write before",
        known_seconds: 86400,
    }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    let group = event.object_ref.as_ref().map_or("", |of| of.group());
    let is_given = group == "rbac.authorization.k8s.io" && WRITES.contains(&&*event.verb);
    // Everything else is one thing, which only says since when somebody is known.
    let which = if is_given { number(&[event.resource()]) } else { 0 };
    (!event.failed()).then(|| (scene.actor(), which))
}
