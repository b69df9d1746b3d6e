//! Manifests that others published, put right.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ringfort_check::fix::{Fix, Fixed, controls, fix};
use ringfort_check::guidelines::GUIDELINES;
use ringfort_check::judge::judge;
use ringfort_check::judgement::Judgement;
use ringfort_check::pods::pods;
use ringfort_check::world::{Objects, Origin, World};
use ringfort_facts::manifest::{self, Document};
use ringfort_model::pod_security::{Level, Policy, Version};
use serde_json::Value;

use crate::oracles::{entries, oracles};

/// Samples that a fix leaves as they fail the standards, and why. A sample is named by the end of its path.
const LEDGER: [(&str, &str); 0] = [];

#[test]
fn bad_pods_come_out_clean() {
    let Some(samples) = oracles("bad-pods") else { return };
    let files = below(&samples);
    let left = count(&samples, &files);
    assert_eq!(files.len(), 128);
    is_in_ledger("bad-pods", &left, files.len());
}

#[test]
fn disallowed_pods_of_gatekeepers_library_come_out_clean() {
    let Some(samples) = oracles("gatekeeper-library") else { return };
    let files: Vec<_> = below(&samples.join("pod-security-policy"))
        .into_iter()
        .filter(|file| file.to_string_lossy().contains("disallowed"))
        .collect();
    let left = count(&samples, &files);
    is_in_ledger("Gatekeeper's disallowed pods", &left, files.len());
}

/// Fixes files and gives those whose pods the standards do not allow then.
fn count(samples: &Path, files: &[PathBuf]) -> Vec<String> {
    let policy = Policy { level: Level::Restricted, version: Version::Latest };
    let mut left = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let fixed = whole(&text);
        let after = fixed.text.as_deref().unwrap_or(&text);
        let documents = manifest::read(after).unwrap();
        let judged = documents.iter().flat_map(|it| pods(it.value())).map(|it| it.judge(policy));
        // Some samples have containers for debugging and no others, so that Kubernetes would not take them.
        if judged.flat_map(|it| it.failures).next().is_some() {
            let name = file.strip_prefix(samples).unwrap().display();
            left.push(format!("{name}: {:?}", fixed.refused));
        }
    }
    left
}

#[track_caller]
fn is_in_ledger(set: &str, left: &[String], files: usize) {
    let clean = files - left.len();
    println!("{clean} of {files} of {set} come out clean");
    assert!(clean * 100 >= files * 95, "{clean} of {files}: {left:#?}");
    let unexplained: Vec<_> =
        left.iter().filter(|it| !LEDGER.iter().any(|(name, _)| it.contains(name))).collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
}

/// The laws of fixing, over every manifest of others that can be read.
#[test]
fn a_fix_keeps_everything_else() {
    let (mut fixes, mut refused) = (BTreeMap::new(), BTreeMap::new());
    let sets = [
        "bad-pods",
        "gatekeeper-library",
        "kalm",
        "pod-security-admission/restricted/v1.34/fail",
        "pod-security-admission/baseline/v1.34/fail",
    ];
    for file in sets.into_iter().filter_map(oracles).flat_map(|set| below(&set)) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        if manifest::read(&text).is_err() {
            continue;
        }
        for way in WAYS {
            let Some(text) = way(&text) else { continue };
            let fixed = holds(&file.display().to_string(), &text);
            fixed.fixes.iter().for_each(|it| *fixes.entry(it.control).or_insert(0) += 1);
            for it in &fixed.refused {
                *refused.entry((it.control, it.why.clone())).or_insert(0) += 1;
            }
        }
    }
    println!("fixed {fixes:#?}\nrefused {refused:#?}");
    assert!(fixes.is_empty() || fixes.len() > 15, "{fixes:#?}");
}

/// The same text in other ways of writing.
const WAYS: [fn(&str) -> Option<String>; 4] = [
    |text| Some(text.to_owned()),
    |text| Some(text.replace('\n', "\r\n")),
    |text| Some(text.trim_end().to_owned()),
    |text| {
        let value = manifest::read(text).ok()?.into_iter().next()?.into_value();
        serde_json::to_string_pretty(&value).ok()
    },
];

/// Fixes a text by all controls, and by each that it does not keep alone, and holds what a fix promises.
fn holds(name: &str, text: &str) -> Fixed {
    let all = whole(text);
    is_sound(name, text, &all, &controls().collect::<Vec<_>>());
    let wanting: BTreeSet<&str> = all.fixes.iter().map(|fix| fix.control).collect();
    for control in wanting {
        let alone = fixed(text, &[control]);
        is_sound(&format!("{name} {control}"), text, &alone, &[control]);
    }
    all
}

