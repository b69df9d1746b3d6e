//! One credential was used from two addresses.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/credential-from-two-addresses",
    title: "One credential was used from two addresses",
    severity: Severity::Medium,
    because: "one of the two may have copied it",
    attack: &["T1528"],
    needs: &[others(&[], Of::Anything, Level::Metadata)],
    doc: include_str!("credential_from_two_addresses.md"),
    judge: Judge::Reuse(Reuse {
        of,
        what: "the same credential was used from another address before",
    }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let credential = scene.event.user.extra.credential()?;
    Some((number(&[credential]), number(&[scene.event.source()])))
}
