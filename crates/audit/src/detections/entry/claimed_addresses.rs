//! A request claims to come through others.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/claimed-addresses",
    title: "A request claims to come through others",
    severity: Severity::Low,
    because: "who writes the header hides where it comes from",
    attack: &["T1036"],
    needs: &[others(&[], Of::Anything, Level::Metadata)],
    doc: include_str!("claimed_addresses.md"),
    judge: Judge::First(First {
        of,
        said: "addresses are claimed besides the one that was connected",
        known_seconds: 0,
    }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    let is_claimed = event.source_ips.len() > 1;
    is_claimed.then(|| (number(&[event.source(), &event.user.username]), 0))
}
