//! A small blueprint with every kind of item in it, rendered from what an invented operator knows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use ringfort_model::api_object::{ApiObject, Presence};
use ringfort_model::blueprint::{Blueprint, Machine, Role};
use ringfort_model::certificate::{Authority, CertRequest, Subject, Usage};
use ringfort_model::content::{Content, SecretName};
use ringfort_model::digest::Digest;
use ringfort_model::etcd::Founding;
use ringfort_model::item::{Item, ItemId, Probe, What};
use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::name::{ClusterName, NodeName};

use super::store::Store;

pub(super) const ETCD_MANIFEST: &str = "/etc/kubernetes/manifests/etcd.yaml";
pub(super) const API_MANIFEST: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";
pub(super) const SIGNING_KEY: &str = "/etc/kubernetes/pki/sa.key";
pub(super) const AUDIT: &str = "/etc/kubernetes/audit.yaml";
pub(super) const KUBELET: &str = "/usr/local/bin/kubelet";
pub(super) const ENCRYPTION: &str = "/etc/kubernetes/encryption/config.yaml";
pub(super) const OBJECTS: usize = 3;
/// The object that the kubelet of the first machine makes when it starts.
pub(super) const NODE: usize = OBJECTS - 1;

/// What an invented manifest says.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Manifest {
    pub(super) inputs: Digest,
    pub(super) founding: Option<Founding>,
    pub(super) accepts: BTreeSet<String>,
}

/// Renders the pass in which signing keys are made.
pub(super) fn keys(store: &Store) -> Blueprint {
    let machine = |(node, (role, address)): (&NodeName, &(Role, IpAddr))| {
        let mut items = BTreeMap::new();
        if *role == Role::ControlPlane {
            put(&mut items, ItemId::directory("/etc/kubernetes"), directory(Owner::ROOT), &[]);
            put(&mut items, ItemId::file(SIGNING_KEY), key(), &["directory:/etc/kubernetes"]);
        }
        (node.clone(), Machine { role: *role, address: *address, items })
    };
    blueprint(store.spec.iter().map(machine).collect(), 0)
}

/// Renders everything.
pub(super) fn full(store: &Store, rolls: bool) -> Blueprint {
    let machine = |(node, (role, address)): (&NodeName, &(Role, IpAddr))| {
        let mut items = common(store, node);
        if *role == Role::ControlPlane {
            put(&mut items, ItemId::file(SIGNING_KEY), key(), &["directory:/etc/kubernetes"]);
        }
        if let (Role::ControlPlane, Some(founding)) = (role, store.foundings.get(node)) {
            control_plane(&mut items, store, founding, rolls);
        }
        (node.clone(), Machine { role: *role, address: *address, items })
    };
    blueprint(store.spec.iter().map(machine).collect(), OBJECTS)
}

/// Renders machines that are to have nothing.
pub(super) fn empty(machines: &BTreeMap<NodeName, (Role, IpAddr)>) -> Blueprint {
    let machine = |(node, (role, address)): (&NodeName, &(Role, IpAddr))| {
        (node.clone(), Machine { role: *role, address: *address, items: BTreeMap::new() })
    };
    blueprint(machines.iter().map(machine).collect(), 0)
}

fn blueprint(machines: BTreeMap<NodeName, Machine>, objects: usize) -> Blueprint {
    let made = machines.keys().next().map(|node| {
        let (node, unit) = (node.clone(), ItemId::unit("kubelet"));
        Presence::Awaited { node, unit }
    });
    let object = |index: usize| ApiObject {
        by: "sim/object".to_owned(),
        object: serde_json::json!({ "kind": "ConfigMap", "metadata": { "name": format!("o{index}") } }),
        presence: made.clone().filter(|_| index == NODE).unwrap_or_default(),
    };
    Blueprint {
        cluster: ClusterName::new("sim").expect("it is a label"),
        kubernetes: "v1.37.0".to_owned(),
        objects: (0..objects).map(object).collect(),
        machines,
    }
}

