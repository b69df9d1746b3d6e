//! A pod was opened on the address of its machine.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/host-port",
    title: "A pod was opened on the address of its machine",
    severity: Severity::Low,
    because: "it is reached from wherever the machine is, and no Service says so",
    attack: &["T1133"],
    needs: &[POD_WRITTEN],
    doc: include_str!("host_port.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    // On the network of its machine every port is one of the machine, and the server writes it so.
    if pod.spec.at("hostNetwork").is_true() {
        return None;
    }
    let is_open = |port: &Node<'_>| port.at("hostPort").number().is_some_and(|it| it > 0.0);
    let opens = |container: &Node<'_>| container.at("ports").items().iter().any(is_open);
    pod.container(opens, "has a port on the address of its machine")
}
