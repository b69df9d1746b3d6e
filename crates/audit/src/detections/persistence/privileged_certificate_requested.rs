//! Somebody asked for a certificate of a privileged name.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/privileged-certificate-requested",
    title: "Somebody asked for a certificate of a privileged name",
    severity: Severity::Critical,
    because: "who holds it is the system",
    attack: &["T1098"],
    needs: &[others(
        &["create"],
        Of::Resources(&[("certificates.k8s.io", "certificatesigningrequests")]),
        Level::Request,
    )],
    doc: include_str!("privileged_certificate_requested.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let spec = scene.object()?.at("spec");
    let kubelets = ["kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"];
    let request = request(spec.at("request").text())?;
    let names = ["system:masters", "system:kube-", "system:admin", "cluster-admin"];
    let found = names.into_iter().find(|name| holds(&request, name));
    let node = (!kubelets.contains(&spec.at("signerName").text())
        && holds(&request, "system:node"))
    .then_some("system:node");
    Some(format!("its subject names {}", found.or(node)?))
}
