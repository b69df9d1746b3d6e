//! Every machine is a Ready node: container runtime and kubelet run, with identities of their own.

mod proof;
mod sabotage;

use std::collections::BTreeSet;

use ringfort_model::blueprint::Role;
use ringfort_model::certificate::{Authority, Subject, Usage};
use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;
use ringfort_model::net::Family;
use ringfort_spec::{CgroupDriver, Node, Runtime, Spec};
use serde_json::{Value, json};

use crate::control::{Control, Ref, Severity};
use crate::draft::{CLOSED, Document, Draft, GO_ENVIRONMENT, Leaf, PRIVATE, PROGRAM, Place, Unit};
use crate::kubeconfig::{self, Client};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "ha/nodes-are-ready",
    title: "Every machine of the spec is a Ready node, and no other is",
    severity: Severity::High,
    refs: &[
        Ref::Cis("4.1.1"),
        Ref::Cis("4.1.5"),
        Ref::Cis("4.1.6"),
        Ref::Cis("4.1.7"),
        Ref::Cis("4.1.9"),
        Ref::Cis("4.2.5"),
        Ref::Cis("4.2.8"),
    ],
    limits: &[],
    doc: include_str!("nodes_are_ready.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Ground, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let pause = draft.image("pause").map(|image| image.reference.to_owned()).unwrap_or_default();
    draft.everywhere(|at| {
        let runtime = &spec.nodes[at.name()].runtime;
        at.directory(paths::KUBERNETES, PROGRAM, Owner::ROOT);
        at.directory(paths::PKI, PROGRAM, Owner::ROOT);
        at.authority(paths::CA, Authority::Cluster);
        at.directory("/etc/containerd", PROGRAM, Owner::ROOT);
        at.text(CONTAINERD_CONFIG, PRIVATE, containerd_config(runtime, &pause));
        at.unit(Unit {
            name: "containerd.service",
            text: containerd(),
            reads: &[CONTAINERD_CONFIG, "/usr/local/bin/containerd"],
            needs: ["containerd-shim-runc-v2", "runc", "ctr"].map(program).to_vec(),
        });
        kubelet(spec, at);
    });
    for node in spec.nodes.values() {
        draft.awaited(roled(node), &node.name, ItemId::unit("kubelet.service"));
    }
}

/// A node with the label of its role. A kubelet must not set it, and a node that ringfort made
/// would lack the taint that its kubelet sets when it makes it.
fn roled(node: &Node) -> Value {
    let role = match node.role {
        Role::ControlPlane => "node-role.kubernetes.io/control-plane",
        Role::Worker => "node-role.kubernetes.io/worker",
    };
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": {role: ""}},
    })
}

pub(crate) const CONTAINERD_CONFIG: &str = "/etc/containerd/config.toml";

fn program(name: &str) -> ItemId {
    ItemId::file(format!("{}/{name}", paths::PROGRAMS))
}

