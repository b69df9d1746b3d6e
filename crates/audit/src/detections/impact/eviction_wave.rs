//! Somebody drains machines.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/eviction-wave",
    title: "Somebody drains machines",
    severity: Severity::Medium,
    because: "it is how a cluster is emptied",
    attack: &["T1499"],
    needs: &[others(&["create"], Of::Resources(&[("", "pods/eviction")]), Level::Metadata)],
    doc: include_str!("eviction_wave.md"),
    judge: Judge::Burst(Burst { counts, many: 30, seconds: 60, what: "pods were evicted" }),
};

fn counts(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    (!event.failed()).then(|| (scene.actor(), number(&[event.namespace(), event.name()])))
}
