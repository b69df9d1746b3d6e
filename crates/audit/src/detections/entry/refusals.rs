//! Somebody was refused many different things.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/refusals",
    title: "Somebody was refused many different things",
    severity: Severity::Medium,
    because: "it is what looking around with a stolen credential looks like",
    attack: &["T1613"],
    needs: &[others(&[], Of::Anything, Level::Metadata)],
    doc: include_str!("refusals.md"),
    judge: Judge::Burst(Burst {
        counts,
        many: 10,
        seconds: 60,
        what: "different things were refused",
    }),
};

fn counts(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    (event.response_status.code == 403).then(|| {
        (
            scene.actor(),
            number(&[
                &event.verb,
                event.resource(),
                event.subresource(),
                event.namespace(),
                event.path(),
            ]),
        )
    })
}
