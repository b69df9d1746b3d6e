//! A pod of a proof's own on each worker: made, awaited, and read. Proofs that want the same pod share it.

use serde_json::Value;

use ringfort_model::act::{Act, Ask, Seen};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::name::NodeName;

use super::{AGAIN, Course, Gaps, Next, Scene, gap, words};

/// What became of a pod.
pub(crate) struct Ran {
    /// The worker.
    pub(crate) node: NodeName,
    /// The pod.
    pub(crate) pod: Value,
    /// What it wrote.
    pub(crate) log: String,
}

/// Looks before giving up, and the pause between two.
const LOOKS: (usize, u64) = (120, 500);

/// Runs a pod on each worker until it is up and has written all that it writes.
pub(crate) fn on_each_worker(
    course: &mut Course<'_>,
    scene: &Scene,
    make: &dyn Fn(&NodeName) -> Value,
    is_up: fn(&Value) -> bool,
    is_whole: fn(&str) -> bool,
) -> Result<Vec<Ran>, Next> {
    if scene.workers.is_empty() {
        // What is shown on each of none is not shown.
        return Err(gap("the cluster has no workers to show it on", "add a worker"));
    }
    let pods: Vec<Value> = scene.workers.iter().map(make).collect();
    let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let create = pods.iter().map(|pod| scene.ask(Ask::Create(pod.clone()))).collect();
    for (worker, (_, seen)) in scene.workers.iter().zip(course.step(create)?) {
        match seen {
            // Another proof was here first.
            Seen::Object(_) | Seen::Refused { status: 409, .. } => {}
            other => {
                let said = format!("{worker}: a canary pod was not admitted: {}", words(other));
                return Err(gap(said, AGAIN));
            }
        }
    }
    let within = |pod: &Value| pod["metadata"]["namespace"].as_str().map(str::to_owned);
    let get = |pod: &Value| {
        let key = scene.key("v1", "Pod", &name(pod));
        scene.ask(Ask::Get(ObjectKey { namespace: within(pod), ..key }))
    };
    let up = course.until(
        LOOKS,
        || pods.iter().map(get).collect(),
        |seen| seen.iter().all(|(_, seen)| matches!(seen, Seen::Object(pod) if is_up(pod))),
    )?;
    let mut gaps = Gaps::default();
    let mut running = Vec::new();
    for ((worker, made), (_, seen)) in scene.workers.iter().zip(&pods).zip(up) {
        match seen {
            Seen::Object(pod) if is_up(pod) => running.push((worker, made, pod)),
            Seen::Object(pod) => {
                let phase = pod["status"]["phase"].as_str().unwrap_or("nowhere");
                gaps.add(format!(
                    "{worker}: a canary pod is {phase} after a minute, and not as it should be"
                ));
            }
            other => gaps.add(format!("{worker}: {}", words(other))),
        }
    }
    let log = |(_, pod, _): &(&NodeName, &Value, &Value)| {
        let namespace = within(pod).unwrap_or_default();
        scene.ask(Ask::Logs { namespace, pod: name(pod) })
    };
    // A process that runs has told nothing yet.
    let has_told = |seen: &Seen| matches!(seen, Seen::Text(text) if is_whole(text));
    let logs = until_told(course, LOOKS, || running.iter().map(log).collect(), has_told)?;
    let mut ran = Vec::new();
    for ((worker, _, pod), (_, seen)) in running.into_iter().zip(logs) {
        match seen {
            Seen::Text(log) if is_whole(log) => {
                ran.push(Ran { node: worker.clone(), pod: pod.clone(), log: log.clone() });
            }
            Seen::Text(_) => {
                gaps.add(format!("{worker}: a canary pod has not told all"));
            }
            other => gaps.add(format!("{worker}: {}", words(other))),
        }
    }
    gaps.close()?;
    Ok(ran)
}

/// Looks at what pods write until all have told what is wanted. A machine that is silent is waited for once
/// only: its server asks it for as long as a proof may take.
pub(crate) fn until_told<'a>(
    course: &mut Course<'a>,
    looks: (usize, u64),
    acts: impl Fn() -> Vec<Act>,
    has_told: impl Fn(&Seen) -> bool,
) -> Result<&'a [(Act, Seen)], Next> {
    course.until(looks, acts, |seen| {
        seen.iter().any(|(_, seen)| matches!(seen, Seen::Failed { .. }))
            || seen.iter().all(|(_, seen)| has_told(seen))
    })
}
