//! A pod was deleted by force.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/deleted-by-force",
    title: "A pod was deleted by force",
    severity: Severity::Low,
    because: "its end is not waited for, and data may be written twice",
    attack: &["T1485"],
    needs: &[others(
        &["delete", "deletecollection"],
        Of::Resources(&[("", "pods")]),
        Level::Request,
    )],
    doc: include_str!("deleted_by_force.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    // The server reads the address only where no body came.
    let is_forced = match scene.sent() {
        Some(options) => options.at("gracePeriodSeconds").number() == Some(0.0),
        None => {
            let seconds = scene.event.parameters("gracePeriodSeconds");
            seconds.iter().any(|it| it.parse() == Ok(0_i64))
        }
    };
    is_forced.then(|| "without waiting for its end".to_owned())
}
