//! Somebody read what the server says of itself.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/debug-paths",
    title: "Somebody read what the server says of itself",
    severity: Severity::Medium,
    because: "memory and settings hold secrets",
    attack: &["T1082"],
    needs: &[others(
        &[],
        Of::Paths(&["/debug/*", "/logs*", "/configz*", "/flagz*", "/statusz*"]),
        Level::Metadata,
    )],
    doc: include_str!("debug_paths.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("a path for debugging".to_owned())
}
