//! Pods in order, with what finds those that a selector means without asking each.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use ringfort_facts::network::{Peer, Place, Pod, Selector};

use super::meaning::holds;
use super::span::Family;
use super::world::World;

/// Pods that have addresses, by number: those of a namespace stand together. Their addresses, the ends
/// of connections, have numbers too.
pub(crate) struct Index<'a> {
    world: &'a World,
    pods: Vec<Entry<'a>>,
    ends: Vec<(IpAddr, usize)>,
    by_label: RefCell<BTreeMap<String, ByValue<'a>>>,
    found: RefCell<BTreeMap<Option<&'a str>, BTreeMap<Peer, Ends>>>,
}

/// Pods that have a label, by its value.
type ByValue<'a> = Rc<BTreeMap<&'a str, Vec<usize>>>;

/// Numbers of ends.
pub(crate) type Ends = Rc<Vec<usize>>;

/// A pod that has an address of its own.
pub(crate) type Owner<'a> = (&'a Place, &'a Pod);

struct Entry<'a> {
    place: &'a Place,
    pod: &'a Pod,
    ends: std::ops::Range<usize>,
}

impl<'a> Index<'a> {
    /// Makes the index of pods in order, each with its addresses.
    pub(crate) fn new(
        world: &'a World,
        owners: impl IntoIterator<Item = (Owner<'a>, Vec<IpAddr>)>,
    ) -> Self {
        let (mut pods, mut ends) = (Vec::new(), Vec::new());
        for ((place, pod), addresses) in owners {
            let first = ends.len();
            ends.extend(addresses.into_iter().map(|address| (address, pods.len())));
            pods.push(Entry { place, pod, ends: first..ends.len() });
        }
        let (by_label, found) = (RefCell::default(), RefCell::default());
        Self { world, pods, ends, by_label, found }
    }

    pub(crate) fn pod(&self, at: usize) -> Owner<'a> {
        (self.pods[at].place, self.pods[at].pod)
    }

    /// Gives an end: its address, and the number of its pod.
    pub(crate) fn end(&self, at: usize) -> (IpAddr, usize) {
        self.ends[at]
    }

    pub(crate) fn addresses(&self, at: usize) -> impl Iterator<Item = IpAddr> + '_ {
        self.ends[self.pods[at].ends.clone()].iter().map(|(address, _)| *address)
    }

    /// Gives the addresses of a pod in one family.
    pub(crate) fn of_family(&self, at: usize, family: Family) -> Vec<IpAddr> {
        self.addresses(at).filter(|address| Family::of(*address) == family).collect()
    }

    /// Gives all addresses of pods whose namespaces are known.
    pub(crate) fn known(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let is_known =
            |at: usize| self.world.namespaces.contains_key(&self.pods[at].place.namespace);
        self.ends.iter().filter(move |(_, at)| is_known(*at)).map(|(address, _)| *address)
    }

    /// Says how many ends there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Gives the pods of a node.
    pub(crate) fn on(&self, node: &str) -> Vec<usize> {
        let is_on = |entry: &Entry<'_>| entry.pod.node.as_deref() == Some(node);
        self.pods.iter().enumerate().filter(|(_, it)| is_on(it)).map(|(at, _)| at).collect()
    }

    /// Gives the ends that a peer means, in order, as a policy of a namespace writes it.
    pub(crate) fn peers(&self, peer: &Peer, namespace: Option<&'a str>) -> Ends {
        let own = match peer {
            Peer::Pods { namespaces: None, .. } => namespace,
            _ => None,
        };
        if let Some(found) = self.found.borrow().get(&own).and_then(|it| it.get(peer)) {
            return found.clone();
        }
        let found: Vec<usize> = match peer {
            Peer::Pods { .. } => {
                let pods = self.meant(peer, own).into_iter();
                pods.flat_map(|at| self.pods[at].ends.clone()).collect()
            }
            Peer::Block { range, except } => {
                (0..self.ends.len()).filter(|at| holds(*range, except, self.ends[*at].0)).collect()
            }
        };
        let found: Ends = Rc::new(found);
        self.found.borrow_mut().entry(own).or_default().insert(peer.clone(), found.clone());
        found
    }

    /// Gives the pods that a peer means by what they are, in order, as a policy of a namespace writes it.
    pub(crate) fn meant(&self, peer: &Peer, namespace: Option<&str>) -> Vec<usize> {
        match peer {
            Peer::Pods { namespaces: None, pods } => {
                namespace.map(|own| self.within(own, pods)).unwrap_or_default()
            }
            Peer::Pods { namespaces: Some(namespaces), pods } => self.across(namespaces, pods),
            Peer::Block { .. } => Vec::new(),
        }
    }

    /// Gives the pods that have a label, by its value.
    fn by_label(&self, key: &str) -> ByValue<'a> {
        if let Some(found) = self.by_label.borrow().get(key) {
            return found.clone();
        }
        let mut by_value: BTreeMap<&'a str, Vec<usize>> = BTreeMap::new();
        for (at, entry) in self.pods.iter().enumerate() {
            if let Some(value) = entry.pod.labels.get(key) {
                by_value.entry(value).or_default().push(at);
            }
        }
        let by_value = Rc::new(by_value);
        self.by_label.borrow_mut().insert(key.to_owned(), by_value.clone());
        by_value
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
            let by_value = self.by_label(key);
            let mut found: Vec<usize> = values
                .iter()
                .filter_map(|value| by_value.get(value.as_str()))
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
