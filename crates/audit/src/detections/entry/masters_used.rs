//! Somebody acted with the group that may do everything.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/masters-used",
    title: "Somebody acted with the group that may do everything",
    severity: Severity::Medium,
    because: "no rule holds for it, and it cannot be taken away from a certificate",
    attack: &["T1078.001"],
    needs: &[others(&[], Of::Anything, Level::Metadata)],
    doc: include_str!("masters_used.md"),
    judge: Judge::First(First {
        of,
        said: "a member of system:masters acts from here for the first time",
        known_seconds: 0,
    }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let user = &scene.event.user;
    let is_master = user.groups.iter().any(|group| &**group == "system:masters");
    is_master.then(|| (number(&[&user.username, scene.event.source()]), 0))
}
