//! What lies in the cluster's own namespaces is changed by nobody but the cluster: not even by who holds
//! every right.

use serde_json::json;

use ringfort_model::act::{Ask, Next, Speaker, Transcript};
use ringfort_model::api_object::ObjectKey;

use crate::proof::tries::{By, GUARD, Try, all_refused};
use crate::proof::{Scene, pod};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let key = |api_version: &str, kind: &str, namespace: Option<&str>, name: &str| ObjectKey {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    };
    let system = Some("kube-system");
    let one = |what: &str, speaker: Speaker, ask: Ask| Try {
        what: what.to_owned(),
        speaker,
        ask,
        by: GUARD,
    };
    let inside = |namespace: &str| {
        let mut pod = pod::restricted(scene, "canary-inside");
        pod["metadata"]["namespace"] = namespace.into();
        Ask::WouldCreate(pod)
    };
    let settings = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "canary", "namespace": "kube-public"},
    });
    let replicas = Ask::WouldPatch {
        of: key("apps/v1", "Deployment", system, "coredns"),
        patch: json!({"spec": {"replicas": 0}}),
    };
    let mut tries = vec![
        one("run a pod in kube-system", Speaker::Unbound, inside("kube-system")),
        one("run a pod in kube-node-lease", Speaker::Unbound, inside("kube-node-lease")),
        one("write in kube-public", Speaker::Unbound, Ask::WouldCreate(settings)),
        one("run a pod in kube-system", Speaker::Admin, inside("kube-system")),
        one("stop cluster DNS", Speaker::Unbound, replicas),
    ];
    let gone = Ask::WouldDelete(key("v1", "Namespace", None, "kube-system"));
    let by = By::Admission("may not be deleted");
    tries.push(Try {
        what: "delete kube-system".to_owned(),
        speaker: Speaker::Unbound,
        ask: gone,
        by,
    });
    let good = Ask::Get(key("apps/v1", "Deployment", system, "coredns"));
    let said = "nobody but the cluster changes what lies in its own namespaces";
    all_refused(scene, transcript, &[(Speaker::Unbound, good)], &tries, said)
}
