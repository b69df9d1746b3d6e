//! From policies, pods and namespaces to the rules of one node.
//!
//! What a packet costs does not grow with the number of policies. Other ends that are allowed the
//! same things form a class; an address leads by one look to its class, and a class has sets of who
//! of the node it may reach and where. Names of chains are digests of what classes are, so that a
//! change touches only what it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use ringfort_model::digest::Digest;
use ringfort_model::net::Cidr;

use super::index::{Index, Owner};
use super::object::{Direction, Peer, Place, Port, Protocol, Rule};
use super::rules::{Element, Kind, Line, RuleSet, Set, Verdict};
use super::selector::Selector;
use super::span::{Family, Span, cut, join, of_range, without};
use super::world::{PolicyName, World};

/// The node whose rules are wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Home {
    /// Its name.
    pub node: String,
    /// The ranges of its pods' addresses.
    pub ranges: Vec<Cidr>,
    /// The ranges of all pods of the cluster. Where a rule means all of them, it means these, so that
    /// a pod is let through before its address is heard of.
    pub all: Vec<Cidr>,
    /// Its pods' addresses as its network plugin gave them, which the API learns later.
    pub attached: BTreeMap<IpAddr, Attached>,
}

/// Whom an address was given to.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Attached {
    /// The pod's place.
    pub place: Place,
    /// Which one it is among all that had this name.
    pub uid: String,
}

/// Makes the rules of a node.
pub fn compile(world: &World, home: &Home) -> RuleSet {
    let index = Index::new(world, owners(world, home));
    let mut rules = RuleSet::default();
    for direction in Direction::BOTH {
        let lines = Family::BOTH
            .iter()
            .flat_map(|family| entrance(home, *family, direction, &mut rules))
            .collect();
        rules.chains.insert(direction.word().to_owned(), lines);
        Way::new(world, home, &index, direction).write(&mut rules);
    }
    rules
}

/// Says which addresses each pod has: as the node's plugin gave them, else as the API says. An address
/// that two pods claim is nobody's, unless all but one of them are ending.
fn owners<'a>(world: &'a World, home: &Home) -> Vec<(Owner<'a>, Vec<IpAddr>)> {
    let subjects: Vec<Owner<'a>> = world.pods.iter().filter(|(_, pod)| pod.is_subject()).collect();
    let mut claims: Vec<(IpAddr, bool, usize)> = Vec::new();
    for (at, (_, pod)) in subjects.iter().enumerate() {
        let own = pod.addresses.iter().filter(|it| !home.attached.contains_key(it));
        claims.extend(own.map(|address| (*address, pod.ending, at)));
    }
    claims.sort_unstable();
    let mut owned: Vec<(usize, IpAddr)> = Vec::new();
    for of_one in claims.chunk_by(|one, other| one.0 == other.0) {
        // Those that are not ending stand first.
        let is_disputed = of_one.get(1).is_some_and(|second| second.1 == of_one[0].1);
        if !is_disputed {
            owned.push((of_one[0].2, of_one[0].0));
        }
    }
    for (address, attached) in &home.attached {
        let at = subjects.binary_search_by(|(place, _)| (*place).cmp(&attached.place));
        if let Ok(at) = at
            && subjects[at].1.uid == attached.uid
        {
            owned.push((at, *address));
        }
    }
    owned.sort_unstable();
    let of_pod = owned.chunk_by(|one, other| one.0 == other.0);
    of_pod.map(|all| (subjects[all[0].0], all.iter().map(|(_, it)| *it).collect())).collect()
}

/// Writes where packets enter: known pods, the machine itself, and what is not known yet.
fn entrance(home: &Home, family: Family, direction: Direction, rules: &mut RuleSet) -> Vec<Line> {
    let ranges = home.ranges.iter().filter(|range| Family::of(range.base()) == family);
    let ranges: Vec<Span<u128>> = ranges.map(|range| of_range(*range)).collect();
    if ranges.is_empty() {
        return Vec::new();
    }
    let name = |what: &str| name(direction, family, what);
    let set = |kind| Set { family, direction, kind, elements: BTreeMap::new() };
    let mut pods = set(Kind::OwnVerdicts);
    let mut own = set(Kind::OwnRanges);
    for span in &ranges {
        let (first, last) = (family.address(span.first), family.address(span.last));
        let range = Element { address: first, to: Some(Span { first, last }), ports: None };
        own.elements.insert(range, None);
        // The first host address of the range is the bridge's: the machine's own.
        let bridge = family.address(span.first + 1);
        pods.elements.insert(Element::of(bridge), Some(Verdict::Accept));
    }
    rules.sets.insert(name("pods"), pods);
    rules.sets.insert(name("own"), own);
    vec![Line::Ask(name("pods")), Line::Drop(name("own"))]
}

