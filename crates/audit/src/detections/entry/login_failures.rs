//! Many credentials were refused.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/login-failures",
    title: "Many credentials were refused",
    severity: Severity::Medium,
    because: "it is how tokens are guessed, or a stolen one tried after its end",
    attack: &["T1110"],
    needs: &[others(&[], Of::Anything, Level::Metadata)],
    doc: include_str!("login_failures.md"),
    judge: Judge::Burst(Burst {
        counts,
        many: 20,
        seconds: 60,
        what: "requests with a credential that is none",
    }),
};

fn counts(scene: &Scene<'_>) -> Option<(u64, u64)> {
    (scene.event.response_status.code == 401).then(|| {
        (number(&[scene.event.source()]), number(&[scene.event.time(), &scene.event.request_uri]))
    })
}
