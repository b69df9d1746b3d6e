//! No policy opens the way to the cloud's metadata.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::egress::{Reach, each_rule};
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Place;
use crate::scene::Scene;
use ringfort_policy::{Peer, Port, Rule};
use std::net::IpAddr;

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
    let is_web = |port: &Port| matches!(port, Port::Numbers(_, first, last) if (*first..=*last).contains(&80));
    if !rule.ports.is_empty() && !rule.ports.iter().any(is_web) {
        return sheet.pass(place);
    }
    if Reach::of(rule) == Reach::Everything {
        return sheet.fail(place, Remedy::Do("name whom the pods may reach"));
    }
    let peers = place.at("to");
    for (peer, written) in rule.peers.iter().zip(peers.items()) {
        let block = written.at("ipBlock");
        match peer {
            Peer::Block { range, except }
                if METADATA.iter().any(|address| {
                    range.contains(*address) && !except.iter().any(|it| it.contains(*address))
                }) =>
            {
                sheet
                    .fail(&block.at("cidr"), Remedy::Do("take 169.254.169.254/32 out with except"));
            }
            _ => sheet.pass(&written),
        }
    }
}

/// Where clouds answer with credentials.
const METADATA: [IpAddr; 2] = [
    IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(std::net::Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];
