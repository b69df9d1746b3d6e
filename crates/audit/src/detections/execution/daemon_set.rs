//! A workload for every machine was made or changed.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/daemon-set",
    title: "A workload for every machine was made or changed",
    severity: Severity::Low,
    because: "it runs on every machine, also on those to come",
    attack: &["T1543.005", "T1072"],
    needs: &[others(WRITES, Of::Resources(&[("apps", "daemonsets")]), Level::Metadata)],
    doc: include_str!("daemon_set.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("a workload for every machine was written".to_owned())
}
