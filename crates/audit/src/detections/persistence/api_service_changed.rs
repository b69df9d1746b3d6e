//! A part of the API was given to another server.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/api-service-changed",
    title: "A part of the API was given to another server",
    severity: Severity::High,
    because: "requests with their credentials go to whoever it names",
    attack: &["T1557"],
    needs: &[others(
        CHANGES,
        Of::Resources(&[("apiregistration.k8s.io", "apiservices")]),
        Level::Metadata,
    )],
    doc: include_str!("api_service_changed.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("an APIService was changed".to_owned())
}
