//! A way to every right opens over several objects.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/path-to-admin",
    title: "A way to every right opens over several objects",
    severity: Severity::High,
    because: "who walks it is an administrator, and no single object shows it",
    attack: &["T1098.006"],
    needs: &[
        others(WRITES, RIGHTS, Level::RequestResponse),
        others(&["delete", "deletecollection"], RIGHTS, Level::Metadata),
    ],
    doc: include_str!("path_to_admin.md"),
    judge: Judge::Paths,
};
