//! A workload was put among those of the system.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/workload-in-system",
    title: "A workload was put among those of the system",
    severity: Severity::Medium,
    because: "nobody looks there, and much is allowed there",
    attack: &["T1036"],
    needs: &[others(WRITES, POD_RESOURCES, Level::Metadata)],
    doc: include_str!("workload_in_system.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    is_system(scene.event.namespace()).then(|| "in a namespace of the system".to_owned())
}
