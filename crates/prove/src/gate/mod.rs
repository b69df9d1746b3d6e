//! The first gate: what must be shown before an admin certificate is signed.
//!
//! A proof is a pure function of what was done and seen so far. It says what to do next, or its
//! judgement; the driver does it. So the same function judges a recorded transcript again.

mod audit;
mod dns;
mod encryption;
mod guards;
mod nodes;
mod pod_encryption;
mod pod_security;
mod survives;
#[cfg(test)]
mod tests;
mod waived;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::judgement::{Decided, Evidence, Finding, Gap, Judgement};
use ringfort_model::name::NodeName;
use ringfort_model::net::Cidr;

/// One proof.
pub struct Proof {
    /// The control that it shows.
    pub control: &'static str,
    /// What it says next, from what was seen so far.
    pub next: fn(&Scene, &Transcript) -> Next,
}

/// Every proof of the first gate. Those that stop something come last.
pub const GATE: &[Proof] = &[
    Proof { control: "ha/nodes-are-ready", next: nodes::next },
    Proof { control: "data/encryption-at-rest", next: encryption::next },
    Proof { control: "access/admission-objects", next: guards::next },
    Proof { control: "access/pod-security", next: pod_security::next },
    Proof { control: "access/waived-namespaces", next: waived::next },
    Proof { control: "audit/policy-is-set", next: audit::next },
    Proof { control: "network/cluster-dns", next: dns::next },
    Proof { control: "network/pod-encryption", next: pod_encryption::next },
    Proof { control: "ha/survives-control-plane", next: survives::next },
];

/// What proofs know of the cluster.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The control planes.
    pub control_planes: Vec<NodeName>,
    /// The workers.
    pub workers: Vec<NodeName>,
    /// A namespace of this run's own, which is deleted afterwards.
    pub namespace: String,
    /// A word that nobody could guess, for canaries.
    pub nonce: String,
    /// The DNS domain of the cluster.
    pub domain: String,
    /// The address of the API's Service.
    pub api_address: IpAddr,
    /// Reference of the probe image.
    pub probe_image: String,
    /// The labels that open namespaces by a waiver, each with the identities that may give it.
    pub waived: BTreeMap<String, BTreeSet<String>>,
    /// The digest of the guards in the blueprint's files, by admission plugin; none where guards are
    /// objects of the API.
    pub guards: BTreeMap<String, String>,
    /// How packets of pods travel between machines.
    pub pod_traffic: PodTraffic,
}

/// How packets of pods travel between machines.
#[derive(Clone, Debug)]
pub enum PodTraffic {
    /// Encrypted.
    Encrypted {
        /// The range of all pods' addresses.
        pods: Cidr,
    },
    /// Not encrypted by ringfort.
    Open {
        /// Why, in one sentence.
        why: String,
    },
}

impl Scene {
    fn server(&self) -> NodeName {
        self.control_planes[0].clone()
    }

    fn ask(&self, ask: Ask) -> Act {
        Act::Ask { server: self.server(), speaker: Speaker::Keeper, ask }
    }

    fn key(&self, api_version: &str, kind: &str, name: &str) -> ObjectKey {
        ObjectKey {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(self.namespace.clone()),
            name: name.to_owned(),
        }
    }
}

/// Passes on the strength of everything that was seen.
fn pass(said: String, transcript: &Transcript) -> Next {
    let places = (0..transcript.len()).collect();
    match Evidence::from_seen(said, places) {
        Some(evidence) => done(Ok(Decided::Pass(evidence))),
        None => gap("nothing was seen", "run ringfort up again"),
    }
}

fn fail(said: impl Into<String>, fix: impl Into<String>) -> Next {
    done(Ok(Decided::Fail(Finding { said: said.into(), fix: fix.into() })))
}

fn gap(said: impl Into<String>, closes: impl Into<String>) -> Next {
    done(Err(Gap { said: said.into(), closes: closes.into() }))
}

fn done(judgement: Judgement) -> Next {
    Next::Done(judgement)
}

/// Says in words what was seen, for gaps.
fn words(seen: &Seen) -> String {
    match seen {
        Seen::Refused { status, message } => format!("the server answered {status}: {message}"),
        Seen::Failed { why } => why.clone(),
        Seen::Absent => "there is no such thing".to_owned(),
        other => {
            let text = format!("{other:?}");
            text.chars().take(80).collect()
        }
    }
}
