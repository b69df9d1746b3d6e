//! A pod that says nothing of system calls gets the runtime's filter, by every API server.

use serde_json::json;

use ringfort_model::act::{Next, Transcript};

use crate::proof::Scene;
use crate::workload::filled::filled;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let said = "a pod that says nothing of system calls gets the runtime's filter";
    let at = "/spec/securityContext/seccompProfile/type";
    let unsaid = |pod: &mut serde_json::Value| {
        if let Some(context) = pod["spec"]["securityContext"].as_object_mut() {
            context.remove("seccompProfile");
        }
    };
    filled(scene, transcript, unsaid, at, &json!("RuntimeDefault"), said)
}
