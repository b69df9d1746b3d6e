//! A namespace was deleted.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/namespace-deleted",
    title: "A namespace was deleted",
    severity: Severity::Low,
    because: "all in it goes",
    attack: &["T1485"],
    needs: &[others(
        &["delete", "deletecollection"],
        Of::Resources(&[("", "namespaces")]),
        Level::Metadata,
    )],
    doc: include_str!("namespace_deleted.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("a namespace with all in it was deleted".to_owned())
}
