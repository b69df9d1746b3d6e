//! A pod on each worker that does one thing and ends.

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Seen};
use ringfort_model::name::NodeName;

use super::{AGAIN, Course, Gaps, Next, Scene, fail, gap, pod, words};

/// Looks before giving up, and the pause between two.
const LOOKS: (usize, u64) = (180, 500);

/// Runs the probe on each worker with these words, and gives what each wrote. One that has not come to its
/// end well after a minute and a half is a failure, which says `what` was tried.
pub(crate) fn errand(
    course: &mut Course<'_>,
    scene: &Scene,
    name: &str,
    words_of_probe: &[String],
    what: &str,
) -> Result<Vec<(NodeName, String)>, Next> {
    let named = |worker: &NodeName| format!("canary-{name}-{worker}");
    let create = |worker: &NodeName| {
        let mut pod = pod::restricted(scene, &named(worker));
        pod["spec"]["nodeName"] = json!(worker);
        pod["spec"]["containers"][0]["args"] = json!(words_of_probe);
        scene.ask(Ask::Create(pod))
    };
    for (_, seen) in course.step(scene.workers.iter().map(create).collect())? {
        if !matches!(seen, Seen::Object(_)) {
            return Err(gap(format!("a canary pod was not admitted: {}", words(seen)), AGAIN));
        }
    }
    let get = |worker: &NodeName| scene.ask(Ask::Get(scene.key("v1", "Pod", &named(worker))));
    let looks = || scene.workers.iter().map(get).collect();
    let pods = course.until(LOOKS, looks, |seen| seen.iter().all(|(_, pod)| has_ended(pod)))?;
    let log = |worker: &NodeName| {
        scene.ask(Ask::Logs { namespace: scene.namespace.clone(), pod: named(worker) })
    };
    let logs = course.step(scene.workers.iter().map(log).collect())?;
    let mut gaps = Gaps::default();
    let mut wrote = Vec::new();
    for (worker, ((_, pod), (_, log))) in scene.workers.iter().zip(pods.iter().zip(logs)) {
        match (pod, log) {
            (Seen::Object(_), Seen::Text(log)) if has_ended(pod) => {
                wrote.push((worker.clone(), log.clone()));
            }
            (Seen::Object(pod), log) => {
                let phase = pod["status"]["phase"].as_str().unwrap_or("nowhere");
                let last = match log {
                    Seen::Text(log) => log.lines().last().unwrap_or("it wrote nothing").to_owned(),
                    other => words(other),
                };
                return Err(fail(
                    format!("{worker}: {what}: its pod is {phase} after 90 s: {last}"),
                    format!("kubectl -n {} describe pod {}", scene.namespace, named(worker)),
                ));
            }
            (other, _) => gaps.add(format!("{worker}: {}", words(other))),
        }
    }
    gaps.close()?;
    Ok(wrote)
}

fn has_ended(pod: &Seen) -> bool {
    let phase =
        |pod: &Value| pod.pointer("/status/phase").and_then(Value::as_str).map(str::to_owned);
    matches!(pod, Seen::Object(pod) if phase(pod).as_deref() == Some("Succeeded"))
}
