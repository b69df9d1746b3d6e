//! Somebody changed by hand what a workload runs.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/program-changed",
    title: "Somebody changed by hand what a workload runs",
    severity: Severity::Low,
    because: "a program of somebody's own, with the rights and the name of one that is known",
    attack: &["T1525"],
    needs: &[others(&["update", "patch"], POD_RESOURCES, Level::RequestResponse)],
    doc: include_str!("program_changed.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let event = scene.event;
    // Controllers and pipelines are accounts.
    let is_by_hand = account(&event.user.username).is_none() && !is_keeper(event);
    (is_by_hand && event.subresource().is_empty()).then(|| changed_program(scene))?
}
