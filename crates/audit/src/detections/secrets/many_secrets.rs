//! Somebody read many Secrets.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/many-secrets",
    title: "Somebody read many Secrets",
    severity: Severity::High,
    because: "nobody needs so many at once",
    attack: &["T1552.007"],
    needs: &[others(&["get"], Of::Resources(&[("", "secrets")]), Level::Metadata)],
    doc: include_str!("many_secrets.md"),
    judge: Judge::Burst(Burst {
        counts,
        many: 20,
        seconds: 60,
        what: "different Secrets were read",
    }),
};

fn counts(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    (!event.failed()).then(|| (scene.actor(), number(&[event.namespace(), event.name()])))
}
