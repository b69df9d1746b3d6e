//! Somebody who is known came from a new network.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/new-network",
    title: "Somebody who is known came from a new network",
    severity: Severity::Low,
    because: "a credential may have moved",
    attack: &["T1078"],
    needs: &[others(&[], Of::Anything, Level::Metadata)],
    doc: include_str!("new_network.md"),
    judge: Judge::First(First {
        of,
        said: "from a network that it did not come from before",
        known_seconds: 86400,
    }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let network = network(scene.address()?);
    Some((scene.user(), network))
}