fn name(direction: Direction, family: Family, what: &str) -> String {
    let number = match family {
        Family::V4 => 4,
        Family::V6 => 6,
    };
    format!("{}{number}_{what}", direction.word())
}

/// One way of all pods of the node.
struct Way<'a> {
    index: &'a Index<'a>,
    direction: Direction,
    all: Vec<Cidr>,
    families: Vec<Family>,
    /// Pods whose way is open.
    open: Vec<usize>,
    /// Pods whose way is closed.
    closed: Vec<usize>,
    /// The rules of what may pass all the same, in order of their names.
    uses: Vec<Use<'a>>,
}

/// A rule, and the pods of the node that it is for.
struct Use<'a> {
    key: (PolicyName, usize),
    namespace: Option<&'a str>,
    rule: &'a Rule,
    pods: Vec<usize>,
}

/// Rules that allow the same pods of the node the same ports, whoever their peers are.
struct Grant<'a> {
    key: &'a (PolicyName, usize),
    pods: &'a [usize],
    ports: &'a [Port],
    /// The numbers of the ends on the other side.
    peers: Vec<usize>,
}

/// Which numbers the names of a rule's ports stand for at one peer.
type Numbers = Vec<(Protocol, u16)>;

/// What a class of peers is granted: places in the list of grants.
type Class = Vec<(usize, Rc<Numbers>)>;

impl<'a> Way<'a> {
    fn new(world: &'a World, home: &Home, index: &'a Index<'a>, direction: Direction) -> Self {
        let (mut open, mut closed) = (Vec::new(), Vec::new());
        let mut uses: BTreeMap<(PolicyName, usize), Use<'a>> = BTreeMap::new();
        for at in index.on(&home.node) {
            let (place, pod) = index.pod(at);
            let closing = world.closing(place, pod, direction);
            if closing.is_empty() {
                open.push(at);
                continue;
            }
            closed.push(at);
            for (policy_name, policy) in closing {
                for (number, rule) in policy.rules(direction).into_iter().flatten().enumerate() {
                    let namespace =
                        (policy_name != PolicyName::Default).then_some(place.namespace.as_str());
                    let key = (policy_name.clone(), number);
                    let used = uses.entry(key.clone()).or_insert_with(|| Use {
                        key,
                        namespace,
                        rule,
                        pods: Vec::new(),
                    });
                    used.pods.push(at);
                }
            }
        }
        let families = Family::BOTH.into_iter();
        let families = families
            .filter(|family| home.ranges.iter().any(|range| Family::of(range.base()) == *family));
        let families = families.collect();
        let all = home.all.clone();
        Self { index, direction, all, families, open, closed, uses: uses.into_values().collect() }
    }

    fn write(&self, rules: &mut RuleSet) {
        let grants = self.grants();
        let classes = self.classes(&grants);
        for family in &self.families {
            Writer { way: self, family: *family, rules }.write(&grants, &classes);
        }
    }

