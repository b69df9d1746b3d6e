//! A pod was bound to a node by hand.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/bound-by-hand",
    title: "A pod was bound to a node by hand",
    severity: Severity::Medium,
    because: "it goes past the scheduler",
    attack: &["T1610"],
    needs: &[others(
        &["create"],
        Of::Resources(&[("", "pods/binding"), ("", "bindings")]),
        Level::Metadata,
    )],
    doc: include_str!("bound_by_hand.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    (&*scene.event.user.username != "system:kube-scheduler")
        .then(|| "bound by somebody who is no scheduler".to_owned())
}
