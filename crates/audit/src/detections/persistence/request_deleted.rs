//! A request for a certificate was deleted by hand.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/request-deleted",
    title: "A request for a certificate was deleted by hand",
    severity: Severity::Low,
    because: "it is the only trace of the certificate in the cluster",
    attack: &["T1070"],
    needs: &[others(
        &["delete", "deletecollection"],
        Of::Resources(&[("certificates.k8s.io", "certificatesigningrequests")]),
        Level::Metadata,
    )],
    doc: include_str!("request_deleted.md"),
    judge: Judge::Each(judge),
};

fn judge(_: &Scene<'_>) -> Option<String> {
    Some("the trace of a certificate was deleted".to_owned())
}
