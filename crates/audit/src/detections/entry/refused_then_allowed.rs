//! What was refused was allowed soon after.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/refused-then-allowed",
    title: "What was refused was allowed soon after",
    severity: Severity::Medium,
    because: "rights were widened, or another way was found",
    attack: &["T1078"],
    needs: &[others(&[], Of::AnyResource, Level::Metadata)],
    doc: include_str!("refused_then_allowed.md"),
    judge: Judge::Then(Then { first, second, said: "it was refused a moment ago", seconds: 300 }),
};

fn first(scene: &Scene<'_>) -> Option<u64> {
    let event = scene.event;
    (event.response_status.code == 403).then(|| asked(event))
}

fn second(scene: &Scene<'_>) -> Option<u64> {
    let event = scene.event;
    (!event.failed()).then(|| asked(event))
}
