//! No volume is a directory of a machine, whoever asks.

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Next, Speaker, Transcript};

use crate::proof::Scene;
use crate::proof::tries::{GUARD, Try, all_refused};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let volume = |kind: &str, source: Value| {
        let mut volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": "canary-volume"},
            "spec": {"capacity": {"storage": "1Mi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "canary"},
        });
        volume["spec"][kind] = source;
        volume
    };
    let mut local = volume("local", json!({"path": "/"}));
    local["spec"]["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
        {"key": "kubernetes.io/hostname", "operator": "In", "values": ["canary"]},
    ]}]}});
    let directory = volume("hostPath", json!({"path": "/"}));
    let mut tries = Vec::new();
    for speaker in [Speaker::Unbound, Speaker::Admin] {
        tries.push(Try::create(
            "make a volume of a machine's directory",
            speaker.clone(),
            directory.clone(),
            GUARD,
        ));
        tries.push(Try::create("make a local volume", speaker, local.clone(), GUARD));
    }
    let remote = volume("nfs", json!({"server": "192.0.2.1", "path": "/"}));
    let good = [(Speaker::Admin, Ask::WouldCreate(remote))];
    all_refused(scene, transcript, &good, &tries, "no volume is a directory of a machine")
}
