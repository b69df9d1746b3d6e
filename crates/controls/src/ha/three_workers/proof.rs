//! A worker is lost, and what ran on it runs on the others.

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, Next, Seen, Transcript};

use crate::proof::{AGAIN, Course, Scene, course, fail, gap, pass, pod, words};

const NAME: &str = "canary-lost";
/// Looks at pods before giving up, and the pause between two. Kubernetes misses a machine after 50 s.
const LOOKS: (usize, u64) = (150, 1_000);

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        if scene.workers.len() < 2 {
            return Ok(gap("there is no second worker", "add workers to cluster.yaml"));
        }
        let create = scene.ask(Ask::Create(deployment(scene)));
        if let [(_, other)] = course.step(vec![create])?
            && !matches!(other, Seen::Object(_))
        {
            return Ok(gap(format!("a Deployment was not taken: {}", words(other)), AGAIN));
        }
        let pods = course.until(LOOKS, || vec![list(scene)], |seen| running(seen).len() == 2)?;
        let before = running(pods);
        let Some(node) = scene.workers.iter().find(|worker| before.contains(&worker.to_string()))
        else {
            return Ok(gap("two pods of a Deployment did not come to run", AGAIN));
        };
        let lose = course.step(vec![Act::Lose { node: node.clone() }])?;
        let was_lost = matches!(lose, [(_, Seen::Done)]);
        let pods = lost(course, scene, node.as_str(), was_lost)?;
        let back = course.step(vec![Act::Regain { node: node.clone() }])?;
        if !was_lost || !matches!(back, [(_, Seen::Done)]) {
            let seen = lose.iter().chain(back).find(|(_, seen)| !matches!(seen, Seen::Done));
            let why = seen.map_or_else(String::new, |(_, seen)| words(seen));
            return Ok(gap(format!("{node} could not be lost and given back: {why}"), AGAIN));
        }
        if pods.len() < 2 {
            let said = format!(
                "{node} was lost, and what ran there runs nowhere else after {} looks, a second apart",
                LOOKS.0,
            );
            return Ok(fail(said, "is the controller of nodes' lives on? ringfort up"));
        }
        let said = format!("{node} was lost, and what ran there ran on {}", pods.join(" and "));
        Ok(pass(said, course.so_far()))
    })
}

/// Waits until both pods run on machines that are there.
fn lost(
    course: &mut Course<'_>,
    scene: &Scene,
    node: &str,
    was_lost: bool,
) -> Result<Vec<String>, Next> {
    let elsewhere = |seen: &[(Act, Seen)]| {
        running(seen).into_iter().filter(|place| place != node).collect::<Vec<_>>()
    };
    let looks = if was_lost { LOOKS } else { (1, 0) };
    let pods = course.until(looks, || vec![list(scene)], |seen| elsewhere(seen).len() == 2)?;
    Ok(elsewhere(pods))
}

fn list(scene: &Scene) -> Act {
    scene.ask(Ask::List {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        namespace: Some(scene.namespace.clone()),
    })
}

/// Where pods of the Deployment run that nobody has asked to end.
fn running(seen: &[(Act, Seen)]) -> Vec<String> {
    let Some((_, Seen::Objects(pods))) = seen.last() else { return Vec::new() };
    let is_ours = |pod: &&Value| {
        pod["metadata"]["labels"]["canary"] == NAME
            && pod["metadata"]["deletionTimestamp"].is_null()
            && pod["status"]["phase"] == "Running"
    };
    let place = |pod: &Value| pod["spec"]["nodeName"].as_str().map(str::to_owned);
    pods.iter().filter(is_ours).filter_map(place).collect()
}

/// Two pods on two workers, which put up with a lost machine for a second only.
fn deployment(scene: &Scene) -> Value {
    let mut pod = pod::restricted(scene, NAME)["spec"].take();
    pod["restartPolicy"] = "Always".into();
    pod["containers"][0]["args"] = json!(["serve"]);
    let tolerates = |key: &str| {
        json!({
            "key": format!("node.kubernetes.io/{key}"), "operator": "Exists",
            "effect": "NoExecute", "tolerationSeconds": 1,
        })
    };
    pod["tolerations"] = json!([tolerates("unreachable"), tolerates("not-ready")]);
    let labels = json!({"canary": NAME});
    pod["topologySpreadConstraints"] = json!([{
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": labels},
    }]);
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": scene.namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    })
}
