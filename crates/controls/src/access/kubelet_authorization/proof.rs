//! A kubelet answers nobody whom the API does not let in, and has no port that asks nobody.

use std::net::SocketAddr;

use ringfort_model::act::{Act, Next, Seen, Transcript};
use ringfort_model::judgement::Decided;

use crate::proof::port::{KUBELET, shut};
use crate::proof::{Scene, fail, gap, words};

/// The port that asks for nothing.
const READ_ONLY: u16 = 10255;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let machines = scene.machines().count();
    let looks = transcript.len().min(machines);
    if looks < machines {
        let look = |node: &_| Act::Listeners { node: Clone::clone(node) };
        return Next::Do(scene.machines().skip(looks).map(look).collect());
    }
    for (node, (_, seen)) in scene.machines().zip(transcript) {
        match seen {
            Seen::Listeners(all) if all.iter().any(is_open) => {
                return fail(
                    format!("{node}: kubelet listens on its read-only port {READ_ONLY}"),
                    "check readOnlyPort in kubelet's configuration: ringfort up",
                );
            }
            Seen::Listeners(all) if !all.is_empty() => {}
            Seen::Listeners(_) => {
                return gap(format!("{node}: no port is told at all"), "ringfort prove");
            }
            other => return gap(format!("{node}: {}", words(other)), "ringfort prove"),
        }
    }
    let said = format!(
        "no kubelet has its read-only port open, and each refuses all but the API servers' authority's certificates, of {machines} machines"
    );
    match shut(scene, &transcript[machines..], &[KUBELET], &said) {
        Next::Done(Ok(Decided::Pass(_))) => crate::proof::pass(said, transcript),
        other => other,
    }
}

fn is_open(at: &SocketAddr) -> bool {
    at.port() == READ_ONLY
}
