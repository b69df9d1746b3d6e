//! A container asked for a dangerous capability.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/capabilities",
    title: "A container asked for a dangerous capability",
    severity: Severity::High,
    because: "it is a part of what root may do, and often enough for the rest",
    attack: &["T1611"],
    needs: &[POD_WRITTEN],
    doc: include_str!("capabilities.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    let dangerous = [
        "ALL",
        "BPF",
        "DAC_READ_SEARCH",
        "NET_ADMIN",
        "NET_RAW",
        "PERFMON",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_MODULE",
        "SYS_PTRACE",
        "SYS_RAWIO",
        "SYSLOG",
    ];
    let is_one = |name: &str| {
        let name = name.to_ascii_uppercase();
        dangerous.contains(&name.strip_prefix("CAP_").unwrap_or(&name))
    };
    pod.container(
        |container| {
            container.along(&["securityContext", "capabilities", "add"]).texts().any(is_one)
        },
        "adds a dangerous capability",
    )
}
