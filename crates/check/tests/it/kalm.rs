//! Manifests with one fault each, and what others say where it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ringfort_check::guideline::Guideline;
use ringfort_check::guidelines::{GUIDELINES, find};
use ringfort_check::judge::judge;
use ringfort_check::judgement::Judgement;
use ringfort_check::world::{Objects, Origin, World};
use ringfort_facts::manifest;

use crate::oracles::{entries, oracles};

/// The guideline that asks for what a family of manifests is about: its letters and its number.
const MAPPED: [(&str, &str); 64] = [
    ("cm-001", "data/no-secrets-in-config-maps"),
    ("np-001", "network/pods-are-isolated"),
    ("np-002", "network/pods-are-isolated"),
    ("np-003", "network/no-egress-to-metadata"),
    ("np-004", "network/no-egress-to-kubelets"),
    ("ns-001", "workload/namespace-of-its-own"),
    ("ns-002", "workload/namespace-of-its-own"),
    ("pod-003", "workload/no-token-mount"),
    ("pod-008", "workload/own-process-namespace"),
    ("pod-009", "workload/own-ipc-namespace"),
    ("pod-010", "workload/own-network-namespace"),
    ("pod-015", "workload/seccomp-is-set"),
    ("pod-016", "workload/security-context"),
    ("pod-017", "workload/non-root"),
    ("pod-018", "workload/high-user-id"),
    ("pod-019", "workload/high-group-id"),
    ("pod-021", "workload/own-sysctls"),
    ("pod-022", "workload/hardened-linux"),
    ("pod-025", "data/no-secrets-in-environment"),
    ("pod-031", "workload/no-privilege-escalation"),
    ("pod-032", "workload/not-privileged"),
    ("pod-034", "workload/no-added-capabilities"),
    ("pod-035", "workload/no-added-capabilities"),
    ("pod-044", "workload/no-sensitive-host-paths"),
    ("pod-046", "workload/no-windows-host-process"),
    ("psa-001", "workload/pod-security-is-enforced"),
    ("psa-002", "workload/pod-security-is-enforced"),
    ("psa-003", "workload/pod-security-is-enforced"),
    ("rbac-001", "access/no-cluster-admin-binding"),
    ("rbac-002", "access/no-secret-reading"),
    ("rbac-003", "access/no-wildcards"),
    ("rbac-004", "access/no-pod-writing"),
    ("rbac-005", "access/no-pod-attaching"),
    ("rbac-006", "access/no-pod-exec"),
    ("rbac-007", "access/default-account-unbound"),
    ("rbac-008", "access/no-port-forwarding"),
    ("rbac-009", "access/no-impersonation"),
    ("rbac-010", "access/no-escalating"),
    ("rbac-012", "access/no-broad-reading"),
    ("rbac-013", "access/no-broad-deleting"),
    ("rbac-014", "access/no-event-deletion"),
    ("rbac-015", "access/no-config-map-writing"),
    ("rbac-020", "access/no-escalating"),
    ("rbac-021", "access/no-volume-writing"),
    ("rbac-022", "access/no-network-policy-writing"),
    ("rbac-023", "access/no-node-proxy"),
    ("rbac-024", "access/no-certificate-approval"),
    ("rbac-025", "access/no-admission-writing"),
    ("rbac-026", "access/no-token-requests"),
    ("rbac-027", "access/no-anonymous-binding"),
    ("rel-001", "ha/readiness-probe"),
    ("rel-002", "ha/liveness-probe"),
    ("rel-004", "ha/placement"),
    ("res-001", "workload/memory-request"),
    ("res-002", "workload/memory-limit"),
    ("res-003", "workload/cpu-request"),
    ("res-004", "workload/cpu-limit"),
    ("res-005", "workload/storage-request"),
    ("res-006", "workload/storage-limit"),
    ("res-007", "workload/cpu-has-defaults"),
    ("res-008", "workload/memory-has-defaults"),
    ("res-009", "workload/quota"),
    ("sc-001", "versions/images-are-pulled"),
    ("sc-002", "versions/images-have-versions"),
];

/// What the manifests take for granted and a file says that is not among them: one namespace has defaults.
const TAKEN_FOR_GRANTED: &str = "\
apiVersion: v1
kind: LimitRange
metadata: { name: defaults, namespace: kalm-benchmark }
spec:
  limits:
    - type: Container
      default: { cpu: 1m, memory: 1Mi, ephemeral-storage: 1Mi }
";