fn is_sound(name: &str, text: &str, fixed: &Fixed, only: &[&str]) {
    assert_eq!(fixed.text.is_some(), !fixed.fixes.is_empty(), "{name}");
    let Some(after) = &fixed.text else { return };
    let (before, now) = (found(text), found(after));
    for fix in &fixed.fixes {
        let key = (fix.object.document, fix.object.name.clone(), fix.control);
        let is_twin = fixed.refused.iter().any(|it| it.control == fix.control);
        assert!(is_twin || !now.contains(&key), "{name}: {key:?} still fails in\n{after}");
    }
    // What a pod on its node's network says of policies is only seen when it is no more.
    let is_uncovered = |(_, name, control): &&(usize, String, &str)| {
        let left =
            |fix: &Fix| fix.control == "workload/own-network-namespace" && fix.object.name == *name;
        *control == "network/pods-are-isolated" && fixed.fixes.iter().any(left)
    };
    let new: Vec<_> = now.difference(&before).filter(|it| !is_uncovered(it)).collect();
    assert!(new.is_empty(), "{name}: {new:?} in\n{after}");
    let (before, now) = (values(text), values(after));
    assert_eq!(before.len(), now.len(), "{name}");
    for (before, now) in before.iter().zip(&now) {
        differs_only_where_it_may(name, before, now, "");
    }
    let again = self::fixed(after, only);
    assert_eq!(again.text, None, "{name}: a second run changes\n{after}");
    let lost: Vec<_> = comments(text).filter(|comment| !after.contains(comment)).collect();
    assert!(lost.is_empty(), "{name}: {lost:?} went from\n{after}");
}

/// Whole lines that are comments stay as they are.
fn comments(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| line.trim_start().starts_with('#'))
}

/// What is changed lies in a security context, or is one of the few fields beside it.
fn differs_only_where_it_may(name: &str, before: &Value, now: &Value, pointer: &str) {
    if before == now || MAY_DIFFER.iter().any(|field| pointer.contains(field)) {
        return;
    }
    let keys: BTreeSet<String> = [before, now].into_iter().flat_map(keys).collect();
    assert!(!keys.is_empty(), "{name}: {pointer} was {before} and is {now}");
    for key in keys {
        let below = format!("{pointer}/{key}");
        let step = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        let of = |value: &Value| value.pointer(&step).cloned().unwrap_or(Value::Null);
        differs_only_where_it_may(name, &of(before), &of(now), &below);
    }
}

const MAY_DIFFER: [&str; 13] = [
    "/securityContext",
    "/hostNetwork",
    "/hostPID",
    "/hostIPC",
    "/hostPort",
    "/host",
    "/hostPath",
    "/emptyDir",
    "/mountPropagation",
    "/automountServiceAccountToken",
    "container.apparmor.security.beta.kubernetes.io/",
    "/annotations",
    "/metadata/annotations",
];

fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map.keys().cloned().collect(),
        Value::Array(list) => (0..list.len()).map(|at| at.to_string()).collect(),
        _ => Vec::new(),
    }
}

fn values(text: &str) -> Vec<Value> {
    manifest::read(text).unwrap().into_iter().map(Document::into_value).collect()
}

/// What fails: the document, the name of the object, and the control.
fn found(text: &str) -> BTreeSet<(usize, String, &'static str)> {
    let documents = manifest::read(text).unwrap();
    let objects = world(&documents);
    let mut found = BTreeSet::new();
    for (number, object) in objects.iter().enumerate() {
        for (guideline, judgement) in judge(&objects, number, GUIDELINES).judgements {
            if matches!(judgement, Judgement::Fail(_)) {
                found.insert((object.origin.document, object.name().to_owned(), guideline.id));
            }
        }
    }
    found
}

fn world(documents: &[Document]) -> Objects<'_> {
    let mut objects = Objects::new(World::Closed, None);
    for document in documents {
        objects.add(Origin { file: 0, document: document.index() }, document.value());
    }
    objects
}

fn whole(text: &str) -> Fixed {
    fixed(text, &controls().collect::<Vec<_>>())
}

fn fixed(text: &str, controls: &[&str]) -> Fixed {
    let documents = manifest::read(text).unwrap();
    fix(text, &documents, (&world(&documents), 0), controls)
}

/// Gives every manifest below a directory.
fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(directory) {
        if path.is_dir() {
            found.extend(below(&path));
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "json") {
            found.push(path);
        }
    }
    found
}
