//! Pods and workloads that others published with their verdicts. They lie beside the repository, where
//! they lie at all: `RINGFORT_ORACLES` names the directory.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cluster::Cluster;

/// The version of the standard whose samples are tried, the newest there are.
const STANDARD: &str = "v1.34";

/// Samples on which this cluster and the standard differ, by the beginnings of their names, and why.
const LEDGER: [(&str, &str); 2] = [
    (" seccompprofile-restricted", "what is unsaid is filled in"),
    ("base-windows", "machines run Linux, and what is filled in is Linux's"),
];

/// Every published bad workload is refused. Every sample of the restricted standard is judged as it says,
/// as a pod and as the template of a Deployment.
pub fn judged(cluster: &Cluster) {
    let Some(oracles) = oracles() else {
        cluster.skip("no published samples lie here: set RINGFORT_ORACLES to their directory");
        return;
    };
    let bad = objects(cluster, &oracles.join("bad-pods"));
    let admitted = admitted(cluster, &bad);
    assert!(admitted.is_empty(), "admitted: {admitted:?}");
    let samples = oracles.join("pod-security-admission/restricted").join(STANDARD);
    let mut differing = Vec::new();
    for (verdict, expected) in [("fail", false), ("pass", true)] {
        let pods = objects(cluster, &samples.join(verdict));
        let templates: Vec<Value> = pods.iter().map(deployment).collect();
        for (kind, objects) in [("pod", &pods), ("template", &templates)] {
            let taken = self::admitted(cluster, objects);
            let is_other = |object: &&Value| taken.contains(&name(object)) != expected;
            let others = objects.iter().filter(is_other).map(name);
            differing.extend(others.map(|name| format!("{verdict} {kind} {name}")));
        }
        println!("     {} samples that {verdict} were tried as pods and as templates", pods.len());
    }
    differing.retain(|one| !LEDGER.iter().any(|(known, _)| one.contains(known)));
    assert!(differing.is_empty(), "judged otherwise: {differing:#?}");
}

fn oracles() -> Option<PathBuf> {
    let holds = |path: &PathBuf| path.join("bad-pods").is_dir();
    if let Some(named) = std::env::var_os("RINGFORT_ORACLES").map(PathBuf::from) {
        assert!(holds(&named), "RINGFORT_ORACLES names no directory of samples");
        return Some(named);
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracles");
    Some(beside).filter(holds)
}

/// Copies the manifests of a directory into one, in versions of the API that there still are.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let path = entry.path();
        match path.extension() {
            _ if path.is_dir() => copy(&path, to),
            Some(ending) if ending == "yaml" => {
                let text = std::fs::read_to_string(&path).unwrap();
                let count = std::fs::read_dir(to).unwrap().count();
                let text = text.replace("batch/v1beta1", "batch/v1");
                std::fs::write(to.join(format!("{count}.yaml")), text).unwrap();
            }
            _ => {}
        }
    }
}

/// Reads the manifests of a directory that make pods: one a file, each with a name of its own.
fn objects(cluster: &Cluster, directory: &Path) -> Vec<Value> {
    let copies = cluster.directory.join("published");
    let _ = std::fs::remove_dir_all(&copies);
    std::fs::create_dir_all(&copies).unwrap();
    copy(directory, &copies);
    let files = std::fs::read_dir(&copies).unwrap().count();
    let path = copies.to_str().unwrap();
    let said = cluster.kubectl(&[
        "create",
        "--dry-run=client",
        "--validate=false",
        "-o",
        "json",
        "-R",
        "-f",
        path,
    ]);
    let read = serde_json::Deserializer::from_str(&said.stdout).into_iter::<Value>();
    let mut objects = Vec::new();
    for value in read.map(Result::unwrap) {
        match value["items"].as_array() {
            Some(items) => objects.extend(items.clone()),
            None => objects.push(value),
        }
    }
    objects.retain(|object| object["kind"] != "Service");
    assert!(files >= 20 && objects.len() == files, "{} of {files} were read", objects.len());
    for (place, object) in objects.iter_mut().enumerate() {
        let named = format!("{}-{place}", object["metadata"]["name"].as_str().unwrap());
        object["metadata"] = json!({"name": named.replace('_', "-"), "namespace": "default",
            "annotations": object["metadata"]["annotations"], "labels": object["metadata"]["labels"]});
    }
    objects
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

/// A Deployment of such pods.
fn deployment(pod: &Value) -> Value {
    let labels = json!({"sample": "one"});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name(pod), "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": pod["metadata"]["annotations"]},
                "spec": pod["spec"],
            },
        },
    })
}

/// Gives the names of those that the cluster would take.
fn admitted(cluster: &Cluster, objects: &[Value]) -> Vec<String> {
    let path = cluster.directory.join("samples.json");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    std::fs::write(&path, list.to_string()).unwrap();
    let path = path.to_str().unwrap();
    let said = cluster.kubectl(&[
        "create",
        "--dry-run=server",
        "--validate=false",
        "-o",
        "name",
        "-f",
        path,
    ]);
    let is_refusal = |line: &&str| {
        line.starts_with("Error from server")
            || (line.starts_with("The ") && line.contains(" is invalid:"))
    };
    let refused = said.stderr.lines().filter(is_refusal).count();
    let taken: Vec<String> = said
        .stdout
        .lines()
        .filter_map(|line| Some(line.split_once('/')?.1.trim().to_owned()))
        .collect();
    // Whatever is neither taken nor refused was not tried.
    let tried = taken.len() + refused;
    assert_eq!(tried, objects.len(), "{}", said.stderr);
    taken
}
