//! What runs on every machine, and what lies ready to, is byte for byte of the bundle; servers and kubelets
//! tell the versions that its lock names, and nothing that it names is out of support.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use ringfort_model::act::{Act, Ask, Next, ProgramSeen, Seen, Speaker, Transcript};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::name::NodeName;

use super::support::{Ends, kubernetes_soon, listed, of_kubernetes, plain};
use crate::proof::{CONTROL_PLANE_PROGRAMS, Gaps, Scene, course, fail, gap, pass, words};

/// What runs on every machine.
const EVERYWHERE: [&str; 2] = ["containerd", "kubelet"];

/// Looks before name servers are missed that do not run, and the pause between two: ten seconds.
const BEGIN: (usize, u64) = (20, 500);

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
        // On a new cluster they begin last; what they run would have to be looked at once more.
        let name_servers = || vec![scene.ask(Ask::Get(NameServers::key()))];
        course.until(BEGIN, name_servers, |seen| {
            seen.iter().all(|(_, seen)| NameServers::run(seen))
        })?;
        let version = |server: &NodeName| Act::Ask {
            server: server.clone(),
            speaker: Speaker::Keeper,
            ask: Ask::Read { path: "/version".to_owned() },
        };
        let nodes = Ask::List { api_version: "v1".into(), kind: "Node".into(), namespace: None };
        let mut acts: Vec<Act> = scene.control_planes.iter().map(version).collect();
        acts.extend([scene.ask(nodes), scene.ask(Ask::Whereabouts)]);
        acts.extend(scene.machines().map(|node| programs(scene, node)));
        let mut gaps = Gaps::default();
        let mut told = Vec::new();
        let mut compared = 0;
        let mut name_servers = NameServers::default();
        for (act, seen) in course.step(acts)? {
            match (act.node(), seen) {
                (_, Seen::Objects(pods)) if is_whereabouts(act) => {
                    name_servers.wanted = pods.iter().filter_map(placed).collect();
                }
                (Some(node), Seen::Programs(found)) => {
                    if let Some(foreign) = found.iter().find(|it| is_foreign(scene, node, it)) {
                        return Ok(stranger(node, foreign));
                    }
                    missing(scene, node, found).for_each(|what| gaps.add(what));
                    name_servers.look(scene, node, found);
                    compared += found.len();
                }
                (Some(server), Seen::Text(text)) => told.push(of_server(server, text)),
                (_, Seen::Objects(nodes)) => told.extend(nodes.iter().flat_map(of_node)),
                (_, other) => gaps.add(format!("versions: {}", words(other))),
            }
        }
        if let Some(differs) = differing(scene, &told, &mut gaps) {
            return Ok(differs);
        }
        if let Some(said) = name_servers.strange() {
            return Ok(fail(said, "find out who changed them; then ringfort up"));
        }
        name_servers.missing().for_each(|what| gaps.add(what));
        let lock = scene.versions.iter().map(|(entry, version)| (entry.as_str(), version.as_str()));
        let mut ends = Ends::of(lock, scene.now_s);
        ends.soon.extend(kubernetes_soon(scene.minor, scene.now_s));
        if let Some(over) = out_of_support(scene, &ends) {
            return Ok(over);
        }
        gaps.close()?;
        if !ends.unknown.is_empty() {
            let said = format!("not shown: {}", listed(&ends.unknown));
            return Ok(gap(said, "use a newer release of ringfort, which may know it"));
        }
        let said = format!(
            "{compared} programs on {} machines are byte for byte of the bundle; {} components tell the versions of its lock; upstreams mend {}, {}",
            scene.machines().count(),
            told.len(),
            of_kubernetes(scene.minor),
            listed(&ends.within),
        );
        Ok(pass(said + &remarks(&ends), course.so_far()))
    })
}

/// Says what is no verdict: of what no end is known, and what ends soon.
fn remarks(ends: &Ends) -> String {
    let mut said = String::new();
    if !ends.no_day.is_empty() {
        said += &format!("; no window known: {}", listed(&ends.no_day));
    }
    if !ends.soon.is_empty() {
        let soon = listed(&ends.soon);
        said += &format!("; ends within 60 days: {soon}; take a newer release of ringfort before");
    }
    said
}

