//! What has no TLS, or is for the machine alone, is where it should be: on loopback. The list of what
//! has no TLS is closed: a program of the cluster that listens elsewhere is told.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use ringfort_model::act::{Act, ListenerSeen, Next, Protocol, Seen, Transcript};
use ringfort_model::name::NodeName;

use super::{NAME_SERVERS, OF_NAME_SERVERS};
use crate::proof::{Gaps, Scene, course, fail, pass, port, words};

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

/// Programs that listen on loopback on a port that nobody chooses: containerd, for what `kubectl exec` and
/// `kubectl logs` stream through the kubelet.
const ANYWHERE_ON_LOOPBACK: &str = "containerd";
/// kube-proxy tells load balancers here, without TLS, whether a Service has pods on this machine
/// (`healthCheckNodePort`): the service says so, and Kubernetes has no setting for TLS.
const SERVICE_HEALTH: (&str, RangeInclusive<u16>) = ("kube-proxy", 30_000..=32_767);
/// This program itself, which comes with no bundle.
const OWN: &str = "ringfort";

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
                let at: Vec<&SocketAddr> =
                    all.iter().map(|it| &it.address).filter(|at| at.port() == port).collect();
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
            let mut ours = all.iter().filter(|it| is_of_cluster(scene, is_plane, it));
            if let Some(unlisted) = ours.find(|it| !is_listed(it)) {
                return Ok(fail(
                    format!("{node}: {}, {}", told(unlisted), where_listed(unlisted)),
                    "find out what it answers there: ringfort up",
                ));
            }
        }
        gaps.close()?;
        Ok(pass(
            format!(
                "what the machine alone asks for is on loopback on {} machines: etcd's and kubelet's health and kube-proxy's without TLS, by choice; no program of the cluster listens elsewhere without",
                seen.len()
            ),
            course.so_far(),
        ))
    })
}

/// Whether a program of the cluster listens. What users' pods run on workers is theirs, whatever they call it.
fn is_of_cluster(scene: &Scene, is_plane: bool, listener: &ListenerSeen) -> bool {
    let is_known = |name: &String| name == OWN || scene.programs.contains_key(name);
    listener.program.as_ref().is_some_and(is_known) && (is_plane || !listener.in_pod)
}

/// Whether something may listen there: with TLS, which other controls look at, or on loopback.
fn is_listed(listener: &ListenerSeen) -> bool {
    let program = listener.program.as_deref().unwrap_or_default();
    let number = listener.address.port();
    let is_of_service = program == SERVICE_HEALTH.0 && SERVICE_HEALTH.1.contains(&number);
    let by_tls = port::PORTS.iter().any(|port| port.number == number);
    let alone = PORTS.iter().any(|(port, ..)| *port == number) || program == ANYWHERE_ON_LOOPBACK;
    listener.protocol == Protocol::Tcp
        && (by_tls || is_of_service || alone && listener.address.ip().is_loopback())
}

/// Says where the list has what listens, if it does: the name servers are to be asked in their pods alone.
fn where_listed(listener: &ListenerSeen) -> String {
    let is_theirs = listener.program.as_deref() == Some(NAME_SERVERS);
    let number = listener.address.port();
    let listed = OF_NAME_SERVERS.iter().find(|(port, ..)| is_theirs && *port == number);
    match listed {
        Some((.., what)) => format!("which the list has in its pods alone ({what}, without TLS)"),
        None => "which no list names".to_owned(),
    }
}

/// Says in words who listens where.
fn told(ListenerSeen { protocol, address, program, .. }: &ListenerSeen) -> String {
    let by = match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    };
    format!("{} listens at {address} ({by})", program.as_deref().unwrap_or("the kernel"))
}

#[cfg(test)]
mod tests {
    use super::{OF_NAME_SERVERS, PORTS};
    use crate::network::loopback_only::CONTROL;

    #[test]
    fn the_page_names_every_port_of_the_list() {
        let own = PORTS.iter().map(|(port, ..)| *port);
        for port in own.chain(OF_NAME_SERVERS.iter().map(|(port, ..)| *port)) {
            assert!(CONTROL.prose().contains(&format!("| {port} ")), "{port}");
        }
    }
}
