//! The server gave up in the middle of a request.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/server-panic",
    title: "The server gave up in the middle of a request",
    severity: Severity::Medium,
    because: "somebody may know how to bring it down",
    attack: &["T1499"],
    needs: &[Need { stages: &[Stage::Panic], ..others(&[], Of::Anything, Level::Metadata) }],
    doc: include_str!("server_panic.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("the server gave up".to_owned())
}
