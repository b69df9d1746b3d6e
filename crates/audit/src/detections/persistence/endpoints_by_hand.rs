//! Where a Service leads was written by hand.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/endpoints-by-hand",
    title: "Where a Service leads was written by hand",
    severity: Severity::Medium,
    because: "traffic of others is sent elsewhere",
    attack: &["T1557"],
    needs: &[others(
        WRITES,
        Of::Resources(&[("", "endpoints"), ("discovery.k8s.io", "endpointslices")]),
        Level::Metadata,
    )],
    doc: include_str!("endpoints_by_hand.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("written by no controller".to_owned())
}
