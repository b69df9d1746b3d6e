//! A node was changed by hand.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/node-edited",
    title: "A node was changed by hand",
    severity: Severity::Medium,
    because: "labels and taints say what runs where",
    attack: &["T1578"],
    needs: &[others(CHANGES, Of::Resources(&[("", "nodes")]), Level::Metadata)],
    doc: include_str!("node_edited.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    (!is_node(&scene.event.user)).then(|| "a node was changed by hand".to_owned())
}
