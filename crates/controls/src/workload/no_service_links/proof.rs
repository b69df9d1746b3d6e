//! A pod that says nothing of it is not told of Services, by every API server.

use serde_json::json;

use ringfort_model::act::{Next, Transcript};

use crate::proof::Scene;
use crate::workload::filled::filled;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let said = "a pod that says nothing of Services is not told of them";
    filled(scene, transcript, |_| {}, "/spec/enableServiceLinks", &json!(false), said)
}
