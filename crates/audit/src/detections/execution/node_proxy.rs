//! Somebody spoke to a kubelet through the API.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/node-proxy",
    title: "Somebody spoke to a kubelet through the API",
    severity: Severity::High,
    because: "a kubelet runs commands in every pod of its machine",
    attack: &["T1609"],
    needs: &[others(&[], Of::Resources(&[("", "nodes/proxy")]), Level::Metadata)],
    doc: include_str!("node_proxy.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("a kubelet was asked through the API".to_owned())
}
