//! What pods on each worker reach at their first try, and what they do not: a pod asks all at once, as soon as
//! it begins, each port once only, and serves on [`PORT`] afterwards.

use serde_json::{Value, json};

use ringfort_model::identity::neighbour_of;
use ringfort_model::name::NodeName;
use ringfort_model::net::host_port;

use super::each::{Ran, on_each_worker};
use super::inside::PORT;
use super::{AGAIN, Course, Next, Scene, gap, pod};

/// What a pod of a worker found.
pub(crate) struct Tried {
    /// The worker.
    pub(crate) node: NodeName,
    /// The pod's address.
    pub(crate) address: String,
    log: String,
}

impl Tried {
    /// Gives the answer to a question.
    pub(crate) fn answer(&self, question: &[String; 2]) -> Option<&str> {
        let asked = format!("{} {} ", question[0], question[1]);
        self.log.lines().find_map(|line| line.strip_prefix(asked.as_str())).map(str::trim)
    }

    /// Gives after how many seconds a question was answered that had to be asked again.
    pub(crate) fn waited_s(&self, question: &[String; 2]) -> Option<u64> {
        let asked = format!("waited {} {} ", question[0], question[1]);
        let seconds = self.log.lines().find_map(|line| line.strip_prefix(asked.as_str()))?;
        seconds.trim().parse().ok()
    }
}

/// Finds a pod and a target that packets came through to: a port that is open, or that somebody refuses. What
/// one pod has shown stands, whatever others have not told.
///
/// # Errors
/// Nothing came through, as far as was told, and a question has no answer.
pub(crate) fn leak<'a>(
    pods: &'a [Tried],
    questions: &'a [[String; 2]],
) -> Result<Option<(&'a NodeName, &'a str)>, Next> {
    let mut untold = None;
    for pod in pods {
        for question in questions {
            let target = question[1].as_str();
            match pod.answer(question) {
                Some("silent") => {}
                Some(_) => return Ok(Some((&pod.node, target))),
                None => untold = untold.or(Some((&pod.node, target))),
            }
        }
    }
    match untold {
        Some((node, target)) => Err(gap(format!("{node}: a pod told nothing of {target}"), AGAIN)),
        None => Ok(None),
    }
}

/// A question to a port.
pub(crate) fn dial(to: &str, port: u16) -> [String; 2] {
    ["dial".to_owned(), host_port(to, port)]
}

/// In which namespaces pods run that try something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Within {
    /// All in the run's own.
    One,
    /// Machine by machine in the second one and in the first: who is let in may be whoever is of the same namespace, or
    /// whoever is of another.
    Both,
}

/// Runs a pod on each worker, with a label or without, and gives what each found. That a pod is ready
/// shows that its own machine reaches it.
pub(crate) fn tried(
    course: &mut Course<'_>,
    scene: &Scene,
    (stem, within): (&str, Within),
    label: Option<&str>,
    questions: &[[String; 2]],
) -> Result<Vec<Tried>, Next> {
    let make = |worker: &NodeName| {
        let mut pod = asking(scene, &format!("canary-{stem}-{worker}"), worker, label, questions);
        let turn = scene.workers.iter().position(|one| one == worker).unwrap_or_default();
        if within == Within::Both && turn.is_multiple_of(2) {
            pod["metadata"]["namespace"] = neighbour_of(&scene.namespace).into();
        }
        pod
    };
    let ran = on_each_worker(course, scene, &make, is_ready, is_whole)?;
    let found = ran.into_iter().map(|Ran { node, pod, log }| {
        let address = pod["status"]["podIP"].as_str().unwrap_or_default().to_owned();
        Tried { node, address, log }
    });
    Ok(found.collect())
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|it| it["type"] == "Ready" && it["status"] == "True")
}

/// The last line that the probe writes.
fn is_whole(log: &str) -> bool {
    log.lines().any(|line| line == "tried")
}

fn asking(
    scene: &Scene,
    name: &str,
    worker: &NodeName,
    label: Option<&str>,
    questions: &[[String; 2]],
) -> Value {
    let mut object = pod::restricted(scene, name);
    let args: Vec<&str> =
        ["try"].into_iter().chain(questions.iter().flatten().map(String::as_str)).collect();
    if let Some(label) = label {
        object["metadata"]["labels"] = json!({label: "yes"});
    }
    object["spec"]["nodeName"] = json!(worker);
    object["spec"]["containers"][0]["args"] = json!(args);
    object["spec"]["containers"][0]["readinessProbe"] =
        json!({"tcpSocket": {"port": PORT}, "periodSeconds": 1});
    object
}