    /// Puts rules that allow the same together, with all their peers that are pods.
    fn grants(&self) -> Vec<Grant<'_>> {
        let everyone =
            Peer::Pods { namespaces: Some(Selector::default()), pods: Selector::default() };
        let mut grants: BTreeMap<(&[usize], &[Port]), Grant<'_>> = BTreeMap::new();
        for each in &self.uses {
            // A name of a port means something at pods only, also where everyone or a block is
            // allowed.
            let by_name = self.names_of_peers(&each.rule.ports);
            let is_of_pods = |peer: &&Peer| by_name || !self.is_of_addresses(peer);
            let mut peers: Vec<&Peer> = each.rule.peers.iter().filter(is_of_pods).collect();
            if each.rule.peers.is_empty() && by_name {
                peers.push(&everyone);
            }
            if peers.is_empty() {
                continue;
            }
            let alike = (each.pods.as_slice(), each.rule.ports.as_slice());
            let grant = grants.entry(alike).or_insert_with(|| Grant {
                key: &each.key,
                pods: &each.pods,
                ports: &each.rule.ports,
                peers: Vec::new(),
            });
            for peer in peers {
                grant.peers.extend(self.index.peers(peer, each.namespace).iter());
            }
        }
        let mut grants: Vec<Grant<'_>> = grants.into_values().collect();
        for grant in &mut grants {
            grant.peers.sort_unstable();
            grant.peers.dedup();
        }
        grants.sort_by_key(|grant| grant.key);
        grants
    }

    /// Whether a peer means addresses, whoever has them.
    fn is_of_addresses(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Block { .. } => true,
            Peer::Pods { namespaces: Some(namespaces), pods } => {
                namespaces.is_empty() && pods.is_empty() && !self.all.is_empty()
            }
            Peer::Pods { namespaces: None, .. } => false,
        }
    }

    /// Whether ports are named by the other ends: it is the server's names that count.
    fn names_of_peers(&self, ports: &[Port]) -> bool {
        self.direction == Direction::Egress
            && ports.iter().any(|port| matches!(port, Port::Name(..)))
    }

    /// Puts peers that are granted the same together.
    fn classes(&self, grants: &[Grant<'_>]) -> BTreeMap<Class, Vec<IpAddr>> {
        let mut granted: Vec<Class> = vec![Class::new(); self.index.len()];
        let none = Rc::new(Numbers::new());
        for (at, grant) in grants.iter().enumerate() {
            let by_name = self.names_of_peers(grant.ports);
            let only_names = grant.ports.iter().all(|port| matches!(port, Port::Name(..)));
            for end in &grant.peers {
                let numbers = match by_name {
                    true => Rc::new(self.numbers(self.index.end(*end).1, grant.ports)),
                    false => none.clone(),
                };
                if by_name && only_names && numbers.is_empty() {
                    continue;
                }
                granted[*end].push((at, numbers));
            }
        }
        let mut classes: BTreeMap<Class, Vec<IpAddr>> = BTreeMap::new();
        for (end, class) in granted.into_iter().enumerate().filter(|(_, class)| !class.is_empty()) {
            classes.entry(class).or_default().push(self.index.end(end).0);
        }
        classes
    }

    /// Gives the numbers that names of ports stand for at a pod.
    fn numbers(&self, pod: usize, ports: &[Port]) -> Numbers {
        let (_, pod) = self.index.pod(pod);
        let named = ports.iter().filter_map(|port| match port {
            Port::Name(protocol, name) => Some((*protocol, name)),
            Port::Numbers(..) => None,
        });
        let mut numbers: Numbers = named
            .flat_map(|(protocol, name)| pod.named(name, protocol).map(move |it| (protocol, it)))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Gives the ports that a rule allows at a pod of the node; `None` for all.
    fn ports(&self, pod: usize, ports: &[Port], numbers: &Numbers) -> Option<Vec<Ports>> {
        if ports.is_empty() {
            return None;
        }
        let by_number = ports.iter().filter_map(|port| match port {
            Port::Numbers(protocol, first, last) => {
                Some((*protocol, Span { first: *first, last: *last }))
            }
            Port::Name(..) => None,
        });
        let one = |(protocol, number): &(Protocol, u16)| {
            (*protocol, Span { first: *number, last: *number })
        };
        let by_name = match self.direction {
            Direction::Egress => numbers.clone(),
            Direction::Ingress => self.numbers(pod, ports),
        };
        Some(by_number.chain(by_name.iter().map(one)).collect())
    }
}

/// Ports of a protocol.
type Ports = (Protocol, Span<u16>);

/// Addresses and the ports allowed there; `None` for all.
type Run = (Span<u128>, Option<Ports>);

/// Writes the rules of one way and family.
struct Writer<'w, 'a, 'b> {
    way: &'w Way<'a>,
    family: Family,
    rules: &'b mut RuleSet,
}

