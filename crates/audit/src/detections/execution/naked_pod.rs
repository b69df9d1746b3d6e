//! A pod was made that no controller cares for, where only controllers make pods.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Fed = Fed {
    feed: Feed::ControlledNamespaces,
    detection: Detection {
        id: "detect/naked-pod",
        title: "A pod was made by hand where only controllers make pods",
        severity: Severity::Medium,
        because: "what is deployed there goes another way, which this one went around",
        attack: &["T1610"],
        needs: &[POD_WRITTEN],
        doc: include_str!("naked_pod.md"),
        judge: Judge::Each(judge),
    },
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let event = scene.event;
    let is_pod = event.resource() == "pods" && event.subresource().is_empty();
    if !is_pod || &*event.verb != "create" || !scene.feeds.is_controlled(event.namespace()) {
        return None;
    }
    let owners = scene.object()?.at("metadata").at("ownerReferences");
    // Whoever makes a pod writes what he likes there; controllers go by accounts.
    let is_owned = account(&event.user.username).is_some()
        && owners.items().iter().any(|owner| owner.at("controller").is_true());
    (!is_owned).then(|| "no controller made it".to_owned())
}
