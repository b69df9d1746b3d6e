//! What pods trust was changed.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/trust-changed",
    title: "What pods trust was changed",
    severity: Severity::High,
    because: "who is trusted may read and change what is said",
    attack: &["T1553.004"],
    needs: &[others(
        CHANGES,
        Of::Resources(&[("certificates.k8s.io", "clustertrustbundles")]),
        Level::Metadata,
    )],
    doc: include_str!("trust_changed.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("a bundle of trusted authorities was changed".to_owned())
}
