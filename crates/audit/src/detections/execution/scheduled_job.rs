//! A job for later was made or changed.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/scheduled-job",
    title: "A job for later was made or changed",
    severity: Severity::Low,
    because: "it comes back after everything else was cleaned",
    attack: &["T1053.007"],
    needs: &[others(WRITES, Of::Resources(&[("batch", "cronjobs")]), Level::Metadata)],
    doc: include_str!("scheduled_job.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("a job for later was written".to_owned())
}
