//! Somebody entered containers of a namespace for the first time.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/first-exec",
    title: "Somebody entered containers of a namespace for the first time",
    severity: Severity::Low,
    because: "who does it every day is not looked at twice, and a newcomer is",
    attack: &["T1609"],
    needs: &[EXEC],
    doc: include_str!("first_exec.md"),
    judge: Judge::First(First {
        of,
        said: "in a namespace where it did not run commands before",
        known_seconds: 86400,
    }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    Some((scene.actor(), number(&[scene.event.namespace()])))
}
