//! Somebody acted as another without the limits that should be set to it.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Fed = Fed {
    feed: Feed::Impersonators,
    detection: Detection {
        id: "detect/unconstrained-impersonation",
        title: "Somebody acted as another, and nothing limited at what",
        severity: Severity::Medium,
        because: "who may impersonate without a constraint can do all that the other can",
        attack: &["T1134"],
        needs: &[others(&[], Of::Anything, Level::Metadata)],
        doc: include_str!("unconstrained_impersonation.md"),
        judge: Judge::Each(judge),
    },
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let event = scene.event;
    let other = event.impersonated_user.as_ref()?;
    // ringfort's proofs try what others may do.
    if is_keeper(event) || !scene.feeds.is_constrained(&event.user.username) {
        return None;
    }
    let is_limited = !event.impersonation_constraint().is_empty();
    (!is_limited).then(|| format!("acted as {}, without a constraint", &*other.username))
}
