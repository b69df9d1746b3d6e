//! What keeps an object until its end is clean was taken away.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/finalizers-removed",
    title: "What keeps an object until its end is clean was taken away by hand",
    severity: Severity::Medium,
    because: "what it waited for does not happen: data is deleted under those who use it, or stays where nobody sees it",
    attack: &["T1485"],
    needs: &[
        others(
            &["update", "patch"],
            Of::Resources(&[("", "persistentvolumeclaims"), ("", "persistentvolumes")]),
            Level::RequestResponse,
        ),
        others(&["update"], Of::Resources(&[("", "namespaces/finalize")]), Level::Metadata),
    ],
    doc: include_str!("finalizers_removed.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let event = scene.event;
    // Drivers of storage do it for a living, each as an account.
    if account(&event.user.username).is_some() {
        return None;
    }
    if event.resource() == "namespaces" {
        return Some("a namespace is gone before what was in it".to_owned());
    }
    let metadata = scene.object()?.at("metadata");
    let goes = !metadata.at("deletionTimestamp").text().is_empty();
    (goes && metadata.at("finalizers").items().is_empty())
        .then(|| "it is gone before those who use it let go".to_owned())
}
