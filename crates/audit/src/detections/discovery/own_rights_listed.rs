//! A program asked what it may do.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/own-rights-listed",
    title: "A program asked what it may do",
    severity: Severity::Low,
    because: "programs know; those who took their token ask",
    attack: &["T1069"],
    needs: &[others(
        &["create"],
        Of::Resources(&[
            ("authorization.k8s.io", "selfsubjectrulesreviews"),
            ("authorization.k8s.io", "selfsubjectaccessreviews"),
            ("authentication.k8s.io", "selfsubjectreviews"),
        ]),
        Level::Metadata,
    )],
    doc: include_str!("own_rights_listed.md"),
    judge: Judge::First(First {
        of,
        said: "a service account asks what it may do",
        known_seconds: 0,
    }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let name = &*scene.event.actor().username;
    account(name)?;
    Some((number(&[name]), 0))
}
