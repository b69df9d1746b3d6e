//! A container asked the kernel to look away.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/unconfined",
    title: "A container asked the kernel to look away",
    severity: Severity::Medium,
    because: "what stops most break-outs is switched off",
    attack: &["T1611"],
    needs: &[POD_WRITTEN],
    doc: include_str!("unconfined.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    let annotations = pod.metadata.at("annotations").fields();
    if annotations
        .iter()
        .any(|(key, value)| key.contains("apparmor.security.beta") && value.text() == "unconfined")
    {
        return Some("AppArmor is switched off by an annotation".to_owned());
    }
    if pod.spec.along(&["securityContext", "windowsOptions", "hostProcess"]).is_true() {
        return Some("it is a process of its machine".to_owned());
    }
    pod.container(
        |container| {
            let off = |key: &str| pod.security(container, key).at("type").text() == "Unconfined";
            off("seccompProfile")
                || off("appArmorProfile")
                || container.along(&["securityContext", "procMount"]).text() == "Unmasked"
                || container.along(&["securityContext", "windowsOptions", "hostProcess"]).is_true()
        },
        "is not confined",
    )
}
