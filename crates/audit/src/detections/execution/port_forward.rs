//! Somebody opened a tunnel to a pod.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/port-forward",
    title: "Somebody opened a tunnel to a pod",
    severity: Severity::Low,
    because: "it goes past every NetworkPolicy",
    attack: &["T1572"],
    needs: &[others(&[], Of::Resources(&[("", "pods/portforward")]), Level::Metadata)],
    doc: include_str!("port_forward.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("a tunnel was opened to the pod".to_owned())
}
