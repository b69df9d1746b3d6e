//! Somebody lists many kinds.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/enumeration",
    title: "Somebody lists many kinds",
    severity: Severity::Medium,
    because: "it is how a cluster is mapped",
    attack: &["T1613"],
    needs: &[others(&["list"], Of::AnyResource, Level::Metadata)],
    doc: include_str!("enumeration.md"),
    judge: Judge::Burst(Burst {
        counts,
        many: 15,
        seconds: 60,
        what: "different kinds were listed",
    }),
};

fn counts(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    (!event.failed()).then(|| {
        (
            scene.actor(),
            number(&[event.resource(), event.object_ref.as_ref().map_or("", |of| of.group())]),
        )
    })
}
