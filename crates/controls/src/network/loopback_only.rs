//! What only the machine itself asks for is served on loopback.

mod proof;
mod sabotage;

use ringfort_model::act::Protocol;
use ringfort_spec::{Limit, Spec};

use crate::control::{Control, Ref, Severity};
use crate::draft::{Component, Document, Draft};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "network/loopback-only",
    title: "What only the machine itself asks for is served on loopback",
    severity: Severity::Medium,
    refs: &[Ref::Cis("1.3.7"), Ref::Cis("1.4.2")],
    limits: &[Limit::Cluster],
    doc: include_str!("loopback_only.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// The program of the name servers.
pub const NAME_SERVERS: &str = "coredns";

/// What the name servers answer without TLS, in the network of their own pods, which is on no machine's list: port, over
/// what, and what it is. A policy lets others ask for names, and for nothing else.
pub const OF_NAME_SERVERS: [(u16, &[Protocol], &str); 4] = [
    (53, &[Protocol::Tcp, Protocol::Udp], "names"),
    (8080, &[Protocol::Tcp], "their health"),
    (8181, &[Protocol::Tcp], "whether they are ready"),
    (9153, &[Protocol::Tcp], "their metrics"),
];

fn make(_: &Spec, draft: &mut Draft<'_>) {
    draft.control_planes(|at| {
        at.flag(Component::Etcd, "--listen-metrics-urls", "http://127.0.0.1:2381");
        at.flag(Component::ControllerManager, "--bind-address", "127.0.0.1");
        at.flag(Component::Scheduler, "--bind-address", "127.0.0.1");
    });
    draft.everywhere(|at| {
        at.set(Document::Kubelet, "healthzBindAddress", "127.0.0.1");
        at.set(Document::KubeProxy, "healthzBindAddress", "127.0.0.1:10256");
        at.set(Document::KubeProxy, "metricsBindAddress", "127.0.0.1:10249");
    });
}
