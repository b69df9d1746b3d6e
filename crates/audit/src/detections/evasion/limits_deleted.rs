//! A limit of a namespace was deleted.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/limits-deleted",
    title: "A limit of a namespace was deleted",
    severity: Severity::Low,
    because: "one workload may take what belongs to all",
    attack: &["T1562"],
    needs: &[others(
        &["delete", "deletecollection"],
        Of::Resources(&[
            ("", "resourcequotas"),
            ("", "limitranges"),
            ("policy", "poddisruptionbudgets"),
        ]),
        Level::Metadata,
    )],
    doc: include_str!("limits_deleted.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("a limit was deleted".to_owned())
}
