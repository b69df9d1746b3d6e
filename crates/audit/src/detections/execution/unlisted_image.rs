//! A workload runs an image from elsewhere.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Fed = Fed {
    feed: Feed::Registries,
    detection: Detection {
        id: "detect/unlisted-image",
        title: "A workload runs an image from where none should come",
        severity: Severity::Medium,
        because: "nobody has looked at what it is",
        attack: &["T1525"],
        needs: &[POD_WRITTEN],
        doc: include_str!("unlisted_image.md"),
        judge: Judge::Each(judge),
    },
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let is_unlisted = |container: &Node<'_>| {
        let image = container.at("image").text();
        !image.is_empty() && scene.feeds.is_unlisted_image(image)
    };
    scene.pod()?.container(is_unlisted, "has an image from a registry that is not listed")
}
