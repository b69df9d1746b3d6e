//! Something was changed by whom or when nobody said.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Fed = Fed {
    feed: Feed::Changes,
    detection: Detection {
        id: "detect/unmeant-change",
        title: "Something was changed by whom or when nobody said",
        severity: Severity::Medium,
        because: "changes come the way that was agreed on, or nobody knows of them",
        attack: &["T1098"],
        needs: &[others(CHANGES, Of::AnyResource, Level::Metadata)],
        doc: include_str!("unmeant_change.md"),
        judge: Judge::Each(judge),
    },
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let event = scene.event;
    let group = event.object_ref.as_ref().map_or("", |of| of.group());
    // Asking is written as creating, and stores nothing; what ringfort itself does, its file says.
    if is_keeper(event) || matches!(group, "authentication.k8s.io" | "authorization.k8s.io") {
        return None;
    }
    let changes = scene.feeds.changes()?;
    let why = changes.judge(&Made {
        users: [&event.user.username, &event.actor().username],
        resource: event.resource(),
        group,
        namespace: event.namespace(),
        at: event.microseconds(),
    });
    match why {
        Ok(()) => None,
        Err(Unmeant::Who) => Some("nobody said that this user changes this".to_owned()),
        Err(Unmeant::When) => Some("this user changes this at other times".to_owned()),
    }
}
