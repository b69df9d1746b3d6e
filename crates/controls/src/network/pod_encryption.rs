//! What pods say to other machines is encrypted on the way.

mod proof;
mod sabotage;

use std::collections::BTreeMap;

use ringfort_model::content::Content;
use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;
use ringfort_model::name::NodeName;
use ringfort_model::trust::TrustFacts;
use ringfort_model::tunnel::{PodTraffic, Tunnel, TunnelKey};
use ringfort_spec::{Encryption, Limit, Provider, Spec};
use serde_json::json;

use crate::control::{Control, Ref, Severity};
use crate::draft::{Document, Draft, PRIVATE, PROGRAM, PUBLIC, Place};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: ringfort_spec::POD_ENCRYPTION,
    title: "What pods say to other machines is encrypted on the way",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/security-checklist/")],
    limits: &[Limit::Cluster],
    doc: include_str!("pod_encryption.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// Says whether packets of pods are encrypted, by the spec and by what machines can do.
pub fn is_on(spec: &Spec, trust: &TrustFacts) -> bool {
    let traffic = trust.carriage.map(|carriage| carriage.traffic);
    spec.network.provider == Provider::Ringfort
        && !spec.waives(CONTROL.id)
        && match spec.network.encryption {
            Encryption::Wireguard => true,
            // `none` is nothing without its waiver, which ends by itself.
            Encryption::Auto | Encryption::None => traffic == Some(PodTraffic::Encrypted),
        }
}

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    if !is_on(spec, draft.trust()) {
        return;
    }
    let keys = &draft.trust().tunnel_keys;
    draft.everywhere(|at| {
        own_key(at);
        at.text("/etc/modules-load.d/ringfort-wireguard.conf", PUBLIC, "wireguard\n");
        let peers: BTreeMap<NodeName, TunnelKey> = keys
            .iter()
            .filter(|(node, _)| *node != at.name() && spec.nodes.contains_key(*node))
            .map(|(node, key)| (node.clone(), *key))
            .collect();
        let tunnel = Tunnel { key: paths::TUNNEL_KEY.to_owned(), peers };
        at.set(Document::Routes, "tunnel", json!(tunnel));
        let routes = ItemId::file(paths::ROUTES);
        at.after(routes, ItemId::file(paths::TUNNEL_KEY));
    });
}

/// Adds what must be on a machine before its public key can be known to the others: the
/// directories, and the key itself.
pub fn own_key(at: &mut Place<'_, '_>) {
    at.directory(paths::KUBERNETES, PROGRAM, Owner::ROOT);
    at.file(paths::TUNNEL_KEY, PRIVATE, Owner::ROOT, Content::TunnelKey);
}
