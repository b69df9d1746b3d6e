//! The token of a pod was used from outside the cluster.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Fed = Fed {
    feed: Feed::ClusterNetworks,
    detection: Detection {
        id: "detect/token-outside",
        title: "The token of a pod was used from outside the cluster",
        severity: Severity::Critical,
        because: "it was taken out of its pod",
        attack: &["T1550.001"],
        needs: &[others(&[], Of::Anything, Level::Metadata)],
        doc: include_str!("token_outside.md"),
        judge: Judge::Each(judge),
    },
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.event.user.extra.pod()?;
    let address = scene.address().filter(|it| scene.feeds.is_outside(*it))?;
    Some(format!(
        "the token of pod {pod} was used at {address}, where the cluster has no machine and no pod"
    ))
}
