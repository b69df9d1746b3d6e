//! What runs on every machine, and what lies ready to, is byte for byte of the bundle; servers and kubelets
//! tell the versions that its lock names, and none of them is out of support.

use serde_json::Value;

use ringfort_model::act::{Act, Ask, Next, ProgramSeen, Seen, Speaker, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::{CONTROL_PLANE_PROGRAMS, Gaps, Scene, course, fail, pass, words};

/// What runs on every machine.
const EVERYWHERE: [&str; 2] = ["containerd", "kubelet"];

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
        acts.extend(scene.machines().map(|node| programs(scene, node)));
        let mut gaps = Gaps::default();
        let mut told = Vec::new();
        let mut compared = 0;
        for (act, seen) in course.step(acts)? {
            match (act.node(), seen) {
                (Some(node), Seen::Programs(found)) => {
                    if let Some(foreign) = found.iter().find(|it| is_foreign(scene, node, it)) {
                        return Ok(stranger(node, foreign));
                    }
                    missing(scene, node, found).for_each(|what| gaps.add(what));
                    compared += found.len();
                }
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
            "{compared} programs on {} machines are byte for byte of the bundle; {} components tell the versions of its lock, of a Kubernetes that is supported",
            scene.machines().count(),
            told.len()
        );
        Ok(pass(said, course.so_far()))
    })
}

/// Reads what of the bundle runs on a machine, and what lies there.
fn programs(scene: &Scene, node: &NodeName) -> Act {
    Act::Programs {
        node: node.clone(),
        names: scene.programs.keys().cloned().collect(),
        paths: scene.program_files.get(node).into_iter().flatten().cloned().collect(),
    }
}

/// Whether a program is none of the bundle. What users' pods run on workers is theirs, whatever they call it.
fn is_foreign(scene: &Scene, node: &NodeName, program: &ProgramSeen) -> bool {
    let is_of_users = program.running == 0 && program.in_pods > 0 && scene.workers.contains(node);
    let digests = scene.programs.get(&program.name);
    !is_of_users && !digests.is_some_and(|digests| digests.contains(&program.digest))
}

fn stranger(node: &NodeName, program: &ProgramSeen) -> Next {
    let ProgramSeen { name, path, digest, running, in_pods } = program;
    let how = match running + in_pods {
        0 => "lies at",
        _ => "runs from",
    };
    fail(
        format!("{node}: {name} {how} {path} and is not the bundle's: {}", digest.short()),
        "find out who put it there; ringfort up puts the bundle's own in its place",
    )
}

/// Names what should run on a machine or lie there, and was not found.
fn missing<'a>(
    scene: &'a Scene,
    node: &'a NodeName,
    found: &'a [ProgramSeen],
) -> impl Iterator<Item = String> + 'a {
    let of_plane = match scene.control_planes.contains(node) {
        true => &CONTROL_PLANE_PROGRAMS[..],
        false => &[],
    };
    let runs = |name: &str| found.iter().any(|it| it.name == name && it.running + it.in_pods > 0);
    let silent = EVERYWHERE.iter().chain(of_plane).filter(move |name| !runs(name));
    let lies = |path: &String| found.iter().any(|it| it.path == *path);
    let paths = scene.program_files.get(node).into_iter().flatten();
    silent
        .map(move |name| format!("{node}: no {name} runs"))
        .chain(paths.filter(move |path| !lies(path)).map(move |path| format!("{node}: no {path}")))
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
