//! A policy of admission was changed.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/admission-policy-changed",
    title: "A policy of admission was changed",
    severity: Severity::High,
    because: "guards of the cluster are policies",
    attack: &["T1562.001"],
    needs: &[others(
        CHANGES,
        Of::Resources(&[
            ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
            ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
            ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
            ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
        ]),
        Level::Metadata,
    )],
    doc: include_str!("admission_policy_changed.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("a policy of admission was changed".to_owned())
}
