//! A pod asked for the shared memory of its machine.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/host-ipc",
    title: "A pod asked for the shared memory of its machine",
    severity: Severity::Medium,
    because: "it reads what others there say to each other",
    attack: &["T1611"],
    needs: &[POD_WRITTEN],
    doc: include_str!("host_ipc.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    pod.spec.at("hostIPC").is_true().then(|| "hostIPC is set".to_owned())
}
