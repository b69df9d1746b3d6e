//! Somebody tries many pods that Pod Security objects to.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/pod-security-violations",
    title: "Somebody tries many pods that Pod Security objects to",
    severity: Severity::Medium,
    because: "who looks for the way out of a container begins with what is let in",
    attack: &["T1611"],
    needs: &[others(WRITES, POD_RESOURCES, Level::Metadata)],
    doc: include_str!("pod_security_violations.md"),
    judge: Judge::Burst(Burst {
        counts,
        many: 10,
        seconds: 600,
        what: "pods or templates were objected to",
    }),
};

fn counts(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    let noted = event.annotations.value("pod-security.kubernetes.io/audit-violations");
    // Quotas, webhooks and policies refuse with the same code, and the level that holds is noted all the same.
    let status = &event.response_status;
    let is_refused = status.code == 403 && status.message.contains("violates PodSecurity");
    (is_refused || !noted.is_empty()).then(|| {
        let who = scene.actor();
        let (resource, namespace) = (event.resource(), event.namespace());
        // A name that the server makes is not known here, so that the time tells such pods apart.
        let name = if event.name().is_empty() { event.time() } else { event.name() };
        (who, number(&[resource, namespace, name]))
    })
}
