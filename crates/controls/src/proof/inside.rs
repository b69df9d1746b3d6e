//! What the kernel says inside a pod: one on each worker, which the proofs that ask for it share. It answers
//! on [`PORT`] as well.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use ringfort_model::name::NodeName;

use super::each::{Ran, on_each_worker};
use super::{Course, Next, Scene, pod};

/// What was found inside a pod.
pub(crate) struct Inside {
    /// The worker.
    pub(crate) node: NodeName,
    /// The pod's address.
    pub(crate) address: String,
    /// What its process told of itself, by name.
    pub(crate) told: BTreeMap<String, String>,
}

/// The pod's program, as its process is named on the machine.
pub(crate) const PROGRAM: &str = "probe";
/// Where the pod answers.
pub(crate) const PORT: u16 = 8080;

/// Runs the pod on each worker and gives what it told.
pub(crate) fn inside(course: &mut Course<'_>, scene: &Scene) -> Result<Vec<Inside>, Next> {
    let runs = |pod: &Value| pod["status"]["phase"] == "Running";
    let ran = on_each_worker(course, scene, &|worker| plain(scene, worker), runs, is_whole)?;
    let found = ran.into_iter().map(|Ran { node, pod, log }| {
        let text = |at: &str| pod.pointer(at).and_then(Value::as_str).unwrap_or_default();
        let address = text("/status/podIP").to_owned();
        Inside { node, address, told: read(&log) }
    });
    Ok(found.collect())
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
