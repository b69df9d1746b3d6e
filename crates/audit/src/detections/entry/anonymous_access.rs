//! Somebody without a name was let in.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/anonymous-access",
    title: "Somebody without a name was let in",
    severity: Severity::Medium,
    because: "what answers strangers answers everybody who reaches the port",
    attack: &["T1190"],
    needs: &[anonymous(&[], Of::Anything, Level::Metadata)],
    doc: include_str!("anonymous_access.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let path = scene.event.path();
    let is_something = !scene.event.resource().is_empty() || !path.is_empty();
    let is_open = OPEN.iter().any(|open| matches(open, path)) && scene.event.resource().is_empty();
    (is_something && !is_open).then(|| "answered without asking for a name".to_owned())
}

/// What a cluster may tell anybody.
const OPEN: [&str; 3] = ["/.well-known/openid-configuration*", "/openid/v1/jwks*", "/version*"];
