//! Somebody entered a container of the system.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/exec-in-system",
    title: "Somebody entered a container of the system",
    severity: Severity::High,
    because: "containers of the system hold its rights",
    attack: &["T1609"],
    needs: &[others(
        &[],
        Of::Resources(&[("", "pods/exec"), ("", "pods/attach")]),
        Level::Metadata,
    )],
    doc: include_str!("exec_in_system.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    is_system(scene.event.namespace()).then(|| "a container of the system was entered".to_owned())
}
