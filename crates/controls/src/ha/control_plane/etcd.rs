//! etcd, a member on each control plane.

use std::net::SocketAddr;

use ringfort_model::etcd::FoundingState;
use ringfort_model::name::NodeName;
use ringfort_model::reach::{ETCD_PEER_PORT, ETCD_PORT, member_url};
use ringfort_spec::Spec;

use super::image;
use crate::draft::{Component, Place, Scheme, Shape};

/// Where etcd is asked for its health and its metrics; in plain, so on loopback.
const HEALTH: ([u8; 4], u16) = ([127, 0, 0, 1], 2381);

/// How often a leader says that it is there, and for how long a member misses that at least before it asks
/// for votes, in milliseconds. A busy disk or processor must not cost an election.
const HEARTBEAT_MS: u64 = 250;
pub(crate) const ELECTION_TIMEOUT_MS: u64 = 2_500;

pub(crate) fn make(spec: &Spec, at: &mut Place<'_, '_>) {
    let etcd = Component::Etcd;
    let shape = Shape {
        image: image(at, etcd),
        scheme: Scheme::Http,
        health: SocketAddr::from(HEALTH),
        lives: "/livez",
        serves: "/readyz",
        cpu: "100m",
        memory: "100Mi",
    };
    at.pod(etcd, shape);
    let (node, address) = (at.name().clone(), at.address());
    let clients = member_url(address, ETCD_PORT);
    let peers = member_url(address, ETCD_PEER_PORT);
    at.flag(etcd, "--name", &node);
    at.flag(etcd, "--listen-client-urls", format!("https://127.0.0.1:2379,{clients}"));
    at.flag(etcd, "--advertise-client-urls", clients);
    at.flag(etcd, "--listen-peer-urls", &peers);
    at.flag(etcd, "--initial-advertise-peer-urls", peers);
    at.flag(etcd, "--initial-cluster-token", &spec.name);
    founding(spec, at);
    at.flag(etcd, "--heartbeat-interval", HEARTBEAT_MS);
    at.flag(etcd, "--election-timeout", ELECTION_TIMEOUT_MS);
    // A member whose data differ from the others' must not serve them.
    at.flag(etcd, "--feature-gates", "InitialCorruptCheck=true");
    // API servers ask for a recent revision; without progress they would wait.
    at.flag(etcd, "--watch-progress-notify-interval", "5s");
}

/// How a member began is history, and stays as it was. Without a record of it, a member of a cluster
/// that exists joins it: a second cluster must never begin beside the first.
fn founding(spec: &Spec, at: &mut Place<'_, '_>) {
    let trust = at.draft().trust();
    let recorded = trust.foundings.get(at.name());
    let (state, members) = match recorded {
        Some(founding) => (founding.state, founding.members.clone()),
        None if !trust.started.is_empty() => (FoundingState::Existing, everybody(spec)),
        None => (FoundingState::New, everybody(spec)),
    };
    let members: Vec<String> = members.iter().map(|(name, url)| format!("{name}={url}")).collect();
    let state = match state {
        FoundingState::New => "new",
        FoundingState::Existing => "existing",
    };
    at.flag(Component::Etcd, "--initial-cluster", members.join(","));
    at.flag(Component::Etcd, "--initial-cluster-state", state);
}

fn everybody(spec: &Spec) -> Vec<(NodeName, String)> {
    spec.control_planes()
        .map(|node| (node.name.clone(), member_url(node.address, ETCD_PEER_PORT)))
        .collect()
}
