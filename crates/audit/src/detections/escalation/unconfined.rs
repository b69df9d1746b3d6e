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
    let settings = pod.spec.along(&["securityContext", "sysctls"]).items();
    if settings.iter().any(|it| !SAFE.contains(&it.at("name").text())) {
        return Some("it sets something of the kernel that others share".to_owned());
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

/// What a pod may set of the kernel and keep to itself, as Pod Security has it.
const SAFE: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];
