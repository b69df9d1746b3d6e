//! Cluster-wide policies: a group of kinds beside NetworkPolicy, which whoever enforces that may not read.

use ringfort_model::act::{Act, Ask, Next, Seen};
use serde_json::Value;

use super::WIDER_GROUP;
use crate::proof::{AGAIN, Course, Scene, gap, words};

/// Lists the cluster-wide policies that are there, in words.
pub(super) fn wider(course: &mut Course<'_>, scene: &Scene) -> Result<Vec<String>, Next> {
    let root = format!("/apis/{WIDER_GROUP}");
    let Some(group) = read(course, scene, &root)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for version in listed(&group, "versions")? {
        let version = version["version"].as_str().unwrap_or_default();
        let kinds = served(course, scene, &format!("{root}/{version}"))?;
        for resource in listed(&kinds, "resources")? {
            let name = resource["name"].as_str().unwrap_or_default();
            // What has a slash is a part of an object.
            if name.contains('/') {
                continue;
            }
            let policies = served(course, scene, &format!("{root}/{version}/{name}"))?;
            match listed(&policies, "items")?.len() {
                0 => {}
                count => found.push(format!("{count} {name} of {version}")),
            }
        }
    }
    Ok(found)
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
