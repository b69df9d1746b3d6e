//! A pod asked for the processes of its machine.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/host-processes",
    title: "A pod asked for the processes of its machine",
    severity: Severity::High,
    because: "it sees, and may end, what runs there",
    attack: &["T1611"],
    needs: &[POD_WRITTEN],
    doc: include_str!("host_processes.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    pod.spec.at("hostPID").is_true().then(|| "hostPID is set".to_owned())
}
