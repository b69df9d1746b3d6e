//! A pod asked for the network of its machine.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/host-network",
    title: "A pod asked for the network of its machine",
    severity: Severity::Medium,
    because: "it is behind every NetworkPolicy, and hears what is meant for the machine",
    attack: &["T1611"],
    needs: &[POD_WRITTEN],
    doc: include_str!("host_network.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    pod.spec.at("hostNetwork").is_true().then(|| "hostNetwork is set".to_owned())
}
