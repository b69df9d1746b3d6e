//! Who may do most asks each component for a profile, and there is none to be had.

use ringfort_model::act::{
    Act, Credential, Dial, Dialled, Ended, Flaw, Hello, Next, Seen, Transcript,
};

use crate::proof::port::{API, CONTROLLER_MANAGER, KUBELET, SCHEDULER, answer, place};
use crate::proof::{Gaps, Scene, course, fail, pass};

/// The list of profiles, and the smallest of those that all have. A kubelet serves profiles and no list.
const PROFILES: [&str; 2] = ["/debug/pprof/", "/debug/pprof/threadcreate"];
/// Who refuses everything has shown nothing of profiles.
const METRICS: &str = "/metrics";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let ports = [API, CONTROLLER_MANAGER, SCHEDULER, KUBELET];
        let ask = |path: &str| {
            let dials = ports.iter().flat_map(|port| {
                port.places(scene).into_iter().map(|(from, to)| {
                    let shows = Some(Credential { authority: port.client, flaw: Flaw::None });
                    let (expects, path) = (port.server, path.to_owned());
                    Act::Dial(Dial { from, to, hello: Hello::Tls13, expects, shows, path })
                })
            });
            dials.collect::<Vec<_>>()
        };
        let mut gaps = Gaps::default();
        for (act, seen) in course.step(ask(METRICS))? {
            if !matches!(status(seen), Some(200)) {
                gaps.add(format!("{}: no metrics either: {}", place(act), answer(seen)));
            }
        }
        let asked = course.step(PROFILES.into_iter().flat_map(ask).collect())?;
        for (act, seen) in asked {
            match status(seen) {
                // kubelet says that it does not do it, the others that there is no such thing.
                Some(404 | 405) => {}
                Some(200) => {
                    let said = format!("{} serves profiles of itself", place(act));
                    return Ok(fail(said, "is profiling off in its flags or file? ringfort up"));
                }
                _ => gaps.add(format!("{}: {}", place(act), answer(seen))),
            }
        }
        gaps.close()?;
        let components = asked.len() / PROFILES.len();
        let said = format!("{components} components have no profile for who may do most");
        Ok(pass(said, course.so_far()))
    })
}

fn status(seen: &Seen) -> Option<u16> {
    match seen {
        Seen::Dialled(Dialled { end: Ended::Answered { status }, .. }) => Some(*status),
        _ => None,
    }
}
