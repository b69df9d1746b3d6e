//! A workload has the name of a tool for attacks.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/attack-pod",
    title: "A workload has the name of a tool for attacks",
    severity: Severity::High,
    because: "it is what it says, or a test that nobody announced",
    attack: &["T1610"],
    needs: &[others(WRITES, POD_RESOURCES, Level::Metadata)],
    doc: include_str!("attack_pod.md"),
    judge: Judge::Each(judge),
};

/// Parts of names that published tools and walks through attacks give to their pods.
const TOOLS: [&str; 14] = [
    "attacker-pod",
    "badpod",
    "deepce",
    "everything-allowed-exec",
    "kdigger",
    "kube-hunter",
    "kubesploit",
    "kubestriker",
    "node-shell",
    "nsenter",
    "peirates",
    "priv-exec-pod",
    "privileged-escape",
    "r00t",
];

fn judge(scene: &Scene<'_>) -> Option<String> {
    let tool = word_in(scene.event.name(), &TOOLS)?;
    Some(format!("its name has {tool} in it"))
}
