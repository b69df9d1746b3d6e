//! A namespace was made that is not planned.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Fed = Fed {
    feed: Feed::Namespaces,
    detection: Detection {
        id: "detect/unlisted-namespace",
        title: "A namespace was made that is not planned",
        severity: Severity::Low,
        because: "rules that name namespaces do not hold in it",
        attack: &["T1610"],
        needs: &[others(WRITES, Of::Resources(&[("", "namespaces")]), Level::Metadata)],
        doc: include_str!("unlisted_namespace.md"),
        judge: Judge::Each(judge),
    },
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let name = scene.event.name();
    (!name.is_empty() && scene.feeds.is_unlisted_namespace(name))
        .then(|| "a namespace that is not on the list of those that there should be".to_owned())
}
