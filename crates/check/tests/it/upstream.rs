//! The table of what is upstream's is what Kubernetes publishes: `RINGFORT_BOOTSTRAP` names a directory that holds the
//! fixtures of a minor in `1.37/`, and so on, each the `testdata` of `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`.
//! Where it is not set, Go's module cache is looked into. `UPDATE_GOLDEN=1` writes the table anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use ringfort_check::upstream::{Own, Sentences, Standing, TABLE, Upstream, sentences};
use serde_json::Value;

use crate::guidelines::documents;
use crate::oracles::skipped;

/// The minors that are known, each with the release whose fixtures were read.
const RELEASES: [(&str, &str); 3] = [("1.35", "v1.35.4"), ("1.36", "v1.36.3"), ("1.37", "v1.37.2")];

/// The fixtures of what servers make with every gate as it is by default.
const FIXTURES: [&str; 6] = [
    "cluster-role-bindings.yaml",
    "cluster-roles.yaml",
    "controller-role-bindings.yaml",
    "controller-roles.yaml",
    "namespace-role-bindings.yaml",
    "namespace-roles.yaml",
];

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/upstream/table.txt");

#[test]
fn the_table_of_what_is_upstreams_is_what_kubernetes_publishes() {
    let Some(published) = published() else {
        skipped("what is upstream's was not compared: RINGFORT_BOOTSTRAP names no directory");
        return;
    };
    let mut written = head();
    for ((key, minors), said) in &forms(&published) {
        written.push_str(&format!("{key} {}\n", minors.join(" ")));
        folded(said).iter().for_each(|line| written.push_str(&format!(" {line}\n")));
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(FILE, &written).unwrap();
    }
    assert_eq!(fs::read_to_string(FILE).unwrap(), written);
}

#[test]
fn all_that_servers_make_is_upstreams_own() {
    let Some(published) = published() else {
        skipped("what is upstream's was not judged: RINGFORT_BOOTSTRAP names no directory");
        return;
    };
    for (minor, objects) in &published {
        let mut upstream = Upstream::default();
        for object in objects {
            upstream.add(&key(object), object);
        }
        let standings = upstream.standings();
        assert_eq!(standings.len(), objects.len(), "{minor}");
        let changed: Vec<_> =
            standings.iter().filter(|(_, it)| **it != Standing::Own(Own::Right)).collect();
        assert!(changed.is_empty(), "{minor}: {changed:?}");
    }
    assert!(TABLE.starts_with(&head()));
}

/// Gives what Kubernetes publishes of each minor, if all of them are there.
fn published() -> Option<Vec<(&'static str, Vec<Value>)>> {
    RELEASES
        .into_iter()
        .map(|(minor, release)| {
            let directory = fixtures(minor, release).filter(|it| it.is_dir())?;
            let read = |file| documents(&fs::read_to_string(directory.join(file)).unwrap());
            let lists = FIXTURES.into_iter().flat_map(read);
            let objects = lists.flat_map(|list| list["items"].as_array().unwrap().clone());
            Some((minor, objects.collect()))
        })
        .collect()
}

fn fixtures(minor: &str, release: &str) -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).map(PathBuf::from);
    if let Some(directory) = of("RINGFORT_BOOTSTRAP") {
        return Some(directory.join(minor));
    }
    let below = |directory: PathBuf| directory.join("pkg/mod");
    let cache = of("GOMODCACHE").or_else(|| of("GOPATH").map(below));
    let cache = cache.or_else(|| of("HOME").map(|home| home.join("go/pkg/mod")))?;
    let module = cache.join(format!("k8s.io/kubernetes@{release}"));
    Some(module.join("plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata"))
}

fn key(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (kind, name) = (text("/kind").unwrap(), text("/metadata/name").unwrap());
    match text("/metadata/namespace") {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

type Forms = BTreeMap<(String, Vec<&'static str>), Sentences>;

/// Gives each form of each object, with the minors that make it so.
fn forms(published: &[(&'static str, Vec<Value>)]) -> Forms {
    let mut minors: BTreeMap<(String, Sentences), Vec<&'static str>> = BTreeMap::new();
    for (minor, objects) in published {
        for object in objects {
            minors.entry((key(object), sentences(object).unwrap())).or_default().push(*minor);
        }
    }
    minors.into_iter().map(|((key, said), minors)| ((key, minors), said)).collect()
}

/// Puts together sentences that differ in one word: verbs, resources, names, groups, one after the other.
fn folded(said: &Sentences) -> Vec<String> {
    let words = |line: &String| line.split(' ').map(str::to_owned).collect();
    let mut lines: BTreeSet<Vec<String>> = said.iter().map(words).collect();
    for at in [1, 3, 4, 2] {
        let mut alike: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
        for mut line in lines {
            let word = line.get_mut(at).map(std::mem::take);
            alike.entry(line).or_default().extend(word);
        }
        let together = |(mut line, words): (Vec<String>, BTreeSet<String>)| {
            if let Some(place) = line.get_mut(at) {
                *place = words.into_iter().collect::<Vec<_>>().join(",");
            }
            line
        };
        lines = alike.into_iter().map(together).collect();
    }
    lines.into_iter().map(|line| line.join(" ")).collect()
}

fn head() -> String {
    let (minors, releases): (Vec<&str>, Vec<&str>) = RELEASES.into_iter().unzip();
    format!(
        "# What API servers of Kubernetes {} make of roles and bindings at their start, every gate being as it is by\n\
         # default: each right, subject and label by itself. Written by the test of what is upstream's, from fixtures in\n\
         # plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata of k8s.io/kubernetes {} (Apache-2.0).\n",
        minors.join(", "),
        releases.join(", ")
    )
}
