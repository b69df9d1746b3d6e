//! Pod Security was not asked about a pod.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/pod-security-exempt",
    title: "Pod Security was not asked about a pod",
    severity: Severity::Medium,
    because: "an exemption lets pass whatever somebody puts into it",
    attack: &["T1562.001"],
    needs: &[others(WRITES, POD_RESOURCES, Level::Metadata)],
    doc: include_str!("pod_security_exempt.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let exempt = scene.event.annotations.value("pod-security.kubernetes.io/exempt");
    (!exempt.is_empty()).then(|| match exempt {
        "user" => "the user is exempt".to_owned(),
        "runtimeClass" => "its runtime class is exempt".to_owned(),
        _ => "its namespace is exempt".to_owned(),
    })
}
