//! What a pod on each worker reaches: the API's Service by its name and by its address, and a pod on every
//! worker. The proofs that ask for one of these share the pod.

use std::net::SocketAddr;

use serde_json::json;

use ringfort_model::act::{Ask, Seen};
use ringfort_model::name::NodeName;
use ringfort_model::net::host_port;

use super::each::until_told;
use super::inside::{Inside, PORT, inside};
use super::{AGAIN, Course, Gaps, Next, Scene, fail, gap, pod, words};

/// Looks before giving up, and the pause between two: the pod gives up before.
const LOOKS: (usize, u64) = (180, 500);

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Question {
    /// The API's Service by its name.
    Name,
    /// The API's Service at its address.
    Service,
    /// A pod on each worker, by its address.
    Pods,
}

impl Question {
    /// The words for the probe, and the line that it writes when it is answered.
    fn asks(self, scene: &Scene, pods: &[Inside]) -> Vec<([String; 2], String)> {
        let ask = |kind: &str, target: String, answer: &str| {
            let line = format!("{kind} {target} {answer}");
            ([kind.to_owned(), target], line)
        };
        match self {
            Self::Name => {
                let service = format!("kubernetes.default.svc.{}", scene.domain);
                vec![ask("resolve", service, &scene.api_address.to_string())]
            }
            Self::Service => {
                let target = SocketAddr::new(scene.api_address, 443).to_string();
                vec![ask("dial", target, "open")]
            }
            Self::Pods => {
                let url = |pod: &Inside| format!("http://{}/", host_port(&pod.address, PORT));
                pods.iter().map(|pod| ask("get", url(pod), "200")).collect()
            }
        }
    }
}

/// Shows that a pod on each worker is answered; where one is not, `look` says where to look.
pub(crate) fn answered(
    course: &mut Course<'_>,
    scene: &Scene,
    question: Question,
    look: &str,
) -> Result<(), Next> {
    let pods = inside(course, scene)?;
    let every = [Question::Name, Question::Service, Question::Pods];
    let asks: Vec<String> = every
        .into_iter()
        .flat_map(|one| one.asks(scene, &pods))
        .flat_map(|(words, _)| words)
        .collect();
    let create = |worker: &NodeName| {
        let mut pod = pod::restricted(scene, &name(worker));
        let args: Vec<&str> = ["ask"].into_iter().chain(asks.iter().map(String::as_str)).collect();
        pod["metadata"]["labels"] = json!({pod::OPEN: "yes"});
        pod["spec"]["nodeName"] = json!(worker);
        pod["spec"]["restartPolicy"] = "Never".into();
        pod["spec"]["containers"][0]["args"] = json!(args);
        scene.ask(Ask::Create(pod))
    };
    for (_, seen) in course.step(scene.workers.iter().map(create).collect())? {
        // Another proof may have been here first.
        if !matches!(seen, Seen::Object(_) | Seen::Refused { status: 409, .. }) {
            return Err(gap(format!("a canary pod was not admitted: {}", words(seen)), AGAIN));
        }
    }
    let wanted: Vec<String> =
        question.asks(scene, &pods).into_iter().map(|(_, line)| line).collect();
    let log = |worker: &NodeName| {
        scene.ask(Ask::Logs { namespace: scene.namespace.clone(), pod: name(worker) })
    };
    let missing = |log: &str| {
        let is_there = |line: &&String| log.lines().any(|found| found.trim() == **line);
        wanted.iter().find(|line| !is_there(line)).cloned()
    };
    let has_ended = |log: &str| log.lines().any(|line| line.contains(": "));
    let is_known =
        |seen: &Seen| matches!(seen, Seen::Text(log) if missing(log).is_none() || has_ended(log));
    let logs = until_told(course, LOOKS, || scene.workers.iter().map(log).collect(), is_known)?;
    let mut gaps = Gaps::default();
    for (worker, (_, seen)) in scene.workers.iter().zip(logs) {
        match seen {
            Seen::Text(log) => {
                let Some(line) = missing(log) else { continue };
                if !has_ended(log) {
                    gaps.add(format!("{worker}: a canary pod has not come to its end"));
                } else {
                    let told = log.lines().last().unwrap_or("nothing");
                    let said =
                        format!("{worker}: a pod there has no answer {line:?}; it told: {told}");
                    return Err(fail(said, look));
                }
            }
            // A pod that has not started has no log.
            other => gaps.add(format!("{worker}: a canary pod told nothing: {}", words(other))),
        }
    }
    gaps.close()
}

fn name(worker: &NodeName) -> String {
    format!("canary-errand-{worker}")
}
