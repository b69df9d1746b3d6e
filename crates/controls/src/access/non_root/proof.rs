//! A pod that is restricted in all but its user never runs as root, with or without a user namespace;
//! nor does what workloads would make of such a template.

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Next, Speaker, Transcript};

use crate::proof::Scene;
use crate::proof::pod::{restricted, set, workloads};
use crate::proof::tries::{By, GUARD, Try, all_refused};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let good = restricted(scene, "canary-good");
    let mut granted = vec![(Speaker::Keeper, Ask::WouldCreate(good.clone()))];
    let of_good = workloads(scene, "canary-good", &good);
    granted.extend(of_good.into_iter().map(|object| (Speaker::Keeper, Ask::WouldCreate(object))));
    let (root, unsaid) = ("/spec/securityContext/runAsUser", "/spec/securityContext/runAsNonRoot");
    let container = "/spec/containers/0/securityContext/runAsUser";
    let wrong = |name: &str, changes: &[(&str, Value)]| {
        let mut pod = restricted(scene, name);
        changes.iter().for_each(|(at, value)| set(&mut pod, at, value.clone()));
        pod
    };
    let namespaced = ("/spec/hostUsers", json!(false));
    let pods = [
        ("run a pod as root", wrong("canary-root", &[(root, json!(0))])),
        (
            "run a pod as root in a user namespace",
            wrong(
                "canary-root-inside",
                &[(root, json!(0)), (unsaid, json!(false)), namespaced.clone()],
            ),
        ),
        (
            "run a container as root in a user namespace",
            wrong("canary-root-one", &[(container, json!(0)), namespaced.clone()]),
        ),
        (
            "run a pod as whom the image says in a user namespace",
            wrong("canary-root-unsaid", &[(unsaid, Value::Null), namespaced]),
        ),
    ];
    let mut tries: Vec<Try> = pods
        .iter()
        .map(|(what, pod)| Try::create(*what, Speaker::Unbound, pod.clone(), By::AnyAdmission))
        .collect();
    for object in workloads(scene, "canary-root", &pods[1].1) {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        tries.push(Try::create(
            format!("make a {kind} of root's pods"),
            Speaker::Unbound,
            object,
            GUARD,
        ));
    }
    let said =
        "no pod and no template that would be root is admitted, with or without a user namespace";
    all_refused(scene, transcript, &granted, &tries, said)
}
