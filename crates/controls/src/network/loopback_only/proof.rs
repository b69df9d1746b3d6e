//! What has no TLS, or is for the machine alone, is where it should be: on loopback. The list of what
//! has no TLS is closed.

use std::net::SocketAddr;

use ringfort_model::act::{Act, Next, Seen, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::{Gaps, Scene, course, fail, pass, words};

/// What may listen on loopback only: port, whose it is, and whether it must be there on control planes
/// and on workers.
const PORTS: [(u16, &str, bool, bool); 8] = [
    (2381, "etcd's health and metrics, without TLS", true, false),
    (6444, "the balancer", true, true),
    (10248, "kubelet's health, without TLS", true, true),
    (10249, "kube-proxy's metrics, without TLS", false, false),
    (10256, "kube-proxy's health, without TLS", false, false),
    (10257, "kube-controller-manager", true, false),
    (10259, "kube-scheduler", true, false),
    (10255, "kubelet's read-only port", false, false),
];

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let look = |node: &NodeName| Act::Listeners { node: node.clone() };
        let seen = course.step(scene.machines().map(look).collect())?;
        let mut gaps = Gaps::default();
        for (node, (_, seen)) in scene.machines().zip(seen) {
            let Seen::Listeners(all) = seen else {
                gaps.add(format!("{node}: {}", words(seen)));
                continue;
            };
            let is_plane = scene.control_planes.contains(node);
            for (port, whose, on_planes, on_workers) in PORTS {
                let at: Vec<&SocketAddr> = all.iter().filter(|at| at.port() == port).collect();
                if let Some(open) = at.iter().find(|at| !at.ip().is_loopback()) {
                    return Ok(fail(
                        format!("{node}: {whose} is reached from outside, at {open}"),
                        "check its bind address: ringfort up",
                    ));
                }
                let must = if is_plane { on_planes } else { on_workers };
                if must && at.is_empty() {
                    gaps.add(format!("{node}: nothing listens on {port} ({whose})"));
                }
            }
        }
        gaps.close()?;
        Ok(pass(
            format!(
                "what the machine alone asks for is on loopback on {} machines: etcd's and kubelet's health and kube-proxy's without TLS, by choice",
                seen.len()
            ),
            course.so_far(),
        ))
    })
}
