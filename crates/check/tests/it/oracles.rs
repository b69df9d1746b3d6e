//! Pods that others published with their verdicts. They lie beside the repository, where they lie at
//! all, or where `RINGFORT_ORACLES` says.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ringfort_check::pods::{Reported, Verdict, pods};
use ringfort_facts::manifest;
use ringfort_model::pod_security::{Level, Policy, Version};

/// The checks that stand in the place of others at the level restricted, with the minor that begins it.
const OVERRIDES: [(&str, u64, &str); 4] = [
    ("capabilities_baseline", 22, "capabilities_restricted"),
    ("hostPathVolumes", 0, "restrictedVolumes"),
    ("procMount", 35, "procMount_restricted"),
    ("seccompProfile_baseline", 19, "seccompProfile_restricted"),
];

#[test]
fn kubernetes_own_samples_are_judged_as_they_say() {
    let Some(samples) = oracles("pod-security-admission") else { return };
    let (mut tried, mut differing) = (0, Vec::new());
    for level in [Level::Baseline, Level::Restricted] {
        for version in entries(&samples.join(level.to_string())) {
            let policy = Policy { level, version: name(&version).parse().unwrap() };
            for (verdict, directory) in [(Verdict::Pass, "pass"), (Verdict::Fail, "fail")] {
                for file in entries(&version.join(directory)) {
                    tried += 1;
                    let reported = judge(&file, policy);
                    let [one] = reported.as_slice() else { panic!("{}", file.display()) };
                    let expected = match verdict {
                        Verdict::Fail => vec![failing(&file, policy)],
                        _ => Vec::new(),
                    };
                    if one.verdict != verdict || !is_as_said(&one.checks, expected.first()) {
                        differing.push(format!("{}: {one:?}", file.display()));
                    }
                }
            }
        }
    }
    println!("{tried} samples of Pod Security Standards were judged");
    assert!(tried > 0 && differing.is_empty(), "{} differ: {differing:#?}", differing.len());
}

/// Whether the checks that failed are the one that a sample is for, and those of the ledger.
fn is_as_said(found: &[&str], expected: Option<&String>) -> bool {
    let (same, others): (Vec<_>, Vec<_>) =
        found.iter().map(|id| id.to_lowercase()).partition(|id| Some(id) == expected);
    same.len() == expected.iter().count()
        && others.iter().all(|other| {
            LEDGER.iter().any(|(id, with, _)| {
                Some(id.to_lowercase()).as_ref() == expected && with.to_lowercase() == *other
            })
        })
}

/// Samples for one check that fail another as well, and why.
const LEDGER: [(&str, &str, &str); 3] = [
    (
        "allowPrivilegeEscalation",
        "capabilities_restricted",
        "one container has no securityContext at all",
    ),
    ("privileged", "allowPrivilegeEscalation", "Kubernetes refuses a privileged one without it"),
    ("windowsHostProcess", "hostNamespaces", "such a pod must be on its node's network"),
];

/// The check that a sample fails, by its name: in small letters and with a number at its end.
fn failing(file: &Path, policy: Policy) -> String {
    let stem = file.file_stem().unwrap().to_str().unwrap();
    let id = stem.trim_end_matches(|each: char| each.is_ascii_digit());
    let overriding = OVERRIDES.iter().find(|(overridden, since, _)| {
        policy.level == Level::Restricted
            && *since <= policy.version.applied()
            && overridden.to_lowercase() == id
    });
    overriding.map_or(id, |(.., by)| by).to_lowercase()
}

#[test]
fn bad_pods_are_refused_in_every_kind_of_workload() {
    let Some(samples) = oracles("bad-pods") else { return };
    let mut tried = 0;
    for posture in entries(&samples).iter().filter(|path| path.is_dir()) {
        for file in entries(posture).iter().flat_map(|kind| entries(kind)) {
            for (level, expected) in [
                (Level::Privileged, Verdict::Pass),
                (
                    Level::Baseline,
                    match name(posture) {
                        "nothing-allowed" => Verdict::Pass,
                        _ => Verdict::Fail,
                    },
                ),
                (Level::Restricted, Verdict::Fail),
            ] {
                let reported = judge(&file, Policy { level, version: Version::Latest });
                let verdicts: Vec<_> = reported.iter().map(|one| one.verdict).collect();
                assert_eq!(verdicts, [expected], "{level} {}: {reported:?}", file.display());
            }
            tried += 1;
        }
    }
    println!("{tried} bad pods were judged");
    assert!(tried > 0);
}

fn judge(file: &Path, policy: Policy) -> Vec<Reported> {
    let text = fs::read_to_string(file).unwrap();
    let documents = manifest::read(&text).unwrap();
    let pods = documents
        .iter()
        .flat_map(|document| pods(document.value()).into_iter().map(|pod| (document.index(), pod)));
    pods.map(|(index, pod)| Reported::of(name(file), index, &pod, &pod.judge(policy))).collect()
}

/// The directory of a published set, where it lies.
pub(crate) fn oracles(set: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracles");
    let named = std::env::var_os("RINGFORT_ORACLES").map(PathBuf::from);
    let found = Some(named.unwrap_or(beside).join(set)).filter(|path| path.is_dir());
    if found.is_none() {
        skipped(&format!("no samples of {set}: RINGFORT_ORACLES names no directory of them"));
    }
    found
}

/// Says that a test could not look, so that it is counted: past libtest, which shows nothing of tests
/// that pass.
pub(crate) fn skipped(why: &str) {
    std::io::stdout().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}

/// What a directory holds, in order.
pub(crate) fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}
