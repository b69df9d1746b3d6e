//! Pods reach each other through upstream's plugins and fixed routes, without a privileged daemon.

mod proof;
mod sabotage;

use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;
use ringfort_model::net::Family;
use ringfort_model::network_policy::BRIDGE;
use ringfort_model::routes::{Hop, Masquerade, RouteMode};
use ringfort_spec::{Provider, Routes, Spec};
use serde_json::{Value, json};

use crate::control::{Control, Ref, Severity};
use crate::draft::{CLOSED, Document, Draft, PRIVATE, PROGRAM, PUBLIC, Place, Unit};
use crate::network::{network_policy, pod_encryption};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "network/pod-network",
    title: "Pods reach each other through upstream's plugins and fixed routes, without a privileged daemon",
    severity: Severity::Medium,
    refs: &[
        Ref::Cis("1.1.9"),
        Ref::Cis("1.1.10"),
        Ref::Docs("concepts/cluster-administration/networking/"),
    ],
    limits: &[],
    doc: include_str!("pod_network.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    draft.everywhere(|at| {
        at.directory("/etc/cni", PROGRAM, Owner::ROOT);
        at.directory("/etc/cni/net.d", CLOSED, Owner::ROOT);
        at.directory("/opt/cni", PROGRAM, Owner::ROOT);
        at.directory(paths::PLUGINS, PROGRAM, Owner::ROOT);
        forwarding(spec.network.family(), at);
        if spec.network.provider == Provider::Ringfort {
            plugins(spec, at);
            routes(spec, at);
        }
    });
}

/// Packets between pods of one machine cross its bridge, and must cross kube-proxy's rules and those of
/// policies too, also in a family in which pods have no addresses but those that they make themselves.
fn forwarding(family: Family, at: &mut Place<'_, '_>) {
    let own: &[(&str, &str)] = match family {
        Family::V4 => &[("net.ipv4.ip_forward", "1")],
        // Bridge and tunnel get addresses also where a machine's new links are to have none.
        Family::V6 => {
            &[("net.ipv6.conf.all.forwarding", "1"), ("net.ipv6.conf.default.disable_ipv6", "0")]
        }
    };
    let bridged =
        [("net.bridge.bridge-nf-call-iptables", "1"), ("net.bridge.bridge-nf-call-ip6tables", "1")];
    let settings: Vec<(&str, &str)> = own.iter().copied().chain(bridged).collect();
    for (name, value) in &settings {
        at.sysctl(name, value);
        let setting = ItemId::Sysctl((*name).to_owned());
        at.after(setting.clone(), ItemId::unit("ringfort-modules.service"));
        // These set it again as long as they run: `reset` puts it back when they have ended.
        for unit in ["kubelet.service", "ringfort-routes.service", "ringfort-policy.service"] {
            at.after(ItemId::unit(unit), setting.clone());
        }
    }
    let file: String = settings.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
    at.text("/etc/sysctl.d/90-ringfort-network.conf", PUBLIC, file);
}

fn plugins(spec: &Spec, at: &mut Place<'_, '_>) {
    for name in ["bridge", "host-local", "loopback", "portmap"] {
        at.program(paths::PLUGINS, name);
        let plugin = ItemId::file(format!("{}/{name}", paths::PLUGINS));
        at.after(ItemId::unit("kubelet.service"), plugin);
    }
    let node = at.name().clone();
    let Some(range) = at.draft().pods(&node) else { return };
    let everywhere = match range.family() {
        Family::V4 => "0.0.0.0/0",
        Family::V6 => "::/0",
    };
    let mut bridge = json!({
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": true,
        "ipMasq": false,
        "hairpinMode": true,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": range}]],
            "routes": [{"dst": everywhere}],
        },
    });
    let link = at.draft().trust().carriage.unwrap_or_default().mtu_bytes;
    let around = around(spec, pod_encryption::is_on(spec, at.draft().trust()));
    if around > 0 {
        bridge["mtu"] = link.saturating_sub(around).into();
    }
    let mut plugins =
        vec![bridge, json!({"type": "portmap", "capabilities": {"portMappings": true}})];
    let is_enforced = !spec.waives(network_policy::CONTROL.id);
    if is_enforced {
        plugins.push(json!({"type": network_policy::PLUGIN}));
    }
    let list = json!({"cniVersion": "1.0.0", "name": "ringfort", "plugins": plugins});
    at.text(CONFIGURATION, PRIVATE, pretty(&list));
    at.after(ItemId::unit("kubelet.service"), ItemId::file(CONFIGURATION));
    if is_enforced {
        // A pod that is started with this list waits for the enforcer.
        at.after(ItemId::file(CONFIGURATION), ItemId::unit(network_policy::UNIT));
    }
}

const CONFIGURATION: &str = "/etc/cni/net.d/10-ringfort.conflist";

/// How many bytes of each packet go to a tunnel's headers; direct routes carry whole ones.
fn around(spec: &Spec, encrypted: bool) -> u32 {
    let outer_is_v4 = spec.nodes.values().all(|node| node.address.is_ipv4());
    match (encrypted, spec.network.routes) {
        (true, _) => {
            if outer_is_v4 {
                60
            } else {
                80
            }
        }
        (false, Routes::Direct) => 0,
        (false, Routes::Auto | Routes::Vxlan) => {
            if outer_is_v4 {
                50
            } else {
                70
            }
        }
    }
}

fn routes(spec: &Spec, at: &mut Place<'_, '_>) {
    let mut hops = Vec::new();
    for node in spec.nodes.values() {
        let Some(pods) = at.draft().pods(&node.name) else { return };
        hops.push(Hop { node: node.name.clone(), address: node.address, pods });
    }
    let (own, peers): (Vec<Hop>, Vec<Hop>) =
        hops.into_iter().partition(|hop| hop.node == *at.name());
    let Some(own) = own.into_iter().next() else { return };
    let mode = match spec.network.routes {
        Routes::Auto => RouteMode::Auto,
        Routes::Direct => RouteMode::Direct,
        Routes::Vxlan => RouteMode::Vxlan,
    };
    at.set(Document::Routes, "mode", json!(mode));
    at.set(Document::Routes, "self", json!(own));
    at.set(Document::Routes, "peers", json!(peers));
    if spec.network.masquerade {
        let inside = vec![spec.network.pods, spec.network.services];
        at.set(Document::Routes, "masquerade", json!(Masquerade { inside }));
    }
    at.unit(Unit {
        name: "ringfort-routes.service",
        text: ROUTES_UNIT.to_owned(),
        reads: &["/usr/local/bin/ringfort"],
        needs: vec![ItemId::file(paths::ROUTES)],
    });
}

const ROUTES_UNIT: &str = "\
[Unit]
Description=Keeps the routes to pods of other machines
After=network.target
Before=kubelet.service
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=/usr/local/bin/ringfort node routes --file /etc/kubernetes/routes.json
Restart=always
RestartSec=2
CapabilityBoundingSet=CAP_NET_ADMIN
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectControlGroups=yes
RestrictNamespaces=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes

[Install]
WantedBy=multi-user.target
";

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
