//! A program gave rights.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/rights-by-account",
    title: "A program gave rights",
    severity: Severity::Medium,
    because: "programs that give rights are worth more than the rights",
    attack: &["T1098.006"],
    needs: &[others(CHANGES, RIGHTS, Level::Metadata)],
    doc: include_str!("rights_by_account.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    account(&scene.event.actor().username)
        .map(|(space, name)| format!("written by the account {name} of {space}"))
}
