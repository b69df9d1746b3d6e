//! No policy opens the way to the cloud's metadata.

use ringfort_model::metadata::{ENDPOINTS, Endpoint};
use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;
use ringfort_policy::{Peer, Port, Rule};

use super::egress::{Reach, each_rule};
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Place;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "network/no-egress-to-metadata",
    title: "No policy lets pods reach the metadata of the cloud",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/services-networking/network-policies/")],
    doc: include_str!("no_egress_to_metadata.md"),
    judge: Judge::Object(&["NetworkPolicy"], judge),
};

fn judge(scene: &Scene<'_>, sheet: &mut Sheet) {
    each_rule(scene, sheet, judge_rule);
}

fn judge_rule(rule: &Rule, place: &Place<'_>, sheet: &mut Sheet) {
    if !ENDPOINTS.iter().any(|it| is_open(rule, it)) {
        return sheet.pass(place);
    }
    if Reach::of(rule) == Reach::Everything {
        return sheet.fail(place, Remedy::Do("name whom the pods may reach"));
    }
    let peers = place.at("to");
    for (peer, written) in rule.peers.iter().zip(peers.items()) {
        let block = written.at("ipBlock");
        let cidr = block.at("cidr");
        let reached: Vec<&Endpoint> = reached(peer).filter(|it| is_open(rule, it)).collect();
        match reached.as_slice() {
            [] => sheet.pass(&written),
            all => {
                all.iter()
                    .for_each(|it| sheet.fail(&cidr, Remedy::Except(it.address, it.names_at)));
            }
        }
    }
}

/// Whether a rule lets something through to a port at which secrets are told.
fn is_open(rule: &Rule, endpoint: &Endpoint) -> bool {
    let holds = |port: &Port| match port {
        Port::Numbers(_, first, last) => {
            endpoint.ports.iter().any(|told| (*first..=*last).contains(told))
        }
        _ => false,
    };
    rule.ports.is_empty() || rule.ports.iter().any(holds)
}

/// Gives where clouds tell machines their secrets in a range that leaves that not out.
fn reached(peer: &Peer) -> impl Iterator<Item = &'static Endpoint> {
    ENDPOINTS.iter().filter(move |it| match peer {
        Peer::Block { range, except } => {
            range.contains(it.address) && !except.iter().any(|out| out.contains(it.address))
        }
        _ => false,
    })
}
