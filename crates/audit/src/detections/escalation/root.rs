//! A container asked to be root, or to become it.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/root",
    title: "A container asked to be root, or to become it",
    severity: Severity::Low,
    because: "what breaks out of it is root",
    attack: &["T1548"],
    needs: &[POD_WRITTEN],
    doc: include_str!("root.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    pod.container(
        |container| {
            pod.security(container, "runAsUser").number() == Some(0.0)
                || container.along(&["securityContext", "allowPrivilegeEscalation"]).is_true()
        },
        "is root or may become it",
    )
}
