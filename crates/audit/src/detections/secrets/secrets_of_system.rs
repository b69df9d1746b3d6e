//! Secrets of the system were read.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/secrets-of-system",
    title: "Secrets of the system were read",
    severity: Severity::High,
    because: "they open the cluster",
    attack: &["T1552.007"],
    needs: &[others(&["list", "watch"], Of::Resources(&[("", "secrets")]), Level::Metadata)],
    doc: include_str!("secrets_of_system.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    is_system(scene.event.namespace())
        .then(|| "all Secrets of a namespace of the system".to_owned())
}
