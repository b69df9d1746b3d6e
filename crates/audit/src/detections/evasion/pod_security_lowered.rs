//! The walls of a namespace were lowered.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/pod-security-lowered",
    title: "The walls of a namespace were lowered",
    severity: Severity::High,
    because: "pods may ask there for what takes a machine",
    attack: &["T1562.001"],
    needs: &[others(WRITES, Of::Resources(&[("", "namespaces")]), Level::RequestResponse)],
    doc: include_str!("pod_security_lowered.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let enforced = |namespace: &Node<'_>| {
        let labels = namespace.along(&["metadata", "labels"]);
        labels.at("pod-security.kubernetes.io/enforce").text().to_owned()
    };
    match scene.object().map(enforced)?.as_str() {
        "privileged" => Some("Pod Security enforces nothing".to_owned()),
        "baseline" if scene.before(enforced).as_deref() == Some("restricted") => {
            Some("Pod Security enforces less than before".to_owned())
        }
        _ => None,
    }
}
