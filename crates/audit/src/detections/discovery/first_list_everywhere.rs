//! Somebody lists across all namespaces for the first time.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/first-list-everywhere",
    title: "Somebody lists across all namespaces for the first time",
    severity: Severity::Low,
    because: "who needs one namespace looks at all",
    attack: &["T1613"],
    needs: &[others(&["list", "watch"], Of::AnyResource, Level::Metadata)],
    doc: include_str!("first_list_everywhere.md"),
    judge: Judge::First(First { of, said: "across all namespaces", known_seconds: 86400 }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    let is_wide = event.namespace().is_empty()
        && event.name().is_empty()
        && NAMESPACED.contains(&event.resource());
    let which = if is_wide { 1 } else { 0 };
    (!event.failed()).then(|| (scene.actor(), which))
}
