//! Somebody touched an object that is there for nobody.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Fed = Fed {
    feed: Feed::Decoys,
    detection: Detection {
        id: "detect/decoy-touched",
        title: "Somebody touched an object that is there for nobody",
        severity: Severity::Critical,
        because: "whoever does is looking for what others have",
        attack: &["T1552.007"],
        needs: &[others(&[], Of::AnyResource, Level::Metadata)],
        doc: include_str!("decoy_touched.md"),
        judge: Judge::Each(judge),
    },
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let event = scene.event;
    scene
        .feeds
        .is_decoy(event.resource(), event.namespace(), event.name())
        .then(|| "an object that nobody has a reason to touch".to_owned())
}
