//! An Ingress brings its own configuration.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/ingress-snippet",
    title: "An Ingress brings its own configuration",
    severity: Severity::Medium,
    because: "it runs in the proxy of all",
    attack: &["T1557"],
    needs: &[others(
        WRITES,
        Of::Resources(&[("networking.k8s.io", "ingresses")]),
        Level::RequestResponse,
    )],
    doc: include_str!("ingress_snippet.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let annotations = scene.object()?.along(&["metadata", "annotations"]).fields();
    let found =
        annotations.iter().find(|(key, _)| key.ends_with("-snippet") || key.ends_with("-snippets"));
    found.map(|_| "an annotation is pasted into the proxy's configuration".to_owned())
}
