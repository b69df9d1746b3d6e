//! etcd answers nobody but the API servers and its own members.

mod proof;
mod sabotage;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ringfort_model::certificate::{Authority, San, Subject, Usage};
use ringfort_model::mode::Owner;
use ringfort_spec::Spec;

use crate::control::{Control, Ref, Severity};
use crate::draft::{CLOSED, Component, Draft, Leaf, Mount, Place};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "data/etcd-mutual-tls",
    title: "etcd answers nobody but the API servers and its own members",
    severity: Severity::Critical,
    refs: &[
        Ref::Cis("1.2.23"),
        Ref::Cis("1.2.26"),
        Ref::Cis("2.1"),
        Ref::Cis("2.2"),
        Ref::Cis("2.3"),
        Ref::Cis("2.4"),
        Ref::Cis("2.5"),
        Ref::Cis("2.6"),
        Ref::Cis("2.7"),
    ],
    limits: &[],
    doc: include_str!("etcd_mutual_tls.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(_: &Spec, draft: &mut Draft<'_>) {
    draft.control_planes(|at| {
        at.directory(paths::ETCD_PKI, CLOSED, Owner::ETCD);
        at.authority(&etcd("etcd-client-ca.crt"), Authority::EtcdClient);
        at.authority(&etcd("etcd-peer-ca.crt"), Authority::EtcdPeer);
        at.authority(paths::ETCD_CLIENT_CA, Authority::EtcdClient);
        leaves(at);
        at.mount(Component::Etcd, paths::ETCD_PKI, Mount::Reads);
        for (flag, value) in FLAGS {
            at.flag(Component::Etcd, flag, value);
        }
        let api = Component::ApiServer;
        at.flag(api, "--etcd-cafile", paths::ETCD_CLIENT_CA);
        at.flag(api, "--etcd-certfile", format!("{CLIENT}.crt"));
        at.flag(api, "--etcd-keyfile", format!("{CLIENT}.key"));
    });
}

const CLIENT: &str = "/etc/kubernetes/pki/apiserver-etcd-client";

/// Without its gateway, etcd never dials itself, so that the server's certificate need not be a
/// client's as well.
const FLAGS: [(&str, &str); 9] = [
    ("--cert-file", "/etc/etcd/server.crt"),
    ("--key-file", "/etc/etcd/server.key"),
    ("--trusted-ca-file", "/etc/etcd/etcd-client-ca.crt"),
    ("--client-cert-auth", "true"),
    ("--peer-cert-file", "/etc/etcd/peer.crt"),
    ("--peer-key-file", "/etc/etcd/peer.key"),
    ("--peer-trusted-ca-file", "/etc/etcd/etcd-peer-ca.crt"),
    ("--peer-client-cert-auth", "true"),
    ("--enable-grpc-gateway", "false"),
];

fn leaves(at: &mut Place<'_, '_>) {
    let node = at.name().clone();
    let names = BTreeSet::from([
        San::Dns(node.to_string()),
        San::Dns("localhost".to_owned()),
        San::Ip(at.address()),
        San::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    ]);
    at.leaf(Leaf {
        stem: &etcd("server"),
        owner: Owner::ETCD,
        authority: Authority::EtcdClient,
        subject: Subject::user(node.to_string()),
        usages: &[Usage::ServerAuth],
        names: names.clone(),
    });
    at.leaf(Leaf {
        stem: &etcd("peer"),
        owner: Owner::ETCD,
        authority: Authority::EtcdPeer,
        subject: Subject::user(node.to_string()),
        usages: &[Usage::ServerAuth, Usage::ClientAuth],
        names,
    });
    at.leaf(Leaf {
        stem: CLIENT,
        owner: Owner::ROOT,
        authority: Authority::EtcdClient,
        subject: Subject::user("kube-apiserver-etcd-client"),
        usages: &[Usage::ClientAuth],
        names: BTreeSet::new(),
    });
}

fn etcd(file: &str) -> String {
    format!("{}/{file}", paths::ETCD_PKI)
}
