//! NetworkPolicy is enforced on every machine, from a pod's first packet on.

pub(super) mod held;
mod proof;
mod sabotage;
pub(super) mod wider;

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::certificate::{Authority, Subject, Usage};
use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;
use ringfort_model::name::NodeName;
use ringfort_model::net::Cidr;
use ringfort_model::network_policy::{ENFORCER, WIDER_GROUP, WiderKind};
use ringfort_spec::{Limit, Provider, Spec};
use serde_json::json;

use crate::control::{Control, Ref, Severity};
use crate::draft::{Document, Draft, Leaf, PROGRAM, Place, Unit};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "network/network-policy",
    title: "NetworkPolicy is enforced on every machine, from a pod's first packet on",
    severity: Severity::High,
    refs: &[Ref::Cis("5.3.1"), Ref::Docs("concepts/services-networking/network-policies/")],
    limits: &[Limit::Cluster],
    doc: include_str!("network_policy.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// The plugin that holds a pod back until its rules are in force.
pub const PLUGIN: &str = "ringfort-policy";
/// The unit of the enforcer.
pub const UNIT: &str = "ringfort-policy.service";
/// The user as whom it hears of the kinds that it needs.
pub const USER: &str = ENFORCER;

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    if spec.network.provider != Provider::Ringfort {
        return;
    }
    draft.everywhere(|at| enforcer(spec, at));
    let group = "rbac.authorization.k8s.io";
    let wider: Vec<&str> = WiderKind::ALL.iter().map(|kind| kind.plural()).collect();
    let watch = |group: &str, resources: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": ["list", "watch"]});
    draft.object(json!({
        "apiVersion": format!("{group}/v1"),
        "kind": "ClusterRole",
        "metadata": {"name": USER},
        "rules": [
            watch("", &["namespaces", "pods"]),
            watch("networking.k8s.io", &["networkpolicies"]),
            watch(WIDER_GROUP, &wider),
        ],
    }));
    draft.object(json!({
        "apiVersion": format!("{group}/v1"),
        "kind": "ClusterRoleBinding",
        "metadata": {"name": USER},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": USER},
        "subjects": [{"apiGroup": group, "kind": "User", "name": USER}],
    }));
}

fn enforcer(spec: &Spec, at: &mut Place<'_, '_>) {
    let node = at.name().clone();
    let Some(range) = at.draft().pods(&node) else { return };
    let all = spec.network.pods;
    let of = |name: &NodeName| Some((name.clone(), vec![at.draft().pods(name)?]));
    let ranges: Option<BTreeMap<NodeName, Vec<Cidr>>> = spec.nodes.keys().map(of).collect();
    let Some(ranges) = ranges else { return };
    let stem = "/etc/kubernetes/pki/network-policy";
    at.leaf(Leaf {
        stem,
        owner: Owner::ROOT,
        authority: Authority::Cluster,
        subject: Subject::user(USER),
        usages: &[Usage::ClientAuth],
        names: BTreeSet::new(),
    });
    let told = Document::NetworkPolicy;
    at.set(told, "node", node.to_string());
    at.set(told, "pods", json!([range]));
    at.set(told, "allPods", json!([all]));
    at.set(told, "nodePods", json!(ranges));
    let plugin = format!("{}/{PLUGIN}", paths::PLUGINS);
    at.text(&plugin, PROGRAM, SCRIPT);
    at.unit(Unit {
        name: UNIT,
        text: TEXT.to_owned(),
        reads: &["/usr/local/bin/ringfort", paths::CA],
        needs: vec![
            ItemId::file(paths::NETWORK_POLICY),
            ItemId::file(format!("{stem}.crt")),
            ItemId::file(plugin),
        ],
    });
    for path in [paths::NETWORK_POLICY.to_owned(), format!("{stem}.crt")] {
        at.unit_reads(UNIT, &path);
    }
    at.after(ItemId::unit(UNIT), ItemId::unit("ringfort-balance.service"));
    at.after(ItemId::unit("kubelet.service"), ItemId::unit(UNIT));
}

const SCRIPT: &str = "\
#!/bin/sh
exec /usr/local/bin/ringfort node policy-plugin
";

const TEXT: &str = "\
[Unit]
Description=Enforces network policies on this machine's pods
After=network.target ringfort-balance.service ringfort-modules.service
Wants=ringfort-balance.service
Before=kubelet.service
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=/usr/local/bin/ringfort node policy
Restart=always
RestartSec=1
# It says each second that it goes on. What it asks nft for ends within half a minute, told or given up.
WatchdogSec=3min
# Ours and what nft takes for the largest rules. What goes beyond is a fault: it begins anew, and rules stay.
MemoryMax=2G
OOMScoreAdjust=-900
# Which pod has which address outlives this process, as the rules in the kernel do.
RuntimeDirectory=ringfort-policy
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
CapabilityBoundingSet=CAP_NET_ADMIN
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes

[Install]
WantedBy=multi-user.target
";
