//! Any one control plane may stop, and the cluster goes on.

mod proof;
mod sabotage;

use std::net::{IpAddr, SocketAddr};

use ringfort_model::blueprint::Role;
use ringfort_model::item::ItemId;
use ringfort_model::reach::{API_PORT, ETCD_PORT, member_url};
use ringfort_spec::Spec;

use crate::control::{Control, Ref, Severity};
use crate::draft::{Component, Draft, PUBLIC, Place, Unit};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "ha/survives-control-plane",
    title: "Any one control plane may stop, and writes go on",
    severity: Severity::High,
    refs: &[Ref::Docs("setup/production-environment/tools/kubeadm/high-availability/")],
    limits: &[],
    doc: include_str!("survives_control_plane.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Disruptive, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let servers: Vec<IpAddr> = spec.control_planes().map(|node| node.address).collect();
    draft.everywhere(|at| balancer(at, &servers));
    draft.control_planes(|at| {
        let api = Component::ApiServer;
        let own = at.address();
        at.add(api, "--etcd-servers", "https://127.0.0.1:2379");
        for other in servers.iter().filter(|other| **other != own) {
            at.add(api, "--etcd-servers", member_url(*other, ETCD_PORT));
        }
        // A stopping server lets go of watches, instead of a minute's waiting for them.
        at.flag(api, "--shutdown-watch-termination-grace-period", "10s");
        // One connection in a thousand requests moves to another server after one came back.
        at.flag(api, "--goaway-chance", "0.001");
        at.flag(Component::ControllerManager, "--leader-elect", true);
        at.flag(Component::Scheduler, "--leader-elect", true);
    });
}

/// Writes the balancer of a machine. It takes the first server that is ready: on a control plane its
/// own, on workers one after the other, so that they do not all go to the same.
fn balancer(at: &mut Place<'_, '_>, servers: &[IpAddr]) {
    let own = at.address();
    let is_own = |server: &&IpAddr| at.role() == Role::ControlPlane && **server == own;
    let (later, sooner) = servers.split_at(turn(own, servers.len()));
    let in_turn = sooner.iter().chain(later);
    let first = in_turn.clone().filter(is_own);
    let others = in_turn.clone().filter(|server| !is_own(server));
    let backend = |server: &IpAddr| format!("{}\n", SocketAddr::new(*server, API_PORT));
    let backends: String = first.chain(others).map(backend).collect();
    at.text(paths::BALANCER, PUBLIC, backends);
    at.unit(Unit {
        name: "ringfort-balance.service",
        text: unit(),
        reads: &[paths::CA, RINGFORT],
        needs: vec![ItemId::file(paths::BALANCER)],
    });
}

/// Chooses the server at which a machine begins: neighbours begin at different ones.
fn turn(own: IpAddr, servers: usize) -> usize {
    let last = match own {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(address) => address.octets()[15],
    };
    usize::from(last) % servers.max(1)
}

const RINGFORT: &str = "/usr/local/bin/ringfort";

/// The balancer reads two files that everybody may read, and owns nothing.
fn unit() -> String {
    format!(
        "\
[Unit]
Description=Passes connections of this machine on to an API server that is ready
After=network.target
Before=kubelet.service kube-proxy.service
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={RINGFORT} node balance --listen {listen} --backends {backends}
Restart=always
RestartSec=1
DynamicUser=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
",
        listen = paths::BALANCER_LISTENS,
        backends = paths::BALANCER,
    )
}
