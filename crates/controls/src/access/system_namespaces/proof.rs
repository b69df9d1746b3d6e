//! What lies in the cluster's own namespaces is changed by nobody but the cluster: not even by who holds
//! every right.

use serde_json::json;

use ringfort_model::act::{Ask, Next, Speaker, Transcript};
use ringfort_model::api_object::ObjectKey;

use crate::proof::accounts::await_made;
use crate::proof::tries::{By, GUARD, Try, shown_refused};
use crate::proof::{Scene, course, pod};

/// Where pods are tried. Without its account none comes as far as the guard.
const TRIED: [&str; 2] = ["kube-system", "kube-node-lease"];

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
        one("run a pod in kube-system", Speaker::Unbound, inside(TRIED[0])),
        one("run a pod in kube-node-lease", Speaker::Unbound, inside(TRIED[1])),
        one("write in kube-public", Speaker::Unbound, Ask::WouldCreate(settings)),
        one("run a pod in kube-system", Speaker::Admin, inside(TRIED[0])),
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
    course(transcript, |course| {
        await_made(course, scene, &TRIED.map(|namespace| (namespace, "default")))?;
        shown_refused(course, scene, &[(Speaker::Unbound, good)], &tries, said)
    })
}
