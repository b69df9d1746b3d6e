//! A pod that says nothing of system calls gets the runtime's filter, by every API server.

use serde_json::Value;

use ringfort_model::act::{Next, Transcript};

use crate::proof::Scene;
use crate::workload::filled::{Filling, filled};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let filling = Filling {
        unsay,
        at: "/spec/securityContext/seccompProfile/type",
        value: "RuntimeDefault".into(),
    };
    let said = "a pod that says nothing of system calls gets the runtime's filter";
    filled(scene, transcript, &filling, said)
}

fn unsay(pod: &mut Value) {
    if let Some(context) = pod["spec"]["securityContext"].as_object_mut() {
        context.remove("seccompProfile");
    }
}
