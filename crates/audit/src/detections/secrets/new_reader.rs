//! Somebody reads Secrets of a namespace for the first time.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/new-reader",
    title: "Somebody reads Secrets of a namespace for the first time",
    severity: Severity::Low,
    because: "readers of Secrets are few and known",
    attack: &["T1552.007"],
    needs: &[others(&["get", "list", "watch"], Of::Resources(&[("", "secrets")]), Level::Metadata)],
    doc: include_str!("new_reader.md"),
    judge: Judge::First(First {
        of,
        said: "it did not read Secrets here before",
        known_seconds: 86400,
    }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    (!event.failed()).then(|| (number(&[event.namespace()]), scene.actor()))
}
