//! Each API server signs tokens with a key of its own, and all of them know every key.

mod proof;
mod sabotage;

use ringfort_model::blueprint::Role;
use ringfort_model::content::Content;
use ringfort_model::mode::Owner;
use ringfort_spec::Spec;

use crate::control::{Control, Ref, Severity};
use crate::draft::{Component, Draft, PRIVATE, PROGRAM, PUBLIC, Place};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/service-account-tokens",
    title: "Each API server signs tokens with a key of its own, and all servers know every key",
    severity: Severity::High,
    refs: &[Ref::Cis("1.2.21"), Ref::Cis("1.2.22"), Ref::Cis("1.2.30")],
    limits: &[],
    doc: include_str!("service_account_tokens.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// No token lives longer, whatever is asked for.
pub const MOST_HOURS: u32 = 24;

/// A server must not sign before all others know its key; the engine keeps that order.
fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let issuer = format!("https://kubernetes.default.svc.{}", spec.network.domain);
    let keys: Vec<(String, String)> = draft
        .trust()
        .service_account_keys
        .iter()
        .map(|(id, key)| {
            let path = format!("{}/{}.pub", paths::SERVICE_ACCOUNT_PUBLIC, id.short());
            (path, key.public_pem.clone())
        })
        .collect();
    draft.control_planes(|at| {
        own_key(at);
        at.directory(paths::SERVICE_ACCOUNT_PUBLIC, PROGRAM, Owner::ROOT);
        for (path, pem) in &keys {
            at.text(path, PUBLIC, pem.clone());
            at.again(Component::ApiServer, "--service-account-key-file", path);
        }
        let api = Component::ApiServer;
        at.flag(api, "--service-account-issuer", &issuer);
        at.flag(api, "--service-account-signing-key-file", paths::SERVICE_ACCOUNT_KEY);
        at.flag(api, "--service-account-lookup", true);
        at.flag(api, "--service-account-extend-token-expiration", false);
        at.flag(api, "--service-account-max-token-expiration", format!("{MOST_HOURS}h"));
    });
}

/// Adds what must be on a control plane before its public key can be known to the others: the
/// directories, and the key itself.
pub fn own_key(at: &mut Place<'_, '_>) {
    if at.role() != Role::ControlPlane {
        return;
    }
    at.directory(paths::KUBERNETES, PROGRAM, Owner::ROOT);
    at.directory(paths::PKI, PROGRAM, Owner::ROOT);
    at.file(paths::SERVICE_ACCOUNT_KEY, PRIVATE, Owner::ROOT, Content::PrivateKey);
}
