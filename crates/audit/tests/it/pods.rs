//! Kubernetes' own samples of the Pod Security Standards, as somebody would create them: those that fail are
//! found, those that pass are quiet, and templates are judged as pods are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ringfort_audit::detections::{DETECTIONS, find};
use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use ringfort_facts::manifest;
use serde_json::{Value, json};

use crate::oracles::oracles;

/// How their checks are called at the beginning of a sample's name, and the detections that are about the
/// same.
const CHECKS: [(&str, &[&str]); 4] = [
    ("hostnamespaces", &["detect/host-ipc", "detect/host-network", "detect/host-processes"]),
    ("privileged", &["detect/privileged-container"]),
    ("sysctls", &["detect/unconfined"]),
    ("windowshostprocess", &["detect/unconfined"]),
];

/// What no pod that passes the level baseline may be found for.
const QUIET: [&str; 6] = [
    "detect/host-ipc",
    "detect/host-network",
    "detect/host-path",
    "detect/host-processes",
    "detect/privileged-container",
    "detect/unconfined",
];

#[test]
fn samples_that_fail_are_found_and_those_that_pass_are_quiet() {
    let Some(samples) = oracles("pod-security-admission") else { return };
    let (mut failing, mut passing) = (0, 0);
    for version in entries(&samples.join("baseline")) {
        for file in entries(&version.join("fail")) {
            let stem = file.file_stem().unwrap().to_str().unwrap();
            let check = stem.trim_end_matches(|letter: char| letter.is_ascii_digit());
            let Some((_, ids)) = CHECKS.iter().find(|(name, _)| *name == check) else { continue };
            failing += 1;
            for found in judged(&file) {
                assert!(ids.iter().any(|id| found.contains(id)), "{}: {found:?}", file.display());
            }
        }
        for file in entries(&version.join("pass")) {
            passing += 1;
            for found in judged(&file) {
                assert!(
                    !QUIET.iter().any(|id| found.contains(id)),
                    "{}: {found:?}",
                    file.display()
                );
            }
        }
    }
    println!(
        "{failing} samples that fail were found, {passing} that pass were quiet, as pods and in templates"
    );
    assert!(failing > 100 && passing > 100);
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(directory).unwrap().map(|it| it.unwrap().path()).collect();
    all.sort();
    all
}

/// What is found of a sample: created as a pod, and in the template of a CronJob.
fn judged(file: &Path) -> [BTreeSet<&'static str>; 2] {
    let documents = manifest::read(&fs::read_to_string(file).unwrap()).unwrap();
    let pod = documents[0].value();
    let job = json!({"spec": {"jobTemplate": {"spec": {"template": {
        "metadata": pod["metadata"], "spec": pod["spec"],
    }}}}});
    [judge("", "pods", pod), judge("batch", "cronjobs", &job)]
}

fn judge(group: &str, resource: &str, object: &Value) -> BTreeSet<&'static str> {
    let event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": "create",
        "objectRef": {"apiGroup": group, "resource": resource, "namespace": "web", "name": "x"},
        "responseStatus": {"code": 201}, "requestObject": object,
    });
    let (mut engine, mut findings) = (Engine::new(DETECTIONS), Vec::new());
    each(event.to_string().as_bytes(), &mut |found| {
        let Found::Event(event) = found else { panic!("{found:?}") };
        assert_eq!(engine.judge(event, &mut findings), None);
    });
    findings.iter().map(|finding| find(&finding.detection).unwrap().id).collect()
}