fn common(store: &Store, node: &NodeName) -> BTreeMap<ItemId, Item> {
    let mut items = BTreeMap::new();
    let version = Digest::of(format!("version {}", store.version).as_bytes());
    put(&mut items, ItemId::directory("/etc/kubernetes"), directory(Owner::ROOT), &[]);
    let sysctl = What::Sysctl { value: "1".to_owned() };
    put(&mut items, ItemId::Sysctl("net.ipv4.ip_forward".to_owned()), sysctl, &[]);
    let binary = file(Content::Text(format!("kubelet {}", store.version)), None);
    put(&mut items, ItemId::file("/usr/local/bin/kubelet"), binary, &[]);
    put(
        &mut items,
        ItemId::file("/var/lib/kubelet/client.key"),
        key(),
        &["directory:/etc/kubernetes"],
    );
    let request = CertRequest {
        authority: Authority::Cluster,
        subject: Subject::member(format!("system:node:{node}"), "system:nodes"),
        usages: BTreeSet::from([Usage::ClientAuth]),
        names: BTreeSet::new(),
        key: "/var/lib/kubelet/client.key".to_owned(),
    };
    let certificate = file(Content::Issued(request), None);
    let needs = ["file:/var/lib/kubelet/client.key"];
    put(&mut items, ItemId::file("/var/lib/kubelet/client.crt"), certificate, &needs);
    let containerd = What::Unit { inputs: Digest::of(b"containerd"), reads: BTreeSet::new() };
    put(&mut items, ItemId::unit("containerd"), containerd, &["sysctl:net.ipv4.ip_forward"]);
    let archive = Digest::of(b"pause");
    let image =
        What::Image { name: "pause".to_owned(), archive: archive.clone(), manifest: archive };
    put(&mut items, ItemId::Image("pause".to_owned()), image, &["unit:containerd"]);
    let kubelet = What::Unit { inputs: version, reads: BTreeSet::from([KUBELET.to_owned()]) };
    let needs = ["image:pause", "file:/usr/local/bin/kubelet", "file:/var/lib/kubelet/client.crt"];
    put(&mut items, ItemId::unit("kubelet"), kubelet, &needs);
    items
}

fn control_plane(
    items: &mut BTreeMap<ItemId, Item>,
    store: &Store,
    founding: &Founding,
    rolls: bool,
) {
    let user = What::User { owner: Owner::ETCD };
    put(items, ItemId::User("etcd".to_owned()), user, &[]);
    put(items, ItemId::directory("/var/lib/etcd"), directory(Owner::ETCD), &["user:etcd"]);
    let secret = Content::Secret {
        name: SecretName::EncryptionConfiguration,
        digest: Digest::of(store.encryption_file().as_bytes()),
        keys: store.encryption.clone(),
    };
    put(items, ItemId::file(ENCRYPTION), file(secret, None), &["directory:/etc/kubernetes"]);
    let audit = file(Content::Text("audit".to_owned()), None);
    put(items, ItemId::file(AUDIT), audit, &["directory:/etc/kubernetes"]);
    let accepts = store.accepted();
    let etcd = Manifest {
        inputs: Digest::of(format!("etcd {} {founding:?}", store.version).as_bytes()),
        founding: Some(founding.clone()),
        accepts: BTreeSet::new(),
    };
    let api = Manifest {
        inputs: Digest::of(format!("api {} {accepts:?}", store.version).as_bytes()),
        founding: None,
        accepts,
    };
    let parts = [
        ("etcd", ETCD_MANIFEST, etcd, vec!["directory:/var/lib/etcd"]),
        (
            "kube-apiserver",
            API_MANIFEST,
            api,
            vec![
                "file:/etc/kubernetes/pki/sa.key",
                "file:/etc/kubernetes/encryption/config.yaml",
                "file:/etc/kubernetes/audit.yaml",
            ],
        ),
    ];
    for (name, path, manifest, needs) in parts {
        let text = serde_json::to_string(&manifest).expect("it has string keys only");
        let group = rolls.then(|| name.to_owned());
        put(items, ItemId::file(path), file(Content::Text(text), group), &needs);
        let serving = What::Serving {
            probe: Probe::Http {
                at: "127.0.0.1:1".parse().expect("it is an address"),
                path: "/readyz".to_owned(),
            },
            inputs: manifest.inputs,
            process: name.to_owned(),
            reads: read_by(name).into_iter().map(str::to_owned).collect(),
        };
        let needs = [format!("file:{path}"), "unit:kubelet".to_owned()];
        let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
        put(items, ItemId::Serving(name.to_owned()), serving, &needs);
    }
}

/// Names the files that a component of the sketch reads only at its start.
pub(super) fn read_by(name: &str) -> Option<&'static str> {
    match name {
        "kube-apiserver" => Some(AUDIT),
        "kubelet" => Some(KUBELET),
        _ => None,
    }
}

fn put(items: &mut BTreeMap<ItemId, Item>, id: ItemId, what: What, needs: &[&str]) {
    let needs = needs.iter().map(|need| need.parse().expect("it names an item")).collect();
    items.insert(id, Item { by: "sim/control".to_owned(), needs, what });
}

fn directory(owner: Owner) -> What {
    What::Directory { mode: FileMode(0o755), owner }
}

fn key() -> What {
    file(Content::PrivateKey, None)
}

fn file(content: Content, rolling: Option<String>) -> What {
    What::File { mode: FileMode(0o600), owner: Owner::ROOT, content, rolling }
}
