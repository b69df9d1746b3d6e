//! Somebody asked for a client certificate.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/client-certificate-requested",
    title: "Somebody asked for a client certificate",
    severity: Severity::Medium,
    because: "a certificate cannot be taken back",
    attack: &["T1098"],
    needs: &[others(
        &["create"],
        Of::Resources(&[("certificates.k8s.io", "certificatesigningrequests")]),
        Level::Request,
    )],
    doc: include_str!("client_certificate_requested.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    (scene.object()?.along(&["spec", "signerName"]).text() == "kubernetes.io/kube-apiserver-client")
        .then(|| "a certificate to log in with".to_owned())
}
