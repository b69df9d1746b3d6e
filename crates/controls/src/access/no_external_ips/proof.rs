//! No Service takes an address of its own choice, whoever asks.

use serde_json::json;

use ringfort_model::act::{Ask, Next, Speaker, Transcript};

use crate::proof::Scene;
use crate::proof::tries::{By, Try, all_refused};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let good = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "canary-service", "namespace": scene.namespace},
        "spec": {"ports": [{"port": 80}], "selector": {"canary": "none"}},
    });
    let mut bad = good.clone();
    bad["spec"]["externalIPs"] = json!(["192.0.2.1"]);
    let by = By::Admission("external IPs");
    let tries = [Speaker::Unbound, Speaker::Admin].map(|speaker| {
        Try::create("make a Service that takes others' addresses", speaker, bad.clone(), by)
    });
    let granted = [(Speaker::Admin, Ask::WouldCreate(good))];
    all_refused(
        scene,
        transcript,
        &granted,
        &tries,
        "no Service takes an address of its own choice",
    )
}
