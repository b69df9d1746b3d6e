//! Somebody acted as a privileged identity.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/privileged-impersonation",
    title: "Somebody acted as a privileged identity",
    severity: Severity::High,
    because: "it leaves no trace under the own name where logs are read carelessly",
    attack: &["T1134"],
    needs: &[others(&[], Of::Anything, Level::Metadata)],
    doc: include_str!("privileged_impersonation.md"),
    judge: Judge::Each(judge),
};

/// How the names of the cluster's own identities begin, and those of ringfort, which guards make way for.
const OURS: [&str; 2] = ["system:", "ringfort:"];

fn judge(scene: &Scene<'_>) -> Option<String> {
    let other = scene.event.impersonated_user.as_ref()?;
    // Its proofs try what others may do.
    if is_keeper(scene.event) {
        return None;
    }
    let is_group = |group: &&Text<'_>| matches!(&***group, "system:masters" | "system:nodes");
    let by_group = other.groups.iter().find(is_group).map(|group| group.to_string());
    let name = &*other.username;
    let is_name = OURS.iter().any(|start| name.starts_with(start)) && name != ANONYMOUS;
    let by_name = || is_name.then(|| name.to_owned());
    Some(format!("acted as {}", by_group.or_else(by_name)?))
}
