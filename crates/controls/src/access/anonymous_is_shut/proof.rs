//! Without a name nobody gets an answer but at three health paths: asked on every path that the live
//! API describes, on every API server; and the other ports of control planes let nobody in either.

use std::collections::BTreeSet;

use ringfort_model::act::{Act, Ask, Next, Seen, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::port::{API, CONTROLLER_MANAGER, SCHEDULER, shut};
use crate::proof::{AGAIN, Gaps, Scene, course, fail, gap, pass, words};

/// Who says no name is told whether the server is well.
const OPEN: [&str; 3] = ["/healthz", "/livez", "/readyz"];
/// Paths that no description names.
const UNDESCRIBED: [&str; 10] = [
    "/",
    "/configz",
    "/debug/pprof/",
    "/flagz",
    "/healthz/etcd",
    "/livez/ping",
    "/logs",
    "/metrics",
    "/readyz/etcd",
    "/statusz",
];
/// Fewer described paths than this are not all of Kubernetes'.
const LEAST: usize = 200;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let described = match course.step(vec![scene.ask(Ask::Described)])? {
            [(_, Seen::Lines(described))] => paths(described),
            seen => {
                let why = seen.first().map_or_else(String::new, |(_, seen)| words(seen));
                return Ok(gap(format!("the API does not describe itself: {why}"), AGAIN));
            }
        };
        if described.len() < LEAST {
            return Ok(gap(format!("the API describes {} paths only", described.len()), AGAIN));
        }
        let sweep = |server: &NodeName| Act::Sweep {
            server: server.clone(),
            paths: described.iter().cloned().collect(),
        };
        let mut gaps = Gaps::default();
        for (act, seen) in course.step(scene.control_planes.iter().map(sweep).collect())? {
            judge(act, seen, &mut gaps)?;
        }
        let tries = shut(course, scene, &[API, CONTROLLER_MANAGER, SCHEDULER])?;
        gaps.close()?;
        let said = format!(
            "without a name, {} paths are answered and {} are refused by each of {} servers; ports {}, {} and {} refuse everything but their own authority's certificates ({tries} tries)",
            OPEN.len(),
            described.len() - OPEN.len(),
            scene.control_planes.len(),
            API.number,
            CONTROLLER_MANAGER.number,
            SCHEDULER.number,
        );
        Ok(pass(said, course.so_far()))
    })
}

/// Judges what one server answered.
fn judge(act: &Act, seen: &Seen, gaps: &mut Gaps) -> Result<(), Next> {
    let server = act.node().map_or("", NodeName::as_str);
    let Seen::Statuses(by_status) = seen else {
        gaps.add(format!("{server}: {}", words(seen)));
        return Ok(());
    };
    for (status, paths) in by_status {
        let is_strange = |path: &&String| !OPEN.contains(&path.as_str());
        match status {
            401 | 403 => {}
            200..300 => {
                if let Some(path) = paths.iter().find(is_strange) {
                    let said = format!("{server} answers {path} with {status} to whoever asks");
                    return Err(fail(said, "check --authentication-config: ringfort up"));
                }
            }
            _ => gaps.add(format!("{server} answers {} with {status}", paths.join(", "))),
        }
    }
    // Who refuses these as well has shown nothing of the others.
    let well = by_status.get(&200).map_or(&[][..], Vec::as_slice);
    if !OPEN.iter().all(|open| well.iter().any(|path| path == open)) {
        gaps.add(format!("{server} does not say without a name that it is well"));
    }
    Ok(())
}

/// Every path of the description, with names in the place of parameters, and those it does not name.
fn paths(described: &[String]) -> BTreeSet<String> {
    let filled = |path: &String| {
        let part = |part: &str| match part.starts_with('{') {
            true => "canary".to_owned(),
            false => part.to_owned(),
        };
        path.split('/').map(part).collect::<Vec<_>>().join("/")
    };
    let own = UNDESCRIBED.iter().chain(&OPEN).map(|path| (*path).to_owned());
    // A path that is described with a slash at its end is answered without one as well, and what lets
    // strangers in names one of the two.
    let both = |path: String| {
        let bare = path.trim_end_matches('/').to_owned();
        [path, bare].into_iter().filter(|path| !path.is_empty())
    };
    described.iter().map(filled).flat_map(both).chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::paths;

    #[test]
    fn parameters_of_paths_are_filled_in() {
        let described = ["/api/v1/namespaces/{namespace}/pods/{name}", "/apis/"];
        let all = paths(&described.map(str::to_owned));
        assert!(all.contains("/api/v1/namespaces/canary/pods/canary"), "{all:?}");
        for path in ["/apis/", "/apis", "/metrics"] {
            assert!(all.contains(path), "{path}: {all:?}");
        }
        assert!(!all.contains(""), "{all:?}");
    }
}
