//! A node runs a pod that nobody asked the API for.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/mirror-pod",
    title: "A node runs a pod that nobody asked the API for",
    severity: Severity::High,
    because: "who writes a file on a machine starts it, past all admission",
    attack: &["T1610"],
    needs: &[anyone(&["create"], Of::Resources(&[("", "pods")]), Level::Metadata)],
    doc: include_str!("mirror_pod.md"),
    judge: Judge::Each(judge),
};

/// What control planes are made of.
const USUAL: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];

fn judge(scene: &Scene<'_>) -> Option<String> {
    let event = scene.event;
    // Nodes may make no other pods than those that show what a file of theirs says.
    let node = is_node(&event.user).then(|| event.user.username.strip_prefix("system:node:"))??;
    let is_usual = event.namespace() == "kube-system"
        && event
            .name()
            .strip_suffix(node)
            .is_some_and(|name| name.strip_suffix('-').is_some_and(|name| USUAL.contains(&name)));
    (!is_usual).then(|| "a file of the machine says it".to_owned())
}
