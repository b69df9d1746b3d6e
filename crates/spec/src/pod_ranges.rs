//! Which part of the pod range each node has. A node keeps its part for life, whoever joins or
//! leaves, so the assignment depends on what was assigned before and never on a position.
//!
//! Never here: keeping the assignment; that is the caller's.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::name::NodeName;
use ringfort_model::net::Cidr;

use crate::spec::Spec;

/// Says why the pod range cannot be shared out.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PodRangesError {
    /// A node's range is no part of the pod range: the spec changed under a living cluster.
    #[error(
        "node {node} has the pod range {held}, which is no /{prefix} of {pods}: put network.pods and network.nodePrefix back to what they were when the cluster was made"
    )]
    Moved {
        /// Which node.
        node: NodeName,
        /// What it holds.
        held: Cidr,
        /// The prefix length that the spec gives to nodes.
        prefix: u8,
        /// The pod range of the spec.
        pods: Cidr,
    },
    /// Two nodes hold one range.
    #[error(
        "nodes {first} and {second} both have the pod range {held}: the record of pod ranges was changed by hand; restore it"
    )]
    Shared {
        /// One node.
        first: NodeName,
        /// The other.
        second: NodeName,
        /// What both hold.
        held: Cidr,
    },
    /// There are more nodes than ranges.
    #[error(
        "{pods} has no /{prefix} left for node {node}: make network.nodePrefix longer before the cluster is made, or remove a node"
    )]
    Full {
        /// The node that gets none.
        node: NodeName,
        /// The prefix length of a node's range.
        prefix: u8,
        /// The pod range of the spec.
        pods: Cidr,
    },
}

impl Spec {
    /// Gives every node its part of the pod range: those in `held` keep theirs, the others get the
    /// lowest free one, in the order of their names. A range whose node has left is given away only
    /// when no other is free, since routes to it may live a little longer.
    ///
    /// # Errors
    /// See [`PodRangesError`].
    pub fn pod_ranges(
        &self,
        held: &BTreeMap<NodeName, Cidr>,
    ) -> Result<BTreeMap<NodeName, Cidr>, PodRangesError> {
        let (pods, prefix) = (self.network.pods, self.network.node_prefix);
        let mut ranges = self.kept(held)?;
        let mut taken: BTreeSet<Cidr> = ranges.values().copied().collect();
        let left: BTreeSet<Cidr> = held.values().copied().collect();
        for node in self.nodes.keys() {
            if ranges.contains_key(node) {
                continue;
            }
            let every = || (0..).map_while(|index| pods.subnet(prefix, index));
            let fresh = every().find(|range| !taken.contains(range) && !left.contains(range));
            let range = fresh.or_else(|| every().find(|range| !taken.contains(range)));
            let range =
                range.ok_or_else(|| PodRangesError::Full { node: node.clone(), prefix, pods })?;
            taken.insert(range);
            ranges.insert(node.clone(), range);
        }
        Ok(ranges)
    }

    fn kept(
        &self,
        held: &BTreeMap<NodeName, Cidr>,
    ) -> Result<BTreeMap<NodeName, Cidr>, PodRangesError> {
        let (pods, prefix) = (self.network.pods, self.network.node_prefix);
        let mut owners: BTreeMap<Cidr, &NodeName> = BTreeMap::new();
        for (node, range) in held.iter().filter(|(node, _)| self.nodes.contains_key(*node)) {
            if range.prefix() != prefix || !pods.contains(range.base()) {
                return Err(PodRangesError::Moved {
                    node: node.clone(),
                    held: *range,
                    prefix,
                    pods,
                });
            }
            if let Some(first) = owners.insert(*range, node) {
                let (first, second) = (first.clone(), node.clone());
                return Err(PodRangesError::Shared { first, second, held: *range });
            }
        }
        Ok(owners.into_iter().map(|(range, node)| (node.clone(), range)).collect())
    }
}
