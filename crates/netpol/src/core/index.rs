//! Pods in order, with what finds those that a selector means without asking each.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use super::object::{Peer, Place, Pod};
use super::selector::Selector;
use super::world::World;

/// Pods that have addresses, by number: those of a namespace stand together.
pub(crate) struct Index<'a> {
    world: &'a World,
    pods: Vec<Entry<'a>>,
    by_label: BTreeMap<(&'a str, &'a str), Vec<usize>>,
    found: RefCell<BTreeMap<(Option<&'a str>, Peer), Ends>>,
}

/// Addresses, and the numbers of the pods that have them.
pub(crate) type Ends = Rc<Vec<(IpAddr, usize)>>;

struct Entry<'a> {
    place: &'a Place,
    pod: &'a Pod,
    addresses: Vec<IpAddr>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(world: &'a World, owners: &BTreeMap<IpAddr, (&'a Place, &'a Pod)>) -> Self {
        let mut of_pod: BTreeMap<&Place, (&Pod, Vec<IpAddr>)> = BTreeMap::new();
        for (address, (place, pod)) in owners {
            of_pod.entry(place).or_insert_with(|| (pod, Vec::new())).1.push(*address);
        }
        let pods: Vec<Entry<'a>> = of_pod
            .into_iter()
            .map(|(place, (pod, addresses))| Entry { place, pod, addresses })
            .collect();
        let mut by_label: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for (at, entry) in pods.iter().enumerate() {
            for (key, value) in &entry.pod.labels {
                by_label.entry((key, value)).or_default().push(at);
            }
        }
        Self { world, pods, by_label, found: RefCell::default() }
    }

    pub(crate) fn pod(&self, at: usize) -> (&'a Place, &'a Pod) {
        (self.pods[at].place, self.pods[at].pod)
    }

    pub(crate) fn addresses(&self, at: usize) -> &[IpAddr] {
        &self.pods[at].addresses
    }

    /// Gives the pods of a node.
    pub(crate) fn on(&self, node: &str) -> Vec<usize> {
        let is_on = |entry: &Entry<'_>| entry.pod.node.as_deref() == Some(node);
        self.pods.iter().enumerate().filter(|(_, it)| is_on(it)).map(|(at, _)| at).collect()
    }

    /// Gives the pods that a peer means, as a policy of a namespace writes it.
    pub(crate) fn peers(&self, peer: &Peer, namespace: Option<&'a str>) -> Ends {
        let own = match peer {
            Peer::Pods { namespaces: None, .. } => namespace,
            _ => None,
        };
        let key = (own, peer.clone());
        if let Some(found) = self.found.borrow().get(&key) {
            return found.clone();
        }
        let pods = match peer {
            Peer::Pods { namespaces: None, pods } => {
                own.map(|own| self.within(own, pods)).unwrap_or_default()
            }
            Peer::Pods { namespaces: Some(namespaces), pods } => self.across(namespaces, pods),
            Peer::Block { .. } => (0..self.pods.len()).collect(),
        };
        let ends =
            pods.into_iter().flat_map(|at| self.addresses(at).iter().map(move |it| (*it, at)));
        let found =
            Rc::new(ends.filter(|(address, _)| is_within(peer, *address)).collect::<Vec<_>>());
        self.found.borrow_mut().insert(key, found.clone());
        found
    }

    /// Gives the numbers of a namespace's pods.
    fn range(&self, namespace: &str) -> std::ops::Range<usize> {
        let first = self.pods.partition_point(|it| it.place.namespace.as_str() < namespace);
        let last = self.pods.partition_point(|it| it.place.namespace.as_str() <= namespace);
        first..last
    }

    fn within(&self, namespace: &str, selector: &Selector) -> Vec<usize> {
        let range = self.range(namespace);
        range.filter(|at| selector.selects(&self.pods[*at].pod.labels)).collect()
    }

    fn across(&self, namespaces: &Selector, selector: &Selector) -> Vec<usize> {
        let selected = self.world.namespaces.iter().filter(|(_, it)| namespaces.selects(it));
        if let Some((key, values)) = selector.one_of() {
            let names: Vec<&str> = selected.map(|(name, _)| name.as_str()).collect();
            let mut found: Vec<usize> = values
                .iter()
                .filter_map(|value| self.by_label.get(&(key, value.as_str())))
                .flatten()
                .copied()
                .filter(|at| {
                    let entry = &self.pods[*at];
                    names.binary_search(&entry.place.namespace.as_str()).is_ok()
                        && selector.selects(&entry.pod.labels)
                })
                .collect();
            found.sort_unstable();
            return found;
        }
        selected.flat_map(|(name, _)| self.within(name, selector)).collect()
    }
}

/// Whether a block holds an address; selectors leave that to the pod.
fn is_within(peer: &Peer, address: IpAddr) -> bool {
    match peer {
        Peer::Pods { .. } => true,
        Peer::Block { range, except } => {
            range.contains(address) && !except.iter().any(|range| range.contains(address))
        }
    }
}
