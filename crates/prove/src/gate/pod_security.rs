//! A privileged pod is refused, by every API server.

use serde_json::json;

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::name::NodeName;

use super::{Scene, fail, gap, pass, words};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    if transcript.is_empty() {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "canary-privileged", "namespace": scene.namespace},
            "spec": {"hostPID": true, "containers": [{
                "name": "canary", "image": scene.probe_image,
                "securityContext": {"privileged": true},
            }]},
        });
        let ask = |server: &NodeName| Act::Ask {
            server: server.clone(),
            speaker: Speaker::Keeper,
            ask: Ask::Create(pod.clone()),
        };
        return Next::Do(scene.control_planes.iter().map(ask).collect());
    }
    let mut gaps = Vec::new();
    for (act, seen) in transcript {
        let Act::Ask { server, .. } = act else { continue };
        match seen {
            Seen::Refused { status: 403, message } if names_pod_security(message) => {}
            Seen::Refused { status: 422, message } if names_pod_security(message) => {}
            Seen::Object(_) => {
                return fail(
                    format!("{server} admitted a privileged pod"),
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
            "a privileged pod was refused by {} of {} servers",
            transcript.len(),
            scene.control_planes.len()
        ),
        transcript,
    )
}

/// The refusal must come from admission, not from a missing right.
fn names_pod_security(message: &str) -> bool {
    message.contains("violates PodSecurity")
        || message.contains("ValidatingAdmissionPolicy")
        || message.contains("disallowed by cluster policy")
}
