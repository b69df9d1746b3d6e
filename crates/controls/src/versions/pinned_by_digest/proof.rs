//! Every API server and every machine runs the versions that the bundle's lock names, and none of them is
//! out of support.

use serde_json::Value;

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::{Gaps, Scene, course, fail, pass, words};

/// What a component says that it is.
struct Told {
    place: String,
    program: &'static str,
    /// Its name in the lock.
    entry: &'static str,
    version: Option<String>,
}

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let version = |server: &NodeName| Act::Ask {
            server: server.clone(),
            speaker: Speaker::Keeper,
            ask: Ask::Read { path: "/version".to_owned() },
        };
        let nodes = Ask::List { api_version: "v1".into(), kind: "Node".into(), namespace: None };
        let mut acts: Vec<Act> = scene.control_planes.iter().map(version).collect();
        acts.push(scene.ask(nodes));
        let mut gaps = Gaps::default();
        let mut told = Vec::new();
        for (act, seen) in course.step(acts)? {
            match (act.node(), seen) {
                (Some(server), Seen::Text(text)) => told.push(of_server(server, text)),
                (_, Seen::Objects(nodes)) => told.extend(nodes.iter().flat_map(of_node)),
                (_, other) => gaps.add(format!("versions: {}", words(other))),
            }
        }
        for Told { place, program, entry, version } in &told {
            match (version, scene.versions.get(*entry)) {
                (Some(version), Some(locked)) if plain(version) == plain(locked) => {}
                (Some(version), Some(locked)) => {
                    let said = format!(
                        "{place}: {program} is {version}, and the bundle's lock says {locked}"
                    );
                    return Ok(fail(said, "ringfort up"));
                }
                (None, _) => gaps.add(format!("{place}: {program} tells no version")),
                (_, None) => gaps.add(format!("the lock names no version of {entry}")),
            }
        }
        for node in scene.machines() {
            if !told.iter().any(|one| one.program == "kubelet" && one.place == node.as_str()) {
                gaps.add(format!("{node}: kubelet tells no version"));
            }
        }
        if scene.now_s > scene.minor.end_of_support_s() {
            return Ok(fail(
                format!("Kubernetes {} is out of support", scene.minor),
                "choose a later version in cluster.yaml, and run ringfort up",
            ));
        }
        gaps.close()?;
        let said = format!(
            "{} components run the versions of the bundle's lock, of a Kubernetes that is supported",
            told.len()
        );
        Ok(pass(said, course.so_far()))
    })
}

/// A version without the `v` that some write before it.
fn plain(version: &str) -> &str {
    version.trim_start_matches('v')
}

fn of_server(server: &NodeName, text: &str) -> Told {
    let said: Option<Value> = serde_json::from_str(text).ok();
    Told {
        place: server.to_string(),
        program: "kube-apiserver",
        entry: "kubernetes",
        version: said.and_then(|said| said["gitVersion"].as_str().map(str::to_owned)),
    }
}

fn of_node(node: &Value) -> [Told; 2] {
    let place = node["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let info = &node["status"]["nodeInfo"];
    let runtime = info["containerRuntimeVersion"].as_str();
    let runtime = runtime.and_then(|name| name.strip_prefix("containerd://")).map(str::to_owned);
    let kubelet = info["kubeletVersion"].as_str().map(str::to_owned);
    [
        Told { place: place.clone(), program: "kubelet", entry: "kubernetes", version: kubelet },
        Told { place, program: "containerd", entry: "containerd", version: runtime },
    ]
}
