//! Cluster-wide policies: a group of kinds beside NetworkPolicy, which whoever enforces that may not read.

use ringfort_model::act::{Act, Ask, Next, Seen};
use serde_json::Value;

use crate::proof::{AGAIN, Course, Scene, gap, words};

/// The group of the kinds.
const GROUP: &str = "policy.networking.k8s.io";

/// Lists the cluster-wide policies that are there, in words.
pub(super) fn wider(course: &mut Course<'_>, scene: &Scene) -> Result<Vec<String>, Next> {
    let root = format!("/apis/{GROUP}");
    let Some(group) = read(course, scene, &root)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for version in group["versions"].as_array().into_iter().flatten() {
        let version = version["version"].as_str().unwrap_or_default();
        let Some(kinds) = read(course, scene, &format!("{root}/{version}"))? else { continue };
        for resource in kinds["resources"].as_array().into_iter().flatten() {
            let name = resource["name"].as_str().unwrap_or_default();
            // What has a slash is a part of an object.
            if name.is_empty() || name.contains('/') {
                continue;
            }
            let list = read(course, scene, &format!("{root}/{version}/{name}"))?;
            let count = list.and_then(|list| list["items"].as_array().map(Vec::len));
            match count {
                Some(0) => {}
                Some(count) => found.push(format!("{count} {name} of {version}")),
                None => return Err(gap(format!("{name} of {GROUP} could not be listed"), AGAIN)),
            }
        }
    }
    Ok(found)
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
