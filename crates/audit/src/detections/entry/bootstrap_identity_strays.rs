//! A joining node asked for something else.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/bootstrap-identity-strays",
    title: "A joining node asked for something else",
    severity: Severity::High,
    because: "a bootstrap token was taken from where nodes get theirs",
    attack: &["T1078"],
    needs: &[others(&[], Of::AnyResource, Level::Metadata)],
    doc: include_str!("bootstrap_identity_strays.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let is_new =
        scene.event.user.groups.iter().any(|group| group.starts_with("system:bootstrappers"));
    let is_usual =
        matches!(scene.event.resource(), "certificatesigningrequests" | "selfsubjectreviews");
    (is_new && !is_usual).then(|| "a joining node asks for more than a certificate".to_owned())
}
