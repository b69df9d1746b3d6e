//! The examples on the page of every detection are what it says they are: found, quiet, or an evasion that is
//! found all the same.

use std::collections::BTreeSet;

use ringfort_audit::detection::Detection;
use ringfort_audit::detections::{self, DETECTIONS, FED};
use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use ringfort_audit::examples;
use ringfort_audit::feeds::{Feed, Feeds, read_changes};
use serde_json::{Value, json};

#[test]
fn every_example_is_what_its_page_says() {
    let mut wrong = Vec::new();
    let mut counted = [0; 3];
    let all: Vec<&'static Detection> = detections::all().collect();
    for detection in &all {
        let all_of = shown(detection);
        for (place, kind) in ["found", "quiet", "evasion"].into_iter().enumerate() {
            let of_kind = all_of.iter().filter(|(of, _)| *of == kind).count();
            assert!(of_kind > 0, "{} has no example of {kind}", detection.id);
            counted[place] += of_kind;
        }
        for (kind, text) in all_of {
            let found = judge(&all, &events(text));
            if found.contains(detection.id) != (kind != "quiet") {
                wrong.push(format!("{} {kind}: {found:?}\n{text}", detection.id));
            }
        }
    }
    let [found, quiet, evasion] = counted;
    println!("{} detections: {found} found, {quiet} quiet, {evasion} evasions", all.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a detection is given by the engine is what it says it needs, so an example that is found with its
/// bodies taken away was not about them.
#[test]
fn who_needs_no_body_is_found_without_and_who_needs_one_is_not() {
    let all: Vec<&'static Detection> = detections::all().collect();
    for detection in &all {
        for (_, text) in shown(detection).into_iter().filter(|(kind, _)| *kind == "found") {
            let bare: Vec<String> =
                events(text).iter().map(|event| without_bodies(event)).collect();
            let found = judge(&all, &bare).contains(detection.id);
            assert_eq!(found, !detection.reads_bodies(), "{}", detection.id);
        }
    }
}

#[test]
fn every_page_has_its_sections_and_every_id_is_its_own() {
    let ids: BTreeSet<&str> = detections::all().map(|detection| detection.id).collect();
    assert_eq!(ids.len(), DETECTIONS.len() + FED.len());
    for detection in detections::all() {
        assert!(detection.id.starts_with("detect/"), "{}", detection.id);
        assert!(!detection.needs.is_empty() && !detection.attack.is_empty(), "{}", detection.id);
        for section in ["Why", "Evidence", "False positives", "Response", "Examples"] {
            assert!(!detection.section(section).is_empty(), "{}: {section}", detection.id);
        }
    }
}

fn shown(detection: &Detection) -> Vec<(&'static str, &'static str)> {
    let blocks = detection.doc.split("\n```json ").skip(1);
    blocks.filter_map(|block| block.split("\n```").next()?.split_once('\n')).collect()
}

/// Whoever has to be told something and was not finds nothing, and the page names the file.
#[test]
fn who_was_told_nothing_says_nothing_and_names_the_file() {
    for fed in FED {
        let detection = &fed.detection;
        let file = format!("`{}`", fed.feed.file());
        assert!(detection.section("Evidence").contains(&file), "{}", detection.id);
        for (_, text) in shown(detection) {
            let mut findings = Vec::new();
            let mut engine = Engine::new(&[detection]);
            for line in events(text) {
                each(line.as_bytes(), &mut |found| {
                    if let Found::Event(event) = found {
                        drop(engine.judge(event, &mut findings));
                    }
                });
            }
            assert!(findings.is_empty(), "{}", detection.id);
        }
    }
}

/// An account that was bound long ago.
const ACCESS: &str = r#"{"kind":"List","items":[{"kind":"ClusterRoleBinding","metadata":{"name":"old"},"roleRef":{"kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"ServiceAccount","namespace":"old","name":"installer"}]}]}"#;

/// What the examples are told.
fn feeds() -> Feeds {
    let mut feeds = Feeds::default();
    for (feed, text) in [
        (Feed::TorExits, "198.51.100.7\n"),
        (Feed::ListedAddresses, "192.0.2.0/24\n"),
        (Feed::ClusterNetworks, "10.0.0.0/8\n"),
        (Feed::Machines, "10.0.0.11\n10.0.0.21\n2001:db8::11\n"),
        (Feed::Registries, "registry.example.org/shop\n"),
        (Feed::Namespaces, "web\nteam-*\n"),
        (Feed::ControlledNamespaces, "shop\n"),
        (Feed::Impersonators, "system:serviceaccount:tools:*\n"),
        (Feed::Decoys, "secrets web/root-password\n"),
        (Feed::Access, ACCESS),
    ] {
        feeds.read(feed, text).unwrap();
    }
    let alice = json!({"who": ["alice"], "what": ["*.apps"], "namespaces": ["web"], "hours": "08:00-18:00"});
    feeds.allow(read_changes(&json!({ "changes": [alice] })).unwrap()).unwrap();
    assert!(Feed::ALL.iter().all(|feed| feeds.has(*feed)));
    feeds
}

fn judge(detections: &[&'static Detection], lines: &[String]) -> BTreeSet<&'static str> {
    let (mut engine, mut findings) = (Engine::fed(detections, feeds()), Vec::new());
    for line in lines {
        each(line.as_bytes(), &mut |found| match found {
            Found::Event(event) => drop(engine.judge(event, &mut findings)),
            other => panic!("{other:?}: {line}"),
        });
    }
    findings.iter().map(|finding| detections::find(&finding.detection).unwrap().id).collect()
}

fn without_bodies(line: &str) -> String {
    let mut event: Value = serde_json::from_str(line).unwrap();
    event.as_object_mut().unwrap().retain(|key, _| !key.ends_with("Object"));
    event.to_string()
}

fn events(text: &str) -> Vec<String> {
    text.lines()
        .flat_map(|line| examples::whole(line).unwrap_or_else(|why| panic!("{why}: {line}")))
        .collect()
}
