//! Every API server and every machine runs the versions that the bundle's lock names, and none of them is
//! out of support.

use serde_json::Value;

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::{Scene, course, fail, gap, pass, words};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let version = |server: &NodeName| Act::Ask {
            server: server.clone(),
            speaker: Speaker::Keeper,
            ask: Ask::Read { path: "/version".to_owned() },
        };
        let mut acts: Vec<Act> = scene.control_planes.iter().map(version).collect();
        acts.push(scene.ask(Ask::List {
            api_version: "v1".into(),
            kind: "Node".into(),
            namespace: None,
        }));
        let seen = course.step(acts)?;
        let mut found = Vec::new();
        for (act, seen) in seen {
            match (act, seen) {
                (Act::Ask { server, .. }, Seen::Text(text)) => {
                    let said: Option<Value> = serde_json::from_str(text).ok();
                    let version = said.and_then(|v| v["gitVersion"].as_str().map(str::to_owned));
                    found.push((server.to_string(), "kube-apiserver", "kubernetes", version));
                }
                (_, Seen::Objects(nodes)) => {
                    for node in nodes {
                        let text =
                            |at: &str| node.pointer(at).and_then(Value::as_str).map(str::to_owned);
                        let name = text("/metadata/name").unwrap_or_default();
                        let runtime = text("/status/nodeInfo/containerRuntimeVersion");
                        let runtime =
                            runtime.map(|r| r.trim_start_matches("containerd://").to_owned());
                        let kubelet = text("/status/nodeInfo/kubeletVersion");
                        found.push((name.clone(), "kubelet", "kubernetes", kubelet));
                        found.push((name, "containerd", "containerd", runtime));
                    }
                }
                (_, other) => {
                    return Ok(gap(
                        format!("versions were not told: {}", words(other)),
                        "ringfort prove",
                    ));
                }
            }
        }
        for (place, program, component, version) in &found {
            let Some(expected) = scene.versions.get(*component) else {
                return Ok(gap(
                    format!("the lock names no version of {component}"),
                    "ringfort bundle verify",
                ));
            };
            let plain = |text: &str| text.trim_start_matches('v').to_owned();
            match version {
                Some(version) if plain(version) == plain(expected) => {}
                Some(version) => {
                    return Ok(fail(
                        format!(
                            "{place}: {program} is {version}, and the bundle's lock says {expected}"
                        ),
                        "ringfort up",
                    ));
                }
                None => {
                    return Ok(gap(
                        format!("{place}: {program} tells no version"),
                        "ringfort prove",
                    ));
                }
            }
        }
        let machines = scene.machines().count();
        let nodes = found.iter().filter(|(_, program, ..)| *program == "kubelet").count();
        if nodes < machines {
            return Ok(gap(
                format!("{nodes} of {machines} nodes told their versions"),
                "ringfort prove",
            ));
        }
        if scene.now_s > scene.minor.end_of_support_s() {
            return Ok(fail(
                format!("Kubernetes {} is out of support", scene.minor),
                "choose a later version in cluster.yaml, and run ringfort up",
            ));
        }
        Ok(pass(
            format!(
                "{} components run the versions of the bundle's lock, of a Kubernetes that is supported",
                found.len()
            ),
            course.so_far(),
        ))
    })
}
