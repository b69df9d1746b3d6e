//! A pod on each worker asks a pod on the next, while every worker counts what arrives from outside:
//! it all comes sealed, and nothing from a pod comes in the open.

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, Heard, Next, Seen, Transcript};
use ringfort_model::judgement::Decided;
use ringfort_model::name::NodeName;
use ringfort_model::net::host_port;

use crate::proof::{PodTraffic, Scene, done, fail, gap, pass, words};

/// Looks before giving up, half a second apart.
const LOOKS: usize = 180;
/// How often each pod asks.
const QUESTIONS: usize = 20;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let pods = match &scene.pod_traffic {
        PodTraffic::Open { why } => {
            return done(Ok(Decided::NotApplicable { reason: why.clone() }));
        }
        PodTraffic::Encrypted { .. } if scene.workers.len() < 2 => {
            let reason = "no two workers that could speak with each other".to_owned();
            return done(Ok(Decided::NotApplicable { reason }));
        }
        PodTraffic::Encrypted { pods } => *pods,
    };
    let workers = || scene.workers.iter();
    if transcript.is_empty() {
        let listen = workers().map(|node| Act::Listen { node: node.clone(), pods });
        let serve = workers().map(|w| scene.ask(Ask::Create(server(scene, w))));
        return Next::Do(listen.chain(serve).collect());
    }
    let count = scene.workers.len();
    let begun = &transcript[..2 * count];
    let refused = begun.iter().find(|(_, s)| !matches!(s, Seen::Object(_) | Seen::Done));
    let last = &transcript[transcript.len() - count..];
    match (refused, &last[0].0) {
        (_, Act::Hear { .. }) => judge(scene, transcript),
        (Some(_), _) => hear(scene),
        (None, Act::Ask { ask: Ask::Create(_), .. }) if asked(transcript) => look(scene, CLIENT),
        (None, Act::Ask { ask: Ask::Create(_), .. }) => look(scene, SERVER),
        (None, _) => after_a_look(scene, transcript, last),
    }
}

/// Says whether the pods that ask have been made.
fn asked(transcript: &Transcript) -> bool {
    transcript.iter().any(|(act, _)| created(act).is_some_and(|name| name.contains(CLIENT)))
}

fn created(act: &Act) -> Option<&str> {
    match act {
        Act::Ask { ask: Ask::Create(object), .. } => {
            object.pointer("/metadata/name").and_then(Value::as_str)
        }
        _ => None,
    }
}

fn after_a_look(scene: &Scene, transcript: &Transcript, last: &Transcript) -> Next {
    let looks = transcript.iter().filter(|(act, _)| matches!(act, Act::Wait { .. })).count();
    let status = |field: &'static str| {
        let read = move |(_, seen): &(Act, Seen)| match seen {
            Seen::Object(pod) => pod.pointer(field).and_then(Value::as_str).map(str::to_owned),
            _ => None,
        };
        last.iter().map(read).collect::<Option<Vec<_>>>()
    };
    if asked(transcript) {
        let ended = status("/status/phase")
            .is_some_and(|all| all.iter().all(|phase| phase == "Succeeded" || phase == "Failed"));
        return if ended || looks >= LOOKS { hear(scene) } else { look(scene, CLIENT) };
    }
    match status("/status/podIP") {
        Some(addresses) => {
            let pods = scene.workers.iter().enumerate().map(|(place, worker)| {
                client(scene, worker, &addresses[(place + 1) % addresses.len()])
            });
            Next::Do(pods.map(|pod| scene.ask(Ask::Create(pod))).collect())
        }
        None if looks >= LOOKS => hear(scene),
        None => look(scene, SERVER),
    }
}

fn look(scene: &Scene, part: &str) -> Next {
    let get = |worker: &NodeName| scene.ask(Ask::Get(scene.key("v1", "Pod", &name(part, worker))));
    let mut acts = vec![Act::Wait { ms: 500 }];
    acts.extend(scene.workers.iter().map(get));
    Next::Do(acts)
}

/// Ends the listening, whatever came before.
fn hear(scene: &Scene) -> Next {
    Next::Do(scene.workers.iter().map(|node| Act::Hear { node: node.clone() }).collect())
}

