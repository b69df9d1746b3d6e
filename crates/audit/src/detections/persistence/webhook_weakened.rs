//! A webhook looks away, or speaks to the outside.

use serde_json::Value;

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
    if let Some(narrowed) = narrowed(scene) {
        return Some(narrowed);
    }
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

/// Which webhook is not asked about all objects that it was asked about before, or not at all any more.
fn narrowed(scene: &Scene<'_>) -> Option<String> {
    let all = |configuration: &Node<'_>| -> Vec<(String, Chosen)> {
        let webhooks = configuration.at("webhooks").items().iter();
        webhooks.map(|webhook| (webhook.at("name").text().to_owned(), chosen(webhook))).collect()
    };
    let (before, now) = (scene.before(all)?, scene.object().map(all)?);
    before.iter().find_map(|(name, by)| match now.iter().find(|(known, _)| known == name) {
        None => Some(format!("webhook {name} is gone")),
        Some((_, now)) if now.iter().zip(by).all(|(now, by)| asks_no_more(now, by)) => None,
        Some(_) => Some(format!("webhook {name} is asked about other objects than before")),
    })
}

type Chosen = [Value; 3];

/// What chooses the objects that a webhook is asked about.
fn chosen(webhook: &Node<'_>) -> Chosen {
    ["matchConditions", "namespaceSelector", "objectSelector"].map(|by| webhook.at(by).json())
}

/// Whether everything that is asked of an object was asked of it before. All of it has to hold, so that a webhook of which
/// a part is taken away is asked about more. The server fills in what is left out, which is the same as nothing.
fn asks_no_more(now: &Value, before: &Value) -> bool {
    match now {
        Value::Null => true,
        Value::Object(now) => now.iter().all(|(key, now)| asks_no_more(now, &before[key.as_str()])),
        Value::Array(now) => {
            let before = before.as_array();
            now.iter().all(|it| before.is_some_and(|before| before.contains(it)))
        }
        now => now == before,
    }
}
