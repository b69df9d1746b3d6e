//! Secrets of all namespaces were read.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/secrets-everywhere",
    title: "Secrets of all namespaces were read",
    severity: Severity::Critical,
    because: "all identities of the cluster may be among them",
    attack: &["T1552.007"],
    needs: &[others(&["list", "watch"], Of::Resources(&[("", "secrets")]), Level::Metadata)],
    doc: include_str!("secrets_everywhere.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    scene.event.namespace().is_empty().then(|| "Secrets of all namespaces".to_owned())
}
