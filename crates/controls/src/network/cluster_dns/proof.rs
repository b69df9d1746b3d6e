//! A restricted pod on each worker runs and finds the API's Service by name.

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, Next, Seen, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::{Scene, fail, gap, pass, words};

/// Looks before giving up, half a second apart.
const LOOKS: usize = 180;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let workers = scene.workers.len();
    if transcript.is_empty() {
        return Next::Do(
            scene.workers.iter().map(|w| scene.ask(Ask::Create(pod(scene, w)))).collect(),
        );
    }
    if let Some((_, other)) =
        transcript[..workers].iter().find(|(_, s)| !matches!(s, Seen::Object(_)))
    {
        return gap(format!("a canary pod was not admitted: {}", words(other)), "ringfort up");
    }
    let look = || {
        let get = |worker: &NodeName| scene.ask(Ask::Get(scene.key("v1", "Pod", &name(worker))));
        let mut acts = vec![Act::Wait { ms: 500 }];
        acts.extend(scene.workers.iter().map(get));
        Next::Do(acts)
    };
    let looks = transcript.iter().filter(|(act, _)| matches!(act, Act::Wait { .. })).count();
    if looks == 0 {
        return look();
    }
    let last = &transcript[transcript.len() - workers..];
    if let (Act::Ask { ask: Ask::Logs { .. }, .. }, _) = &last[0] {
        return judge(scene, last);
    }
    let phases: Vec<&str> = last
        .iter()
        .map(|(_, seen)| match seen {
            Seen::Object(pod) => {
                pod.pointer("/status/phase").and_then(Value::as_str).unwrap_or("Pending")
            }
            _ => "Unknown",
        })
        .collect();
    if phases.iter().all(|phase| matches!(*phase, "Succeeded" | "Failed")) {
        let logs = |worker: &NodeName| {
            scene.ask(Ask::Logs { namespace: scene.namespace.clone(), pod: name(worker) })
        };
        return Next::Do(scene.workers.iter().map(logs).collect());
    }
    if looks < LOOKS {
        return look();
    }
    let states: Vec<_> =
        scene.workers.iter().zip(&phases).map(|(w, p)| format!("{w}: {p}")).collect();
    fail(
        format!("canary pods did not end within 90 s ({})", states.join(", ")),
        format!("kubectl -n {} describe pods", scene.namespace),
    )
}

fn judge(scene: &Scene, last: &Transcript) -> Next {
    let answer = format!("{} {}", service(scene), scene.api_address);
    for (worker, (_, seen)) in scene.workers.iter().zip(last) {
        match seen {
            Seen::Text(log) if log.lines().any(|line| line.trim() == answer) => {}
            Seen::Text(log) => {
                let line = log.lines().last().unwrap_or("no output").to_owned();
                return fail(
                    format!("{worker}: a pod that asks for {answer} is told: {line}"),
                    "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide",
                );
            }
            other => {
                return gap(
                    format!("{worker}: the pod's log was not read: {}", words(other)),
                    "ringfort up",
                );
            }
        }
    }
    pass(
        format!(
            "a restricted pod on each of {} workers ran and found the API's Service by name",
            scene.workers.len()
        ),
        last,
    )
}

/// The Service of the API, by its full name.
fn service(scene: &Scene) -> String {
    format!("kubernetes.default.svc.{}", scene.domain)
}

fn name(worker: &NodeName) -> String {
    format!("canary-dns-{worker}")
}

fn pod(scene: &Scene, worker: &NodeName) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name(worker), "namespace": scene.namespace},
        "spec": {
            "nodeName": worker,
            "restartPolicy": "OnFailure",
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "canary", "image": scene.probe_image, "imagePullPolicy": "IfNotPresent",
                "args": ["resolve", service(scene)],
                "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}},
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
            }],
        },
    })
}
