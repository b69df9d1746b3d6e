//! A privileged container was asked for.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/privileged-container",
    title: "A privileged container was asked for",
    severity: Severity::High,
    because: "its processes are those of the machine",
    attack: &["T1611"],
    needs: &[POD_WRITTEN],
    doc: include_str!("privileged_container.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    pod.container(
        |container| container.along(&["securityContext", "privileged"]).is_true(),
        "is privileged",
    )
}
