//! A service account was made among those of the system.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/account-in-system",
    title: "A service account was made among those of the system",
    severity: Severity::Medium,
    because: "its name is taken for a part of Kubernetes",
    attack: &["T1136"],
    needs: &[others(&["create"], Of::Resources(&[("", "serviceaccounts")]), Level::Metadata)],
    doc: include_str!("account_in_system.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    is_system(scene.event.namespace()).then(|| "in a namespace of the system".to_owned())
}
