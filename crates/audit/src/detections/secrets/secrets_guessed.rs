//! Somebody tries names of Secrets.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/secrets-guessed",
    title: "Somebody tries names of Secrets",
    severity: Severity::Medium,
    because: "who may not list guesses",
    attack: &["T1110"],
    needs: &[others(&[], Of::Resources(&[("", "secrets")]), Level::Metadata)],
    doc: include_str!("secrets_guessed.md"),
    judge: Judge::Burst(Burst {
        counts,
        many: 10,
        seconds: 300,
        what: "Secrets that are not there or not theirs were asked for",
    }),
};

fn counts(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    matches!(event.response_status.code, 403 | 404)
        .then(|| (scene.actor(), number(&[event.namespace(), event.name()])))
}
