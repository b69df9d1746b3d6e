//! Somebody approved a certificate.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/certificate-approved",
    title: "Somebody approved a certificate",
    severity: Severity::Medium,
    because: "a certificate cannot be taken back",
    attack: &["T1098"],
    needs: &[others(
        &["update", "patch"],
        Of::Resources(&[("certificates.k8s.io", "certificatesigningrequests/approval")]),
        Level::Metadata,
    )],
    doc: include_str!("certificate_approved.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("a certificate was approved or denied".to_owned())
}
