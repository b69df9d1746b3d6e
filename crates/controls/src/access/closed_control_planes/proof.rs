//! Nobody places a pod on a control plane, whatever it tolerates.

use serde_json::json;

use ringfort_model::act::{Ask, Next, Speaker, Transcript};

use crate::proof::tries::{GUARD, Try, all_refused};
use crate::proof::{Scene, gap, pod};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let Some(worker) = scene.workers.first() else {
        return gap("no worker on which a pod could be instead", "add a worker");
    };
    let on = |node: &str| {
        let mut pod = pod::restricted(scene, "canary-placed");
        pod["spec"]["nodeName"] = node.into();
        pod["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
        pod
    };
    let mut tries = Vec::new();
    for node in &scene.control_planes {
        for speaker in [Speaker::Unbound, Speaker::Admin] {
            tries.push(Try::create(
                format!("place a pod on {node}"),
                speaker,
                on(node.as_str()),
                GUARD,
            ));
        }
    }
    let good = [(Speaker::Admin, Ask::WouldCreate(on(worker.as_str())))];
    all_refused(scene, transcript, &good, &tries, "nobody places a pod on a control plane")
}
