//! Somebody changes workloads of a namespace for the first time.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/first-change",
    title: "Somebody changes workloads of a namespace for the first time",
    severity: Severity::Low,
    because: "who owns a workload changes it again and again, and a newcomer does not",
    attack: &["T1543"],
    needs: &[others(CHANGES, POD_RESOURCES, Level::Metadata)],
    doc: include_str!("first_change.md"),
    judge: Judge::First(First {
        of,
        said: "workloads that it did not change before",
        known_seconds: 86400,
    }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    let is_change = event.subresource().is_empty() && !event.failed() && !is_of_a_run(event);
    is_change.then(|| {
        let what = number(&[event.resource(), event.namespace()]);
        (scene.actor(), what)
    })
}
