//! Cluster-wide policies: a group of kinds beside NetworkPolicy, of which whoever enforces that may not read
//! all.

use std::collections::BTreeMap;

use ringfort_facts::network;
use ringfort_model::act::{Act, Ask, Next, Seen};
use ringfort_model::network_policy::{WIDER_GROUP, WiderKind};
use serde_json::Value;

use crate::paths;
use crate::proof::{AGAIN, Course, Scene, gap, words};

/// Lists in words what cluster-wide policies say that nobody enforces, as far as it is known.
pub(super) fn unread(course: &mut Course<'_>, scene: &Scene) -> Result<Vec<String>, Next> {
    let root = format!("/apis/{WIDER_GROUP}");
    let mut found = Vec::new();
    for ((kind, name), versions) in kinds(course, scene, &root)? {
        let known = WiderKind::of(&kind).filter(|_| is_enforced_by_ringfort(scene));
        let best = known.and_then(|kind| Some((kind, kind.best(&versions)?)));
        let version = best.map_or(versions[0].as_str(), |(_, version)| version);
        let policies = served(course, scene, &format!("{root}/{version}/{name}"))?;
        let policies = listed(&policies, "items")?;
        match best {
            Some((kind, _)) => found.extend(policies.iter().flat_map(|it| doubts(kind, it))),
            None if policies.is_empty() => {}
            None => found.push(format!("{} {name} of {version}", policies.len())),
        }
    }
    Ok(found)
}

/// Whoever else enforces policies may read less than ringfort does, or more.
pub(in super::super) fn is_enforced_by_ringfort(scene: &Scene) -> bool {
    scene.files.values().any(|files| files.contains_key(paths::NETWORK_POLICY))
}

/// Says what of a policy is not understood.
fn doubts(kind: WiderKind, policy: &Value) -> Vec<String> {
    match network::wider(kind, policy) {
        None => vec![format!("a {} without a name", kind.word())],
        Some((name, policy)) => {
            policy.doubts().iter().map(|doubt| format!("{name}: {doubt}")).collect()
        }
    }
}

/// Finds the kinds of the group: each by its name and its name in addresses, with its versions.
fn kinds(
    course: &mut Course<'_>,
    scene: &Scene,
    root: &str,
) -> Result<BTreeMap<(String, String), Vec<String>>, Next> {
    let mut kinds: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let Some(group) = read(course, scene, root)? else { return Ok(kinds) };
    for version in listed(&group, "versions")? {
        let version = version["version"].as_str().unwrap_or_default();
        let resources = served(course, scene, &format!("{root}/{version}"))?;
        for resource in listed(&resources, "resources")? {
            let text = |key: &str| resource[key].as_str().unwrap_or_default().to_owned();
            // What has a slash is a part of an object.
            if !text("name").contains('/') {
                let key = (text("kind"), text("name"));
                kinds.entry(key).or_default().push(version.to_owned());
            }
        }
    }
    Ok(kinds)
}

/// Gives a list of an answer: an answer without it says nothing.
fn listed<'a>(answer: &'a Value, list: &str) -> Result<&'a Vec<Value>, Next> {
    let missing = || gap(format!("{WIDER_GROUP} answers without its {list}"), AGAIN);
    answer[list].as_array().ok_or_else(missing)
}

/// Reads what the API itself has named.
fn served(course: &mut Course<'_>, scene: &Scene, path: &str) -> Result<Value, Next> {
    let gone = || gap(format!("{path} is named by the API, and is not there"), AGAIN);
    read(course, scene, path)?.ok_or_else(gone)
}

/// Reads a path as JSON; none if the server has no such thing.
fn read(course: &mut Course<'_>, scene: &Scene, path: &str) -> Result<Option<Value>, Next> {
    let ask: Act = scene.ask(Ask::Read { path: path.to_owned() });
    match course.step(vec![ask])? {
        [(_, Seen::Refused { status: 404, .. })] => Ok(None),
        [(_, Seen::Text(text))] => match serde_json::from_str(text) {
            Ok(read) => Ok(Some(read)),
            Err(_) => Err(gap(format!("{path} is no JSON"), AGAIN)),
        },
        seen => {
            let why = seen.first().map_or_else(String::new, |(_, seen)| words(seen));
            Err(gap(format!("whether there are cluster-wide policies: {why}"), AGAIN))
        }
    }
}
