//! Objects of a kind are converted by a webhook.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/conversion-webhook",
    title: "Objects of a kind are converted by a webhook",
    severity: Severity::Medium,
    because: "it sees every such object and may change it",
    attack: &["T1546"],
    needs: &[others(
        WRITES,
        Of::Resources(&[("apiextensions.k8s.io", "customresourcedefinitions")]),
        Level::RequestResponse,
    )],
    doc: include_str!("conversion_webhook.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let strategy = scene.object()?.along(&["spec", "conversion", "strategy"]).text();
    (strategy == "Webhook").then(|| "objects are converted by a webhook".to_owned())
}