fn judge(scene: &Scene, transcript: &Transcript) -> Next {
    let count = scene.workers.len();
    let heard = &transcript[transcript.len() - count..];
    // What this run did not begin to count is somebody else's count.
    let begun = |place: usize| matches!(transcript[place].1, Seen::Done);
    for (place, (worker, (_, seen))) in scene.workers.iter().zip(heard).enumerate() {
        if let (true, Seen::Heard(Heard { open: open @ 1.., .. })) = (begun(place), seen) {
            return fail(
                format!("{worker}: {open} packets of pods arrived in the open"),
                format!(
                    "look at the routes on the other machines: ip route, and on {worker}: journalctl -u ringfort-routes"
                ),
            );
        }
    }
    for (place, (worker, (_, seen))) in scene.workers.iter().zip(heard).enumerate() {
        match seen {
            _ if !begun(place) => {
                let why = words(&transcript[place].1);
                return gap(format!("{worker}: counting could not begin: {why}"), "ringfort up");
            }
            Seen::Heard(Heard { sealed, .. }) if *sealed >= QUESTIONS as u64 => {}
            Seen::Heard(Heard { sealed, .. }) => {
                return silent(scene, transcript, worker, *sealed);
            }
            other => {
                let said = format!("{worker}: what arrived was not counted: {}", words(other));
                return gap(said, "ringfort up");
            }
        }
    }
    let missing = transcript.iter().find(|(act, seen)| {
        matches!(act, Act::Ask { ask: Ask::Create(_), .. }) && !matches!(seen, Seen::Object(_))
    });
    if let Some((_, other)) = missing {
        return gap(format!("not every pod was made: {}", words(other)), "ringfort up");
    }
    let sealed: u64 = heard.iter().map(|(_, seen)| sealed(seen)).sum();
    pass(
        format!(
            "pods on {count} workers asked each other {QUESTIONS} times: {sealed} sealed packets arrived, and none in the open"
        ),
        heard,
    )
}

fn sealed(seen: &Seen) -> u64 {
    if let Seen::Heard(Heard { sealed, .. }) = seen { *sealed } else { 0 }
}

/// Too little arrived: either nobody spoke, which says nothing, or nobody was heard.
fn silent(scene: &Scene, transcript: &Transcript, worker: &NodeName, sealed: u64) -> Next {
    let phase = |(act, seen): &(Act, Seen)| match (act, seen) {
        (Act::Ask { ask: Ask::Get(key), .. }, Seen::Object(pod)) if key.name.contains(CLIENT) => {
            pod.pointer("/status/phase").and_then(Value::as_str).map(str::to_owned)
        }
        _ => None,
    };
    let phases: Vec<String> =
        transcript.iter().rev().filter_map(phase).take(scene.workers.len()).collect();
    if phases.iter().any(|phase| phase == "Failed") {
        return fail(
            format!(
                "pods do not reach pods of other workers; {sealed} sealed packets arrived on {worker}"
            ),
            "open UDP 51882 between the machines; look at wg show ringfort0, and at the clocks",
        );
    }
    gap(
        format!("{worker}: {sealed} sealed packets arrived, and pods asked more often than that"),
        format!("kubectl -n {} describe pods", scene.namespace),
    )
}

const SERVER: &str = "answers";
const CLIENT: &str = "asks";

fn name(part: &str, worker: &NodeName) -> String {
    format!("canary-{part}-{worker}")
}

fn server(scene: &Scene, worker: &NodeName) -> Value {
    pod(scene, worker, SERVER, &["serve".to_owned(), ":8080".to_owned()])
}

fn client(scene: &Scene, worker: &NodeName, address: &str) -> Value {
    let url = format!("http://{}/{}", host_port(address, 8080), scene.nonce);
    let mut words = vec!["get".to_owned()];
    words.extend(std::iter::repeat_n(url, QUESTIONS));
    pod(scene, worker, CLIENT, &words)
}

fn pod(scene: &Scene, worker: &NodeName, part: &str, words: &[String]) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name(part, worker), "namespace": scene.namespace},
        "spec": {
            "nodeName": worker,
            "restartPolicy": if part == SERVER { "Always" } else { "Never" },
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "canary", "image": scene.probe_image, "imagePullPolicy": "IfNotPresent",
                "args": words,
                "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}},
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
            }],
        },
    })
}
