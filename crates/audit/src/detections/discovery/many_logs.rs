//! Somebody read the logs of many pods.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/many-logs",
    title: "Somebody read the logs of many pods",
    severity: Severity::Low,
    because: "logs hold what was meant for nobody",
    attack: &["T1213"],
    needs: &[others(&[], Of::Resources(&[("", "pods/log")]), Level::Metadata)],
    doc: include_str!("many_logs.md"),
    judge: Judge::Burst(Burst { counts, many: 30, seconds: 60, what: "pods' logs were read" }),
};

fn counts(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    (!event.failed()).then(|| (scene.actor(), number(&[event.namespace(), event.name()])))
}