#[test]
fn every_fault_is_found_where_it_is_and_none_where_there_is_none() {
    let Some(samples) = oracles("kalm") else { return };
    let (mut alerts, mut passes, mut wrong) = (0, 0, Vec::new());
    let files = entries(&samples);
    for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "yaml")) {
        let texts = [fs::read_to_string(file).unwrap(), TAKEN_FOR_GRANTED.to_owned()];
        let Some(guideline) = mapped(file) else {
            wrong.push(format!("{}: no guideline is mapped", file.display()));
            continue;
        };
        let (expected, paths) = said(&texts[0]);
        let found = findings(&texts, guideline);
        let is_at_place = found.iter().any(|found| paths.iter().any(|path| is_at(found, path)));
        match expected.as_str() {
            "alert" => alerts += 1,
            _ => passes += 1,
        }
        if is_at_place != (expected == "alert") || (expected == "pass" && !found.is_empty()) {
            wrong.push(format!("{}: {expected} at {paths:?}, found {found:?}", file.display()));
        }
    }
    println!("{alerts} faults and {passes} manifests without one were judged");
    assert!(alerts > 0 && wrong.is_empty(), "{} are wrong: {wrong:#?}", wrong.len());
}

/// All of them at once say the same: none changes what is said of another.
#[test]
fn together_they_are_judged_as_each_alone() {
    let Some(samples) = oracles("kalm") else { return };
    let files: Vec<_> = entries(&samples)
        .into_iter()
        .filter(|file| file.extension().is_some_and(|end| end == "yaml"))
        .collect();
    let mut texts: Vec<String> =
        files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    texts.push(TAKEN_FOR_GRANTED.to_owned());
    let mut of_file: BTreeMap<(usize, &str), Vec<String>> = BTreeMap::new();
    judge_all(&texts, GUIDELINES, |file, guideline, path| {
        of_file.entry((file, guideline)).or_default().push(path);
    });
    let mut differing = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let Some(guideline) = mapped(file) else { continue };
        let (expected, paths) = said(&texts[number]);
        let found = of_file.get(&(number, guideline.id)).cloned().unwrap_or_default();
        let is_found = found.iter().any(|found| paths.iter().any(|path| is_at(found, path)));
        if is_found != (expected == "alert") {
            differing.push(format!("{}: {expected}, found {found:?}", file.display()));
        }
    }
    assert!(differing.is_empty(), "{} differ: {differing:#?}", differing.len());
}

fn mapped(file: &Path) -> Option<&'static Guideline> {
    let name = file.file_stem()?.to_str()?;
    let family = name.match_indices('-').nth(1).map_or(name, |(at, _)| &name[..at]);
    let (_, id) = MAPPED.iter().find(|(of, _)| *of == family)?;
    find(id)
}

/// What a file says of itself: whether a fault is in it, and where.
fn said(text: &str) -> (String, Vec<String>) {
    let documents = manifest::read(text).unwrap();
    let annotations = documents.iter().map(|it| &it.value()["metadata"]["annotations"]);
    let said = annotations.clone().find(|it| it["expected"].is_string()).unwrap();
    let paths = said["check_path"].as_str().unwrap().split('|');
    (said["expected"].as_str().unwrap().to_owned(), paths.map(str::to_owned).collect())
}

fn findings(texts: &[String], guideline: &'static Guideline) -> Vec<String> {
    let mut found = Vec::new();
    judge_all(texts, &[guideline], |_, _, path| found.push(path));
    found
}

/// Judges texts as one closed world, and tells of each finding its file, its guideline and its path.
fn judge_all(
    texts: &[String],
    guidelines: &[&'static Guideline],
    mut tell: impl FnMut(usize, &'static str, String),
) {
    let read: Vec<_> = texts.iter().map(|text| manifest::read(text).unwrap()).collect();
    let mut objects = Objects::new(World::Closed, None);
    for (file, documents) in read.iter().enumerate() {
        for document in documents {
            objects.add(Origin { file, document: document.index() }, document.value());
        }
    }
    for number in 0..objects.iter().count() {
        for (guideline, judgement) in judge(&objects, number, guidelines).judgements {
            let Judgement::Fail(findings) = judgement else { continue };
            for finding in findings {
                let object = objects.get(finding.object);
                let path = match finding.absent {
                    Some(kind) => format!("{kind}.metadata.namespace"),
                    None => path(object.kind.name, object.template(), &finding.fault.pointer),
                };
                tell(object.origin.file, guideline.id, path);
            }
        }
    }
}

/// Writes a pointer as these manifests write places: with the kind before it, and of pods from the pod on.
fn path(kind: &str, template: Option<&str>, pointer: &str) -> String {
    let pointer = template.and_then(|it| pointer.strip_prefix(it)).unwrap_or(pointer);
    let steps = pointer.split('/').skip(1).map(|step| match step.parse::<usize>() {
        Ok(_) => "[]".to_owned(),
        Err(_) => format!(".{}", step.replace("~1", "/").replace("~0", "~")),
    });
    format!("{kind}{}", steps.collect::<String>())
}

/// Whether a path is the one that is said, or leads on from it. A said path may leave the kind out.
fn is_at(found: &str, said: &str) -> bool {
    let found = match said.starts_with('.') {
        true => &found[found.find('.').unwrap_or_default()..],
        false => found,
    };
    found.starts_with(said)
}
