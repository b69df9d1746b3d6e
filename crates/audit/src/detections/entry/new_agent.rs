//! Somebody who is known uses a new program.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/new-agent",
    title: "Somebody who is known uses a new program",
    severity: Severity::Low,
    because: "a credential may be in other hands",
    attack: &["T1078"],
    needs: &[others(&[], Of::Anything, Level::Metadata)],
    doc: include_str!("new_agent.md"),
    judge: Judge::First(First {
        of,
        said: "with a program that it did not use before",
        known_seconds: 86400,
    }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let agent = scene.event.user_agent.split(['/', ' ']).next().unwrap_or_default();
    Some((scene.user(), number(&[agent])))
}
