//! Section 2: how etcd is started.

use std::collections::BTreeSet;

use ringfort_facts::component::Component;
use ringfort_facts::component::settings::Settings;
use ringfort_facts::machine::Machine;
use ringfort_model::digest::Digest;
use ringfort_model::judgement::{Gap, Judgement};

use super::api_server::{off, on, set};
use super::{Ask, Kept, Row, automated, manual, second};
use crate::benchmark::say::{decide, each, fail, not_here, unknown};

const KEPT: Kept = Kept::By("data/etcd-mutual-tls");

/// The rows.
#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    automated("2.1", "etcd shows clients a certificate", KEPT, ask(|s| set(s, &["cert-file", "key-file"]))),
    automated("2.2", "etcd asks clients for a certificate", KEPT, ask(|s| on(s, "client-cert-auth"))),
    automated("2.3", "etcd makes no certificates of its own for clients", KEPT, ask(|s| off(s, "auto-tls"))),
    automated("2.4", "etcd's members show each other certificates", KEPT, ask(|s| set(s, &["peer-cert-file", "peer-key-file"]))),
    automated("2.5", "etcd's members ask each other for certificates", KEPT, ask(|s| on(s, "peer-client-cert-auth"))),
    automated("2.6", "etcd makes no certificates of its own for members", KEPT, ask(|s| off(s, "peer-auto-tls"))),
    second(manual("2.7", "etcd trusts an authority that nothing else uses", KEPT, Ask::Machine(own_authority))),
];

const fn ask(judge: fn(&Settings) -> Judgement) -> Ask {
    Ask::Settings(Component::Etcd, judge)
}

/// The authority for etcd's clients must not be the one whose certificates API servers take: whoever that
/// signs could read all that is in etcd.
fn own_authority(machine: &Machine<'_>) -> Judgement {
    let servers = machine.running(Component::ApiServer)?;
    let judge = |etcd: &Settings| {
        let seen = etcd.text("trusted-ca-file").known()?.clone();
        if seen.value.is_empty() {
            return Ok(fail("--trusted-ca-file of etcd is not set", "set --trusted-ca-file"));
        }
        let place = machine.place(Component::Etcd, &seen.value)?;
        for server in &servers {
            let path = server.text("client-ca-file").known()?.value.clone();
            // One file is one authority, whatever is in it.
            if !path.is_empty() && machine.place(Component::ApiServer, &path)? == place {
                let said = format!("{place} is the authority of both");
                return decide(&seen, false, &said, "make an authority for etcd alone");
            }
        }
        let own = keys(machine, Component::Etcd, &seen.value)?;
        if servers.is_empty() {
            return unknown(
                "no API server runs here whose authority could be compared",
                "facts of a machine that runs both",
            );
        }
        for server in &servers {
            let path = server.text("client-ca-file").known()?.value.clone();
            if path.is_empty() {
                return unknown("API servers name no authority", "set --client-ca-file");
            }
            if !keys(machine, Component::ApiServer, &path)?.is_disjoint(&own) {
                let said = format!("{} and {path} have an authority in common", seen.value);
                return decide(&seen, false, &said, "make an authority for etcd alone");
            }
        }
        decide(&seen, true, &format!("{} is an authority of its own", seen.value), "")
    };
    match machine.running(Component::Etcd)?.is_empty() {
        true => not_here(machine, Component::Etcd),
        false => each(machine, Component::Etcd, || machine.running(Component::Etcd), judge),
    }
}

/// Names the keys of all certificates in a file that a component names: each is an authority of its own.
fn keys(machine: &Machine<'_>, component: Component, path: &str) -> Result<BTreeSet<Digest>, Gap> {
    let place = machine.place(component, path)?;
    match machine.public_keys(place)? {
        Some(seen) => Ok(seen.value),
        None => unknown(format!("{place} is not there"), format!("{place} as it was read")),
    }
}
