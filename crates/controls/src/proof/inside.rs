//! What the kernel says inside a pod: one on each worker, which the proofs that ask for it share. It answers
//! on [`PORT`] as well.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Seen};
use ringfort_model::name::NodeName;

use super::{AGAIN, Course, Gaps, Next, Scene, gap, pod, words};

/// What was found inside a pod.
pub(crate) struct Inside {
    /// The worker.
    pub(crate) node: NodeName,
    /// The pod's `metadata.uid`.
    pub(crate) uid: String,
    /// The pod's address.
    pub(crate) address: String,
    /// What its process told of itself, by name.
    pub(crate) told: BTreeMap<String, String>,
}

/// Where the pod answers.
pub(crate) const PORT: u16 = 8080;

/// Looks before giving up, and the pause between two.
const LOOKS: (usize, u64) = (120, 500);

/// Runs the pod on each worker and gives what it told.
pub(crate) fn inside(course: &mut Course<'_>, scene: &Scene) -> Result<Vec<Inside>, Next> {
    let create = |worker: &NodeName| scene.ask(Ask::Create(plain(scene, worker)));
    for (worker, (_, seen)) in
        scene.workers.iter().zip(course.step(scene.workers.iter().map(create).collect())?)
    {
        match seen {
            // Another proof was here first.
            Seen::Object(_) | Seen::Refused { status: 409, .. } => {}
            other => {
                let said = format!("{worker}: a canary pod was not admitted: {}", words(other));
                return Err(gap(said, AGAIN));
            }
        }
    }
    let get = |worker: &NodeName| scene.ask(Ask::Get(scene.key("v1", "Pod", &name(worker))));
    let looks = || scene.workers.iter().map(get).collect();
    let runs =
        |seen: &Seen| matches!(seen, Seen::Object(pod) if pod["status"]["phase"] == "Running");
    let pods = course.until(LOOKS, looks, |seen| seen.iter().all(|(_, seen)| runs(seen)))?;
    let log = |worker: &NodeName| {
        scene.ask(Ask::Logs { namespace: scene.namespace.clone(), pod: name(worker) })
    };
    // A process that runs has told nothing yet.
    let logs = course.until(
        LOOKS,
        || scene.workers.iter().map(log).collect(),
        |seen| seen.iter().all(|(_, seen)| matches!(seen, Seen::Text(text) if is_whole(text))),
    )?;
    let mut gaps = Gaps::default();
    let mut found = Vec::new();
    for (worker, ((_, pod), (_, log))) in scene.workers.iter().zip(pods.iter().zip(logs)) {
        match (pod, log) {
            (Seen::Object(pod), Seen::Text(log)) if runs(&Seen::Object(pod.clone())) => {
                let text = |at: &str| pod.pointer(at).and_then(Value::as_str).unwrap_or_default();
                let (uid, address) =
                    (text("/metadata/uid").to_owned(), text("/status/podIP").to_owned());
                found.push(Inside { node: worker.clone(), uid, address, told: read(log) });
            }
            (Seen::Object(pod), Seen::Text(_)) => {
                let phase = pod["status"]["phase"].as_str().unwrap_or("nowhere");
                gaps.add(format!("{worker}: a canary pod is {phase} after a minute"));
            }
            (Seen::Object(_), other) | (other, _) => {
                gaps.add(format!("{worker}: {}", words(other)));
            }
        }
    }
    gaps.close()?;
    Ok(found)
}

/// The last line that the probe writes.
fn is_whole(log: &str) -> bool {
    log.lines().any(|line| line.starts_with("Users: "))
}

fn read(log: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    log.lines().filter_map(pair).collect()
}

fn name(worker: &NodeName) -> String {
    format!("canary-inside-{worker}")
}

/// A pod that says what the restricted standard asks for and nothing else.
fn plain(scene: &Scene, worker: &NodeName) -> Value {
    let mut pod = pod::restricted(scene, &name(worker));
    pod["metadata"]["labels"] = json!({pod::OPEN: "yes"});
    pod["spec"]["nodeName"] = json!(worker);
    pod["spec"]["containers"][0]["args"] = json!(["status"]);
    pod
}
