//! What was written was too large to be logged.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/truncated",
    title: "What was written was too large to be logged",
    severity: Severity::Medium,
    because: "an object that is padded is not seen by any rule about it",
    attack: &["T1562.008"],
    needs: &[others(WRITES, Of::AnyResource, Level::Metadata)],
    doc: include_str!("truncated.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    scene.event.truncated().then(|| "the server left the bodies out".to_owned())
}