/// Everything that is not said here stays as containerd has it.
fn containerd_config(runtime: &Runtime, pause: &str) -> String {
    format!(
        "\
version = 4

[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '{pause}'

[plugins.'io.containerd.cri.v1.runtime']
  disable_apparmor = {no_apparmor}
  restrict_oom_score_adj = {restrict}
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = 'io.containerd.runc.v2'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = '/usr/local/bin/runc'
      SystemdCgroup = {systemd}
",
        no_apparmor = !runtime.app_armor,
        restrict = runtime.restrict_oom_score_adj,
        systemd = runtime.cgroup_driver == CgroupDriver::Systemd,
    )
}

/// Containers live on while containerd restarts.
fn containerd() -> String {
    format!(
        "\
[Unit]
Description=containerd, the container runtime
Documentation=https://containerd.io
After=network.target local-fs.target ringfort-modules.service

[Service]
Type=notify
ExecStart=/usr/local/bin/containerd --config /etc/containerd/config.toml
Environment={GO_ENVIRONMENT}
Delegate=yes
KillMode=process
Restart=always
RestartSec=2
LimitNOFILE=1048576
TasksMax=infinity
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
"
    )
}

const DEVICE_PLUGINS: &str = "/var/lib/kubelet/device-plugins";

fn kubelet(spec: &Spec, at: &mut Place<'_, '_>) {
    let node = at.name().clone();
    let user = format!("system:node:{node}");
    let stem = "/var/lib/kubelet/pki/client";
    at.directory(paths::KUBELET, CLOSED, Owner::ROOT);
    at.directory("/var/lib/kubelet/pki", CLOSED, Owner::ROOT);
    // Kubelet would make it at its first start, and nothing would explain it to who watches by then.
    at.directory(DEVICE_PLUGINS, PROGRAM, Owner::ROOT);
    at.leaf(Leaf {
        stem,
        owner: Owner::ROOT,
        authority: Authority::Cluster,
        subject: Subject::member(user.clone(), "system:nodes"),
        usages: &[Usage::ClientAuth],
        names: BTreeSet::new(),
    });
    let client = Client { cluster: &spec.name, user: &user, ca: paths::CA, stem };
    at.text(paths::KUBELET_CONF, PRIVATE, kubeconfig::file(&client));
    settings(spec, at);
    let mut needs = vec![ItemId::unit("containerd.service"), ItemId::directory(DEVICE_PLUGINS)];
    for file in ["client", "serving"] {
        needs.push(ItemId::file(format!("/var/lib/kubelet/pki/{file}.crt")));
    }
    at.unit(Unit {
        name: "kubelet.service",
        text: kubelet_unit(at),
        reads: &[paths::KUBELET_CONFIG, paths::KUBELET_CONF, paths::CA, "/usr/local/bin/kubelet"],
        needs,
    });
    let balancer = ItemId::unit("ringfort-balance.service");
    at.after(ItemId::unit("kubelet.service"), balancer);
}

fn settings(spec: &Spec, at: &mut Place<'_, '_>) {
    let runtime = &spec.nodes[at.name()].runtime;
    let driver = match runtime.cgroup_driver {
        CgroupDriver::Systemd => "systemd",
        CgroupDriver::Cgroupfs => "cgroupfs",
    };
    let kubelet = Document::Kubelet;
    if spec.network.family() == Family::V6 {
        at.set(kubelet, "address", "::");
    }
    at.set(kubelet, "containerRuntimeEndpoint", "unix:///run/containerd/containerd.sock");
    at.set(kubelet, "cgroupDriver", driver);
    at.set(kubelet, "failCgroupV1", runtime.fail_cgroup_v1);
    at.set(kubelet, "volumePluginDir", "/var/lib/kubelet/volume-plugins");
    at.set(kubelet, "eventRecordQPS", 50);
    at.set(kubelet, "streamingConnectionIdleTimeout", "1h0m0s");
    // kube-proxy speaks nftables; the hint for users of iptables would need iptables.
    at.set(kubelet, "makeIPTablesUtilChains", false);
    // A component that waits for another is tried again soon.
    at.set(kubelet, "crashLoopBackOff/maxContainerRestartPeriod", "30s");
    // Pods are told before the machine goes down, the critical ones last.
    at.set(kubelet, "shutdownGracePeriod", "20s");
    at.set(kubelet, "shutdownGracePeriodCriticalPods", "10s");
}

fn kubelet_unit(at: &Place<'_, '_>) -> String {
    format!(
        "\
[Unit]
Description=kubelet, the node agent of Kubernetes
Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/
After=containerd.service ringfort-balance.service
Wants=containerd.service ringfort-balance.service
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/local/bin/kubelet --config={config} --kubeconfig={conf} --node-ip={address} --hostname-override={node}
Environment={GO_ENVIRONMENT}
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
",
        config = paths::KUBELET_CONFIG,
        conf = paths::KUBELET_CONF,
        address = at.address(),
        node = at.name(),
    )
}
