//! Containers of a pod see each other.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/shared-processes",
    title: "Containers of a pod see each other",
    severity: Severity::Low,
    because: "a sidecar reads the memory and the secrets of the others",
    attack: &["T1611"],
    needs: &[POD_WRITTEN],
    doc: include_str!("shared_processes.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    pod.spec
        .at("shareProcessNamespace")
        .is_true()
        .then(|| "containers share their processes".to_owned())
}
