//! A kubelet answers nobody whom the API does not let in, and has no port that asks nobody.

use ringfort_model::act::{Act, ListenerSeen, Next, Seen, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::port::{KUBELET, shut};
use crate::proof::{Gaps, Scene, course, fail, pass, words};

/// The port that asks for nothing.
const READ_ONLY: u16 = 10255;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let look = |node: &NodeName| Act::Listeners { node: node.clone() };
        let looks = course.step(scene.machines().map(look).collect())?;
        let mut gaps = Gaps::default();
        for (node, (_, seen)) in scene.machines().zip(looks) {
            match seen {
                Seen::Listeners(all) if all.iter().any(is_open) => {
                    return Ok(fail(
                        format!("{node}: kubelet listens on its read-only port {READ_ONLY}"),
                        "check readOnlyPort in kubelet's configuration: ringfort up",
                    ));
                }
                Seen::Listeners(all) if !all.is_empty() => {}
                Seen::Listeners(_) => gaps.add(format!("{node}: no port is told at all")),
                other => gaps.add(format!("{node}: {}", words(other))),
            }
        }
        let tries = shut(course, scene, &[KUBELET])?;
        gaps.close()?;
        let said = format!(
            "no kubelet of {} machines has its read-only port open, and each refuses requests without TLS and every certificate but the cluster authority's ({tries} tries)",
            looks.len()
        );
        Ok(pass(said, course.so_far()))
    })
}

fn is_open(listener: &ListenerSeen) -> bool {
    listener.address.port() == READ_ONLY
}
