//! Nobody places a pod on a control plane, whatever it tolerates, and none is there but its own; on workers
//! none of a control plane's is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::name::NodeName;

use crate::draft::Component;
use crate::proof::tries::{GUARD, Try, refused};
use crate::proof::{AGAIN, Course, Gaps, Scene, course, fail, gap, pass, pod, words};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let Some(worker) = scene.workers.first() else {
        return gap("no worker on which a pod could be instead", "add a worker");
    };
    let on = |node: &str| {
        let mut pod = pod::restricted(scene, "canary-placed");
        pod["spec"]["nodeName"] = node.into();
        pod["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
        pod
    };
    let mut tries = Vec::new();
    for node in &scene.control_planes {
        for speaker in [Speaker::Unbound, Speaker::Admin] {
            tries.push(Try::create(
                format!("place a pod on {node}"),
                speaker,
                on(node.as_str()),
                GUARD,
            ));
        }
    }
    let good = [(Speaker::Admin, Ask::WouldCreate(on(worker.as_str())))];
    course(transcript, |course| {
        refused(course, scene, &good, &tries)?;
        let (own, all) = placed(course, scene)?;
        let said = format!(
            "nobody places a pod on a control plane ({} tries on each of {} servers); of {all} pods {own} are the control planes' own, and none is where it should not be",
            tries.len(),
            scene.control_planes.len(),
        );
        Ok(pass(said, course.so_far()))
    })
}

/// Looks where all pods are; gives how many are the control planes' own, and how many there are.
fn placed(course: &mut Course<'_>, scene: &Scene) -> Result<(usize, usize), Next> {
    let list = |kind: &str| {
        scene.ask(Ask::List {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            namespace: None,
        })
    };
    let asks = vec![scene.ask(Ask::Whereabouts), list("Namespace"), list("Node")];
    let seen = course.step(asks)?;
    let [(_, Seen::Objects(pods)), (_, Seen::Objects(namespaces)), (_, Seen::Objects(nodes))] =
        seen
    else {
        let not = seen.iter().find(|(_, seen)| !matches!(seen, Seen::Objects(_)));
        let why = not.map_or_else(String::new, |(_, seen)| words(seen));
        return Err(gap(format!("where pods are could not be looked at: {why}"), AGAIN));
    };
    let agents = of_addons(scene, namespaces);
    let mut own: BTreeMap<&NodeName, usize> =
        scene.control_planes.iter().map(|node| (node, 0)).collect();
    let is_there = |node: &str| {
        scene.machines().any(|machine| machine.as_str() == node)
            || nodes.iter().any(|object| text(object, "name") == node)
    };
    for pod in pods {
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        // Of a node that was taken out, the records of its pods are collected after a minute.
        if !is_there(node) {
            continue;
        }
        let (name, namespace) = (text(pod, "name"), text(pod, "namespace"));
        let count = own.iter_mut().find(|(plane, _)| plane.as_str() == node);
        match (count, is_own(pod, node), is_of_a_control_plane(pod)) {
            (Some((_, count)), true, _) => *count += 1,
            (Some(_), false, _) if agents.contains(namespace) => {}
            (Some(_), false, _) => {
                let said =
                    format!("{node} is a control plane, and pod {namespace}/{name} is there");
                return Err(fail(said, "kubectl delete it; who placed it there?"));
            }
            (None, _, true) => {
                let said = format!("pod {namespace}/{name} of a control plane is on {node}");
                return Err(fail(said, "look for manifests of kubelet's there: ringfort up"));
            }
            (None, _, false) => {}
        }
    }
    let mut gaps = Gaps::default();
    for (plane, _) in own.iter().filter(|(_, count)| **count == 0) {
        // A list without them is not one of all pods.
        gaps.add(format!("the pods of {plane} itself are not to be seen"));
    }
    gaps.close()?;
    Ok((own.values().sum(), pods.len()))
}

/// The namespaces of add-ons, whose agents run on every machine.
fn of_addons<'a>(scene: &Scene, namespaces: &'a [Value]) -> BTreeSet<&'a str> {
    let keeper = Speaker::Keeper.user();
    let labels: Vec<&String> = scene
        .waived
        .iter()
        .filter(|(_, users)| users.contains(&keeper))
        .map(|(label, _)| label)
        .collect();
    let is_open = |namespace: &&Value| {
        labels.iter().any(|label| !namespace["metadata"]["labels"][label.as_str()].is_null())
    };
    namespaces.iter().filter(is_open).map(|namespace| text(namespace, "name")).collect()
}

/// Says whether a pod is a component of the control plane it is on, run from a file there.
fn is_own(pod: &Value, node: &str) -> bool {
    let is_named = |component: &Component| {
        text(pod, "name").strip_prefix(component.name()) == Some(&format!("-{node}"))
    };
    let is_ours = text(pod, "namespace") == "kube-system";
    is_ours && is_mirror(pod) && Component::ALL.iter().any(is_named)
}

/// Says whether a pod is run from a file, or says that it is of a control plane.
fn is_of_a_control_plane(pod: &Value) -> bool {
    let is_system = text(pod, "namespace") == "kube-system";
    is_mirror(pod) || (is_system && pod["metadata"]["labels"]["tier"] == "control-plane")
}

fn is_mirror(pod: &Value) -> bool {
    !pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_null()
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"][key].as_str().unwrap_or_default()
}
