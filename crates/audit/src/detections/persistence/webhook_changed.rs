//! A webhook of admission was changed.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/webhook-changed",
    title: "A webhook of admission was changed",
    severity: Severity::Medium,
    because: "it sees, changes and refuses everything that is written",
    attack: &["T1546"],
    needs: &[others(
        CHANGES,
        Of::Resources(&[
            ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
            ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
        ]),
        Level::Metadata,
    )],
    doc: include_str!("webhook_changed.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("a webhook of admission was changed".to_owned())
}
