//! A pod names its node.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/pinned-to-node",
    title: "A pod names its node",
    severity: Severity::Medium,
    because: "it goes past the scheduler, and to the machine that somebody wants",
    attack: &["T1610"],
    needs: &[POD_WRITTEN],
    doc: include_str!("pinned_to_node.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    let node = pod.spec.at("nodeName").text();
    let is_template = scene.event.resource() != "pods";
    // The scheduler writes the name later on, so of pods only what is created counts.
    (!node.is_empty() && (is_template || &*scene.event.verb == "create"))
        .then(|| "a node is named".to_owned())
}
