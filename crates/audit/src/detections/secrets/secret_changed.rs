//! A Secret was changed or deleted by hand.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/secret-changed",
    title: "A Secret was changed or deleted by hand",
    severity: Severity::Low,
    because: "who changes a Secret chooses what others trust",
    attack: &["T1565"],
    needs: &[others(
        &["update", "patch", "delete", "deletecollection"],
        Of::Resources(&[("", "secrets")]),
        Level::Metadata,
    )],
    doc: include_str!("secret_changed.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    account(&scene.event.actor().username).is_none().then(|| "changed by a person".to_owned())
}
