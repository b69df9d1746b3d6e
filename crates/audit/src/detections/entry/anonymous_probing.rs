//! Somebody without a name tries many paths.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/anonymous-probing",
    title: "Somebody without a name tries many paths",
    severity: Severity::Medium,
    because: "it is how a way in is looked for",
    attack: &["T1613"],
    needs: &[anonymous(&[], Of::Anything, Level::Metadata)],
    doc: include_str!("anonymous_probing.md"),
    judge: Judge::Burst(Burst {
        counts,
        many: 10,
        seconds: 60,
        what: "different paths were tried without a name",
    }),
};

fn counts(scene: &Scene<'_>) -> Option<(u64, u64)> {
    scene.event.failed().then(|| (number(&[scene.event.source()]), number(&[scene.event.path()])))
}
