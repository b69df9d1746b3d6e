//! A webhook looks away, or speaks to the outside.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/webhook-weakened",
    title: "A webhook looks away, or speaks to the outside",
    severity: Severity::High,
    because: "what it guarded passes, or what is written leaves the cluster",
    attack: &["T1562.001"],
    needs: &[others(
        WRITES,
        Of::Resources(&[
            ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
            ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
        ]),
        Level::RequestResponse,
    )],
    doc: include_str!("webhook_weakened.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let object = scene.object()?;
    object.at("webhooks").items().iter().find_map(|webhook| {
        let name = webhook.at("name").text();
        if !webhook.along(&["clientConfig", "url"]).is_null() {
            return Some(format!("webhook {name} is asked by an address, not as a Service"));
        }
        let validates = scene.event.resource().starts_with("validating");
        let ignores = validates && webhook.at("failurePolicy").text() == "Ignore";
        ignores.then(|| format!("webhook {name} lets pass what it is not asked about"))
    })
}
