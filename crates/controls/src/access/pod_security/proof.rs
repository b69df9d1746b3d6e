//! A pod below the restricted standard is refused by Pod Security on every API server, and a
//! privileged one is refused by whoever is first.

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::{Scene, fail, gap, pass, words};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    if transcript.is_empty() {
        let canaries = [sharing(scene), privileged(scene)];
        let ask = |server: &NodeName| {
            let server = server.clone();
            canaries.clone().map(|pod| Act::Ask {
                server: server.clone(),
                speaker: Speaker::Keeper,
                ask: Ask::Create(pod),
            })
        };
        return Next::Do(scene.control_planes.iter().flat_map(ask).collect());
    }
    let mut gaps = Vec::new();
    for (act, seen) in transcript {
        let Act::Ask { server, ask: Ask::Create(pod), .. } = act else { continue };
        let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        match seen {
            Seen::Refused { status: 403 | 422, message } if speaks(name, message) => {}
            Seen::Object(_) => {
                return fail(
                    format!("{server} admitted the pod {name}"),
                    "check the admission configuration: ringfort up",
                );
            }
            other => gaps.push(format!("{server}: {}", words(other))),
        }
    }
    if !gaps.is_empty() {
        return gap(format!("not shown: {}", gaps.join("; ")), "ringfort up");
    }
    pass(
        format!(
            "a pod in the host's network was refused by Pod Security, and a privileged one was refused, \
             by each of {} servers",
            scene.control_planes.len()
        ),
        transcript,
    )
}

/// A pod that is in order but for one thing, which only Pod Security refuses.
fn sharing(scene: &Scene) -> Value {
    let mut pod = pod(scene, SHARING);
    pod["spec"]["hostNetwork"] = true.into();
    pod
}

fn privileged(scene: &Scene) -> Value {
    let mut pod = pod(scene, "canary-privileged");
    pod["spec"]["hostPID"] = true.into();
    pod["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    pod
}

const SHARING: &str = "canary-host-network";

fn pod(scene: &Scene, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": scene.namespace},
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "canary", "image": scene.probe_image,
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    })
}

/// The refusal must come from admission, not from a missing right, and of the one canary from Pod
/// Security itself.
fn speaks(pod: &str, message: &str) -> bool {
    let by_pod_security = message.contains("violates PodSecurity");
    let by_another = message.contains("ValidatingAdmissionPolicy")
        || message.contains("disallowed by cluster policy");
    by_pod_security || (pod != SHARING && by_another)
}
