//! Without a name nobody gets an answer but at three health paths: asked on every path that the live
//! API describes, on every API server; and the other ports of control planes let nobody in either.

use std::collections::BTreeSet;

use ringfort_model::act::{Act, Ask, Next, Seen, Transcript};
use ringfort_model::judgement::Decided;
use ringfort_model::name::NodeName;

use crate::proof::port::{API, CONTROLLER_MANAGER, SCHEDULER, shut};
use crate::proof::{Scene, course, fail, gap, pass, words};

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
    let mut walked = 0;
    let swept = course(transcript, |course| {
        let described = match course.step(vec![scene.ask(Ask::Described)])? {
            [(_, Seen::Lines(described))] => paths(described),
            [(_, other), ..] => {
                let said = format!("the API does not describe itself: {}", words(other));
                return Ok(gap(said, "ringfort prove"));
            }
            [] => return Ok(gap("nothing was seen", "ringfort prove")),
        };
        if described.len() < LEAST {
            let said = format!("the API describes {} paths only", described.len());
            return Ok(gap(said, "ringfort prove"));
        }
        let sweep = |server: &NodeName| Act::Sweep {
            server: server.clone(),
            paths: described.iter().cloned().collect(),
        };
        let seen = course.step(scene.control_planes.iter().map(sweep).collect())?;
        walked = course.so_far().len();
        Ok(judge(scene, seen, described.len()))
    });
    let Next::Done(Ok(Decided::Pass(ground))) = swept else { return swept };
    let ports = [API, CONTROLLER_MANAGER, SCHEDULER];
    match shut(scene, &transcript[walked..], &ports, "") {
        Next::Done(Ok(Decided::Pass(_))) => pass(
            format!(
                "{ground}; ports {}, {} and {} refuse everything but their own authority's certificates",
                API.number, CONTROLLER_MANAGER.number, SCHEDULER.number
            ),
            transcript,
        ),
        other => other,
    }
}

fn judge(scene: &Scene, seen: &[(Act, Seen)], count: usize) -> Next {
    for (act, seen) in seen {
        let Act::Sweep { server, .. } = act else { continue };
        let Seen::Statuses(by_status) = seen else {
            return gap(format!("{server}: {}", words(seen)), "ringfort prove");
        };
        for (status, paths) in by_status {
            match status {
                401 | 403 => {}
                200..300 => {
                    let open: BTreeSet<&str> = paths.iter().map(String::as_str).collect();
                    let known = BTreeSet::from(OPEN);
                    if let Some(path) = open.difference(&known).next() {
                        return fail(
                            format!("{server} answers {path} with {status} to whoever asks"),
                            "check --authentication-config: ringfort up",
                        );
                    }
                }
                _ => {
                    let said = format!("{server} answers {} with {status}", paths.join(", "));
                    return gap(said, "ringfort prove");
                }
            }
        }
        // Who refuses these as well has shown nothing of the others.
        let well = by_status
            .get(&200)
            .is_some_and(|paths| OPEN.iter().all(|o| paths.iter().any(|p| p == o)));
        if !well {
            let said = format!("{server} does not say without a name that it is well");
            return gap(said, "ringfort prove");
        }
    }
    let servers = scene.control_planes.len();
    pass(
        format!(
            "without a name, {} paths are answered and {} are refused by each of {servers} servers",
            OPEN.len(),
            count - OPEN.len()
        ),
        seen,
    )
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
    described.iter().map(filled).chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::paths;

    #[test]
    fn parameters_of_paths_are_filled_in() {
        let described = ["/api/v1/namespaces/{namespace}/pods/{name}", "/apis/"];
        let all = paths(&described.map(str::to_owned));
        assert!(all.contains("/api/v1/namespaces/canary/pods/canary"), "{all:?}");
        assert!(all.contains("/apis/") && all.contains("/metrics"), "{all:?}");
    }
}
