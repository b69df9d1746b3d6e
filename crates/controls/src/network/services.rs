//! kube-proxy leads Services to their pods by nftables, with an identity that can do no more.

mod proof;
mod sabotage;

use std::collections::BTreeSet;

use ringfort_model::certificate::{Authority, Subject, Usage};
use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;
use ringfort_model::net::Family;
use ringfort_spec::Spec;
use serde_json::json;

use crate::control::{Control, Ref, Severity};
use crate::draft::{Document, Draft, GO_ENVIRONMENT, Leaf, PRIVATE, Unit};
use crate::kubeconfig::{self, Client};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "network/services",
    title: "kube-proxy leads Services to their pods by nftables, with an identity that can do no more",
    severity: Severity::Medium,
    refs: &[Ref::Cis("4.1.3"), Ref::Cis("4.1.4"), Ref::Kep(3866)],
    limits: &[],
    doc: include_str!("services.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// The user that upstream's own role for kube-proxy is bound to.
const USER: &str = "system:kube-proxy";

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let stem = "/etc/kubernetes/pki/kube-proxy";
    let client = Client { cluster: &spec.name, user: USER, ca: paths::CA, stem };
    let kubeconfig = kubeconfig::file(&client);
    draft.everywhere(|at| {
        at.leaf(Leaf {
            stem,
            owner: Owner::ROOT,
            authority: Authority::Cluster,
            subject: Subject::user(USER),
            usages: &[Usage::ClientAuth],
            names: BTreeSet::new(),
        });
        at.text(paths::PROXY_CONF, PRIVATE, kubeconfig.clone());
        let proxy = Document::KubeProxy;
        at.set(proxy, "mode", "nftables");
        at.set(proxy, "clientConnection/kubeconfig", paths::PROXY_CONF);
        at.set(proxy, "clusterCIDR", spec.network.pods.to_string());
        if spec.network.family() == Family::V6 {
            at.set(proxy, "bindAddress", "::");
        }
        // Upstream's default with nftables, said here since at other addresses a pod may be seen as its machine.
        at.set(proxy, "nodePortAddresses", json!(["primary"]));
        let node = at.name().to_string();
        at.set(proxy, "hostnameOverride", node);
        // The kernel's own limits of tracked connections stay as the machine has them.
        at.set(
            proxy,
            "conntrack",
            json!({
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            }),
        );
        at.unit(Unit {
            name: "kube-proxy.service",
            text: unit(),
            reads: &[
                paths::PROXY_CONFIG,
                paths::PROXY_CONF,
                paths::CA,
                "/usr/local/bin/kube-proxy",
            ],
            needs: vec![ItemId::file(format!("{stem}.crt"))],
        });
        let balancer = ItemId::unit("ringfort-balance.service");
        at.after(ItemId::unit("kube-proxy.service"), balancer);
    });
}

fn unit() -> String {
    format!(
        "\
[Unit]
Description=kube-proxy, which leads Services to their pods
Documentation=https://kubernetes.io/docs/reference/networking/virtual-ips/
After=network.target ringfort-balance.service ringfort-modules.service
Wants=ringfort-balance.service
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/local/bin/kube-proxy --config=/etc/kubernetes/kube-proxy.yaml
Environment={GO_ENVIRONMENT}
Restart=always
RestartSec=2
NoNewPrivileges=yes
ProtectHome=yes
PrivateTmp=yes
ProtectSystem=full

[Install]
WantedBy=multi-user.target
"
    )
}
