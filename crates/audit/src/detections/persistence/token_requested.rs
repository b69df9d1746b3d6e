//! Somebody asked for a token of a service account.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/token-requested",
    title: "Somebody asked for a token of a service account",
    severity: Severity::Medium,
    because: "a token works wherever it is taken",
    attack: &["T1528"],
    needs: &[anyone(&["create"], Of::Resources(&[("", "serviceaccounts/token")]), Level::Metadata)],
    doc: include_str!("token_requested.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let event = scene.event;
    let (name, pod) = (&*event.user.username, event.object_ref.as_ref()?);
    let own = account(name)
        .is_some_and(|(space, account)| space == &*pod.namespace && account == &*pod.name);
    let usual = is_system(event.namespace()) && caller::is_component(&event.user);
    (!own && !usual && !is_node(&event.user)).then(|| "a token of a service account".to_owned())
}