/// Compares what components tell with the lock, and gives how the proof ends if one is of another version.
fn differing(scene: &Scene, told: &[Told], gaps: &mut Gaps) -> Option<Next> {
    for Told { place, program, entry, version } in told {
        match (version, scene.versions.get(*entry)) {
            (Some(version), Some(locked)) if plain(version) == plain(locked) => {}
            (Some(version), Some(locked)) => {
                let said =
                    format!("{place}: {program} is {version}, and the bundle's lock says {locked}");
                return Some(fail(said, "ringfort up"));
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
    None
}

/// Gives how the proof ends if upstream mends something no more.
fn out_of_support(scene: &Scene, ends: &Ends) -> Option<Next> {
    if scene.now_s > scene.minor.end_of_support_s() {
        return Some(fail(
            format!("Kubernetes {} is out of support", scene.minor),
            "choose a later version in cluster.yaml, and run ringfort up",
        ));
    }
    (!ends.over.is_empty()).then(|| {
        fail(
            listed(&ends.over),
            "build a bundle with a newer release of ringfort: ringfort bundle build; then ringfort up",
        )
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

/// The name servers that run on workers, where programs in pods are users' own otherwise.
#[derive(Default)]
struct NameServers {
    /// The machine of each.
    wanted: Vec<String>,
    /// How many of the bundle run in a machine's pods, and how many others of that name.
    found: BTreeMap<String, (usize, usize)>,
}

impl NameServers {
    const NAME: &str = "coredns";

    fn key() -> ObjectKey {
        ObjectKey {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("kube-system".to_owned()),
            name: Self::NAME.to_owned(),
        }
    }

    /// Whether as many are ready as should be.
    fn run(deployment: &Seen) -> bool {
        let Seen::Object(deployment) = deployment else { return false };
        let wanted = deployment["spec"]["replicas"].as_u64();
        wanted.is_some() && deployment["status"]["readyReplicas"].as_u64() >= wanted
    }

    fn look(&mut self, scene: &Scene, node: &NodeName, found: &[ProgramSeen]) {
        let of_name = found.iter().filter(|it| it.name == Self::NAME);
        let ours = |it: &&ProgramSeen| {
            scene.programs.get(Self::NAME).is_some_and(|known| known.contains(&it.digest))
        };
        let (ours, others): (Vec<_>, Vec<_>) = of_name.partition(ours);
        let count = |all: &[&ProgramSeen]| all.iter().map(|it| it.in_pods as usize).sum();
        self.found.insert(node.to_string(), (count(&ours), count(&others)));
    }

    /// Each machine with too few of the bundle's: how many there should be, there are, and there are of others.
    fn short(&self) -> impl Iterator<Item = (&String, usize, usize, usize)> {
        let machines: BTreeSet<&String> = self.wanted.iter().collect();
        let counted = machines.into_iter().map(|node| {
            let wanted = self.wanted.iter().filter(|it| *it == node).count();
            let (ours, others) = self.found.get(node).copied().unwrap_or_default();
            (node, wanted, ours, others)
        });
        counted.filter(|(_, wanted, ours, _)| ours < wanted)
    }

    fn strange(&self) -> Option<String> {
        let (node, wanted, ours, others) = self.short().find(|(.., others)| *others > 0)?;
        Some(format!(
            "{node}: of {wanted} name servers {ours} run what the bundle has, and {others} programs of that name do not"
        ))
    }

    fn missing(&self) -> impl Iterator<Item = String> {
        let none = self.wanted.is_empty().then(|| "no name server has a machine".to_owned());
        let short = self.short().map(|(node, wanted, ours, _)| {
            format!("{node}: {ours} of {wanted} name servers were seen to run")
        });
        none.into_iter().chain(short)
    }
}

/// The machine of a name server's pod.
fn placed(pod: &Value) -> Option<String> {
    let name = pod["metadata"]["name"].as_str()?;
    let node = pod["spec"]["nodeName"].as_str()?;
    let is_one = pod["metadata"]["namespace"] == "kube-system" && name.starts_with("coredns-");
    is_one.then(|| node.to_owned())
}

fn is_whereabouts(act: &Act) -> bool {
    matches!(act, Act::Ask { ask: Ask::Whereabouts, .. })
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