impl Writer<'_, '_, '_> {
    fn write(&mut self, grants: &[Grant<'_>], classes: &BTreeMap<Class, Vec<IpAddr>>) {
        let closed = self.name("closed");
        let pods = self.name("pods");
        let open = self.way.open.iter().map(|pod| (*pod, Verdict::Accept));
        let judged = self.way.closed.iter().map(|pod| (*pod, Verdict::Goto(closed.clone())));
        for (pod, verdict) in open.chain(judged).collect::<Vec<_>>() {
            for address in self.addresses(pod) {
                self.element(&pods, Kind::OwnVerdicts, Element::of(address), Some(verdict.clone()));
            }
        }
        let itself = self.name("itself");
        let refused = self.name("refused");
        for address in self.all(&self.way.closed) {
            self.element(&itself, Kind::Itself, Element::of(address), None);
            self.element(&refused, Kind::Refused, Element::of(address), None);
        }
        let mut lines = Vec::new();
        if self.rules.sets.contains_key(&itself) {
            lines.push(Line::Accept(itself, None));
        }
        lines.extend(self.everyone());
        lines.extend(self.classes(grants, classes));
        lines.extend(self.blocks());
        lines.push(Line::Refuse(self.family, self.way.direction));
        if !self.all(&self.way.closed).is_empty() {
            self.rules.chains.insert(closed, lines);
        }
    }

    fn name(&self, what: &str) -> String {
        name(self.way.direction, self.family, what)
    }

    /// Gives the addresses of a pod in this family.
    fn addresses(&self, pod: usize) -> Vec<IpAddr> {
        let all = self.way.index.addresses(pod);
        all.filter(|address| Family::of(*address) == self.family).collect()
    }

    fn all(&self, pods: &[usize]) -> Vec<IpAddr> {
        pods.iter().flat_map(|pod| self.addresses(*pod)).collect()
    }

    fn element(&mut self, set: &str, kind: Kind, element: Element, verdict: Option<Verdict>) {
        if let Some(set) = self.rules.sets.get_mut(set) {
            set.elements.insert(element, verdict);
            return;
        }
        let (family, direction) = (self.family, self.way.direction);
        let elements = BTreeMap::from([(element, verdict)]);
        self.rules.sets.insert(set.to_owned(), Set { family, direction, kind, elements });
    }

    /// Writes what pods may do with everyone.
    fn everyone(&mut self) -> Vec<Line> {
        let mut allowed = Allowed::default();
        for each in self.way.uses.iter().filter(|each| each.rule.peers.is_empty()) {
            for pod in &each.pods {
                let ports = self.way.ports(*pod, &each.rule.ports, &Numbers::new());
                allowed.add(&self.addresses(*pod), ports);
            }
        }
        let stem = self.name("everyone");
        self.sets(&stem, allowed)
    }

    /// Writes what pods may do with pods.
    fn classes(
        &mut self,
        grants: &[Grant<'_>],
        classes: &BTreeMap<Class, Vec<IpAddr>>,
    ) -> Option<Line> {
        let map = self.name("peers");
        for (class, peers) in classes {
            let mut allowed = Allowed::default();
            for (grant, numbers) in class {
                let grant = &grants[*grant];
                for pod in grant.pods {
                    allowed.add(&self.addresses(*pod), self.way.ports(*pod, grant.ports, numbers));
                }
            }
            let addresses: Vec<IpAddr> =
                peers.iter().filter(|it| Family::of(**it) == self.family).copied().collect();
            if allowed.is_empty() || addresses.is_empty() {
                continue;
            }
            let stem = self.name(&class_name(grants, class));
            let lines = self.sets(&stem, allowed);
            self.rules.chains.insert(stem.clone(), lines);
            for address in addresses {
                let verdict = Some(Verdict::Jump(stem.clone()));
                self.element(&map, Kind::PeerVerdicts, Element::of(address), verdict);
            }
        }
        self.rules.sets.contains_key(&map).then_some(Line::Ask(map))
    }

    /// Writes what pods may do with addresses.
    fn blocks(&mut self) -> Vec<Line> {
        let mut of_pod: BTreeMap<usize, Vec<Run>> = BTreeMap::new();
        for each in &self.way.uses {
            let runs: Vec<Span<u128>> =
                each.rule.peers.iter().flat_map(|peer| self.runs(peer)).collect();
            if runs.is_empty() {
                continue;
            }
            for pod in &each.pods {
                // Names of ports mean nothing at addresses, but for those of the node's own pod.
                let ports = self.way.ports(*pod, &each.rule.ports, &Numbers::new());
                let ports = match ports {
                    None => vec![None],
                    Some(ports) => ports.into_iter().map(Some).collect(),
                };
                let all = runs.iter().flat_map(|run| ports.iter().map(|ports| (*run, *ports)));
                of_pod.entry(*pod).or_default().extend(all);
            }
        }
        let stem = self.name("blocks");
        let mut kinds = BTreeSet::new();
        for (pod, runs) in of_pod {
            let pieces = cut(&runs);
            for address in self.addresses(pod) {
                for (piece, held) in &pieces {
                    kinds.extend(self.piece(&stem, address, *piece, held));
                }
            }
        }
        kinds
            .into_iter()
            .map(|protocol| Line::Accept(with_protocol(&stem, protocol), protocol))
            .collect()
    }

    /// Gives the addresses of this family that a peer names.
    fn runs(&self, peer: &Peer) -> Vec<Span<u128>> {
        match peer {
            Peer::Block { range, except } if Family::of(range.base()) == self.family => {
                let of_family = except.iter().filter(|it| Family::of(it.base()) == self.family);
                without(of_range(*range), of_family.map(|it| of_range(*it)).collect())
            }
            Peer::Pods { .. } if self.way.is_of_addresses(peer) => {
                let all = self.way.all.iter();
                let of_family = all.filter(|range| Family::of(range.base()) == self.family);
                of_family.map(|range| of_range(*range)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn piece(
        &mut self,
        stem: &str,
        pod: IpAddr,
        piece: Span<u128>,
        held: &[Option<Ports>],
    ) -> Vec<Option<Protocol>> {
        let to = Some(Span {
            first: self.family.address(piece.first),
            last: self.family.address(piece.last),
        });
        if held.contains(&None) {
            let element = Element { address: pod, to, ports: None };
            self.element(&with_protocol(stem, None), Kind::OwnBlocks, element, None);
            return vec![None];
        }
        let mut kinds = Vec::new();
        for protocol in Protocol::ALL {
            let of_it = held.iter().flatten().filter(|(of, _)| *of == protocol);
            for span in join(of_it.map(|(_, span)| *span).collect()) {
                let element = Element { address: pod, to, ports: Some(span) };
                let set = with_protocol(stem, Some(protocol));
                self.element(&set, Kind::OwnBlockPorts, element, None);
                kinds.push(Some(protocol));
            }
        }
        kinds
    }

    /// Writes sets of pods and ports, and the lines that look into them.
    fn sets(&mut self, stem: &str, allowed: Allowed) -> Vec<Line> {
        let mut lines = Vec::new();
        let all = with_protocol(stem, None);
        for address in &allowed.all {
            self.element(&all, Kind::Own, Element::of(*address), None);
        }
        if !allowed.all.is_empty() {
            lines.push(Line::Accept(all, None));
        }
        for (protocol, pods) in allowed.ports {
            let single = with_protocol(stem, Some(protocol));
            let runs = format!("{single}_runs");
            for (address, spans) in pods {
                if allowed.all.contains(&address) {
                    continue;
                }
                for span in join(spans) {
                    let element = Element { address, to: None, ports: Some(span) };
                    let (set, kind) = if span.first == span.last {
                        (&single, Kind::OwnPort)
                    } else {
                        (&runs, Kind::OwnPorts)
                    };
                    self.element(set, kind, element, None);
                }
            }
            for set in [single, runs] {
                if self.rules.sets.contains_key(&set) {
                    lines.push(Line::Accept(set, Some(protocol)));
                }
            }
        }
        lines
    }
}

/// What pods of the node may do: everything, or at some ports.
#[derive(Default)]
struct Allowed {
    all: BTreeSet<IpAddr>,
    ports: BTreeMap<Protocol, BTreeMap<IpAddr, Vec<Span<u16>>>>,
}

impl Allowed {
    fn add(&mut self, addresses: &[IpAddr], ports: Option<Vec<Ports>>) {
        match ports {
            None => self.all.extend(addresses),
            Some(ports) => {
                for (protocol, span) in ports {
                    for address in addresses {
                        let pods = self.ports.entry(protocol).or_default();
                        pods.entry(*address).or_default().push(span);
                    }
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.all.is_empty() && self.ports.is_empty()
    }
}

fn with_protocol(stem: &str, protocol: Option<Protocol>) -> String {
    match protocol {
        None => format!("{stem}_all"),
        Some(protocol) => format!("{stem}_{}", protocol.word()),
    }
}

/// Names a class after what it is granted. It is a digest nobody can make meet another's.
fn class_name(grants: &[Grant<'_>], class: &Class) -> String {
    let mut text = String::new();
    for (grant, numbers) in class {
        let (policy, rule) = grants[*grant].key;
        text.push_str(&format!("{policy:?} {rule} {numbers:?}\n"));
    }
    Digest::of(text.as_bytes()).as_str()[..32].to_owned()
}
