//! Judges what machines have to have apart from each other, and what they have to have in common.

use std::collections::BTreeMap;

use ringfort_model::name::NodeName;

use super::{Candidate, Finding, Terms, Weight};

/// Machines by something that they have.
type Owners<T> = BTreeMap<T, Vec<NodeName>>;

/// Judges all of them.
pub(super) fn judge(terms: &Terms, candidates: &BTreeMap<NodeName, Candidate>) -> Vec<Finding> {
    let all = Together { terms, candidates };
    let mut findings = all.unique("host name", |one| one.survey.hostname.clone());
    findings.extend(all.unique("machine-id", |one| one.survey.machine_id.clone()));
    let mac = |one: &Candidate| one.survey.link_of(one.address)?.mac.clone();
    findings.extend(all.unique("hardware address", mac));
    findings.extend(all.mtu());
    findings
}

struct Together<'a> {
    terms: &'a Terms,
    candidates: &'a BTreeMap<NodeName, Candidate>,
}

impl Together<'_> {
    /// What concerns only machines of the cluster stands in the way of no repair.
    fn finding(&self, nodes: &[NodeName], text: String) -> Finding {
        let is_member = |node: &NodeName| {
            self.candidates[node].survey.cluster.as_ref() == Some(&self.terms.cluster)
        };
        let weight = if nodes.iter().all(is_member) { Weight::Advice } else { Weight::Run };
        Finding { node: None, text, weight }
    }

    /// What of a machine is nobody else's. Hardware addresses are those of links that carry machines' addresses:
    /// others may be the same on every machine of a kind.
    fn unique(&self, what: &str, value: fn(&Candidate) -> Option<String>) -> Vec<Finding> {
        let mut owners: Owners<String> = BTreeMap::new();
        for (node, candidate) in self.candidates {
            if let Some(value) = value(candidate) {
                owners.entry(value).or_default().push(node.clone());
            }
        }
        let shared = owners.into_iter().filter(|(_, nodes)| nodes.len() > 1);
        let told = shared.map(|(value, nodes)| {
            let text = format!(
                "{} have the same {what} {value:?}: machines copied from one image need their own",
                names(&nodes)
            );
            self.finding(&nodes, text)
        });
        told.collect()
    }

    /// Links that carry the machines' addresses are of one size. Of which it is not known, that is told of the
    /// machine itself.
    fn mtu(&self) -> Option<Finding> {
        let mut mtus: Owners<u32> = BTreeMap::new();
        for (node, candidate) in self.candidates {
            let link = candidate.survey.link_of(candidate.address);
            if let Some(mtu_bytes) = link.and_then(|link| link.mtu_bytes) {
                mtus.entry(mtu_bytes).or_default().push(node.clone());
            }
        }
        if !self.terms.own_network || mtus.len() < 2 {
            return None;
        }
        let each = mtus.iter().map(|(mtu, nodes)| format!("{mtu}: {}", names(nodes)));
        let text = format!(
            "the links that carry the machines' addresses have different MTUs ({}): packets between pods would be lost: set one with ip link set mtu, and where the system configures its links",
            each.collect::<Vec<_>>().join("; ")
        );
        let nodes: Vec<NodeName> = mtus.into_values().flatten().collect();
        Some(self.finding(&nodes, text))
    }
}

fn names(nodes: &[NodeName]) -> String {
    nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ")
}
