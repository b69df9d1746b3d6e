//! A step of a way: rules that do the same with all that they mean, as sets and chains.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use ringfort_facts::network::{Direction, Peer, Port, Protocol, Rule, Selector};
use ringfort_model::digest::Digest;
use ringfort_model::net::Cidr;

use super::compile::ranges;
use super::index::{Ends, Index};
use super::meaning::{Namer, Ports, named, runs, written};
use super::pen::Pen;
use super::rules::{Element, Kind, Line, Verdict};
use super::span::{Family, Span, cut, join};
use super::world::PolicyName;

/// Rules that do the same, and whom they are for.
pub(super) struct Step<'a> {
    pub(super) index: &'a Index<'a>,
    pub(super) direction: Direction,
    /// The ranges of all pods of the cluster.
    pub(super) all: &'a [Cidr],
    /// How the names of its sets and chains begin.
    pub(super) stem: String,
    /// What it does with what its rules mean: leads to a chain, or lets through.
    pub(super) then: Option<String>,
    /// The rules, in order of their names.
    pub(super) uses: Vec<Use<'a>>,
}

/// A rule, and the pods of the node that it is for.
pub(super) struct Use<'a> {
    pub(super) key: (PolicyName, usize),
    pub(super) namespace: Option<&'a str>,
    pub(super) rule: &'a Rule,
    pub(super) pods: Vec<usize>,
}

/// A step whose peers were found.
pub(super) struct Found<'s, 'a> {
    pub(super) step: &'s Step<'a>,
    grants: Vec<Grant<'s>>,
    classes: BTreeMap<Class, Vec<IpAddr>>,
}

/// Rules for the same pods of the node at the same ports, whoever their peers are.
struct Grant<'s> {
    key: &'s (PolicyName, usize),
    pods: &'s [usize],
    ports: &'s [Port],
    /// The numbers of the ends on the other side, some of them more than once.
    peers: Vec<Ends>,
}

/// Which numbers the names of a rule's ports stand for at one peer.
type Numbers = Vec<(Protocol, u16)>;

/// What rules say of a class of peers: places in the list of grants.
type Class = Vec<(usize, Rc<Numbers>)>;

/// The last of what is granted, and the place of what was granted before.
struct Path {
    before: usize,
    grant: usize,
    numbers: Rc<Numbers>,
}

/// Gives all that is granted along a path.
fn class(paths: &[Option<Path>], mut at: usize) -> Class {
    let mut class = Class::new();
    while let Some(Path { before, grant, numbers }) = &paths[at] {
        class.push((*grant, numbers.clone()));
        at = *before;
    }
    class.reverse();
    class
}

impl<'a> Step<'a> {
    /// Finds the peers of its rules.
    pub(super) fn find(&self) -> Found<'_, 'a> {
        let grants = self.grants();
        let classes = self.classes(&grants);
        Found { step: self, grants, classes }
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
            grant
                .peers
                .extend(peers.into_iter().map(|peer| self.index.peers(peer, each.namespace)));
        }
        let mut grants: Vec<Grant<'_>> = grants.into_values().collect();
        grants.sort_by_key(|grant| grant.key);
        grants
    }

    /// Says whether what a rule means depends on what a pod at the other end is.
    pub(super) fn depends_on_pods(&self, rule: &Rule) -> bool {
        !rule.peers.iter().all(|peer| self.is_of_addresses(peer))
            || self.names_of_peers(&rule.ports)
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
        Namer::of(self.direction) == Namer::Peer
            && ports.iter().any(|port| matches!(port, Port::Name(..)))
    }

    /// Puts peers that are granted the same together. What is granted is a path: peers are parted by one
    /// grant after the other, and those that part never meet again.
    fn classes(&self, grants: &[Grant<'_>]) -> BTreeMap<Class, Vec<IpAddr>> {
        let none = Rc::new(Numbers::new());
        let mut paths: Vec<Option<Path>> = vec![None];
        // The path of each end, by its number.
        let mut at: Vec<usize> = vec![0; self.index.len()];
        for (number, grant) in grants.iter().enumerate() {
            let by_name = self.names_of_peers(grant.ports);
            let only_names = grant.ports.iter().all(|port| matches!(port, Port::Name(..)));
            let first = paths.len();
            let mut next: BTreeMap<(usize, Rc<Numbers>), usize> = BTreeMap::new();
            for end in grant.peers.iter().flat_map(|peers| peers.iter()) {
                // Several peers of a grant may mean it.
                if at[*end] >= first {
                    continue;
                }
                let numbers = match by_name {
                    true => Rc::new(named(grant.ports, self.index.pod(self.index.end(*end).1).1)),
                    false => none.clone(),
                };
                if by_name && only_names && numbers.is_empty() {
                    continue;
                }
                let before = at[*end];
                at[*end] = *next.entry((before, numbers.clone())).or_insert_with(|| {
                    paths.push(Some(Path { before, grant: number, numbers }));
                    paths.len() - 1
                });
            }
        }
        let mut ends: BTreeMap<usize, Vec<IpAddr>> = BTreeMap::new();
        for (end, path) in at.into_iter().enumerate().filter(|(_, path)| *path > 0) {
            ends.entry(path).or_default().push(self.index.end(end).0);
        }
        ends.into_iter().map(|(path, ends)| (class(&paths, path), ends)).collect()
    }

    /// Gives the ports that a rule allows at a pod of the node; `None` for all.
    fn ports(&self, pod: usize, ports: &[Port], numbers: &Numbers) -> Option<Vec<Ports>> {
        if ports.is_empty() {
            return None;
        }
        let one = |(protocol, number): &(Protocol, u16)| {
            (*protocol, Span { first: *number, last: *number })
        };
        let by_name = match Namer::of(self.direction) {
            Namer::Peer => numbers.clone(),
            Namer::Own => named(ports, self.index.pod(pod).1),
        };
        Some(written(ports).chain(by_name.iter().map(one)).collect())
    }
}

/// Which rules mean addresses for a pod, by their numbers, and the ports meant there; `None` for all.
type Meant = Vec<(usize, Option<Vec<Ports>>)>;

/// Addresses and the ports meant there, each once; `None` for all.
type Piece = (Span<u128>, Option<Vec<Ports>>);

/// Cuts the addresses that rules mean into pieces that share nothing.
fn pieces(meant: &Meant, runs: &[Vec<Span<u128>>]) -> Vec<Piece> {
    let of_rule = |(at, (rule, _)): (usize, &(usize, _))| {
        runs[*rule].iter().map(move |run| (*run, at)).collect::<Vec<_>>()
    };
    let all: Vec<(Span<u128>, usize)> = meant.iter().enumerate().flat_map(of_rule).collect();
    let mut joined: BTreeMap<Vec<usize>, Option<Vec<Ports>>> = BTreeMap::new();
    let mut pieces: Vec<Piece> = Vec::new();
    for (piece, rules) in cut(&all) {
        let ports = joined
            .entry(rules)
            .or_insert_with_key(|rules| ports_of(rules.iter().map(|at| meant[*at].1.as_deref())));
        match pieces.last_mut() {
            Some((before, of)) if of == ports && before.last + 1 == piece.first => {
                before.last = piece.last;
            }
            _ => pieces.push((piece, ports.clone())),
        }
    }
    pieces
}

/// Joins ports; `None` for all.
fn ports_of<'p>(all: impl Iterator<Item = Option<&'p [Ports]>>) -> Option<Vec<Ports>> {
    let all: Option<Vec<&[Ports]>> = all.collect();
    let all = all?.concat();
    let of = |protocol| {
        let of_it = all.iter().filter(move |(of, _)| *of == protocol);
        join(of_it.map(|(_, span)| *span).collect()).into_iter().map(move |span| (protocol, span))
    };
    Some(Protocol::ALL.into_iter().flat_map(of).collect())
}

impl Found<'_, '_> {
    /// Writes the step, and gives the lines that look into it.
    pub(super) fn write(&self, pen: &mut Pen<'_>) -> Vec<Line> {
        let mut writer = Writer { step: self.step, pen };
        let mut lines = writer.everyone();
        lines.extend(writer.classes(&self.grants, &self.classes));
        lines.extend(writer.blocks());
        lines
    }
}

/// Writes a step for one family.
struct Writer<'w, 'a, 'p, 'r> {
    step: &'w Step<'a>,
    pen: &'p mut Pen<'r>,
}

impl Writer<'_, '_, '_, '_> {
    fn name(&self, what: &str) -> String {
        self.pen.name(&format!("{}{what}", self.step.stem))
    }

    /// What becomes of what is found.
    fn found(&self, set: String, protocol: Option<Protocol>) -> Line {
        let verdict = match &self.step.then {
            None => Verdict::Accept,
            Some(chain) => Verdict::Goto(self.pen.name(chain)),
        };
        Line::Found(set, protocol, verdict)
    }

    fn addresses(&self, pod: usize) -> Vec<IpAddr> {
        self.step.index.of_family(pod, self.pen.family)
    }

    /// Writes what pods may do with everyone.
    fn everyone(&mut self) -> Vec<Line> {
        let mut allowed = Allowed::default();
        for each in self.step.uses.iter().filter(|each| each.rule.peers.is_empty()) {
            for pod in &each.pods {
                let ports = self.step.ports(*pod, &each.rule.ports, &Numbers::new());
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
                    allowed.add(&self.addresses(*pod), self.step.ports(*pod, grant.ports, numbers));
                }
            }
            let addresses: Vec<IpAddr> =
                peers.iter().filter(|it| Family::of(**it) == self.pen.family).copied().collect();
            if allowed.is_empty() || addresses.is_empty() {
                continue;
            }
            let stem = self.name(&class_name(grants, class));
            let lines = self.sets(&stem, allowed);
            self.pen.chain(stem.clone(), lines);
            for address in addresses {
                let verdict = Some(Verdict::Jump(stem.clone()));
                self.pen.element(&map, Kind::PeerVerdicts, Element::of(address), verdict);
            }
        }
        self.pen.has(&map).then_some(Line::Ask(map))
    }

    /// Writes what pods may do with addresses. Pods for which the same is meant are one group, whose
    /// addresses stand in its sets once.
    fn blocks(&mut self) -> Option<Line> {
        let mut of_pod: BTreeMap<usize, Meant> = BTreeMap::new();
        let mut runs: Vec<Vec<Span<u128>>> = Vec::new();
        for (number, each) in self.step.uses.iter().enumerate() {
            runs.push(each.rule.peers.iter().flat_map(|peer| self.runs(peer)).collect());
            if runs[number].is_empty() {
                continue;
            }
            for pod in &each.pods {
                // Names of ports mean nothing at addresses, but for those of the node's own pod.
                let ports = self.step.ports(*pod, &each.rule.ports, &Numbers::new());
                of_pod.entry(*pod).or_default().push((number, ports));
            }
        }
        let mut groups: BTreeMap<Meant, Vec<IpAddr>> = BTreeMap::new();
        for (pod, meant) in of_pod {
            groups.entry(meant).or_default().extend(self.addresses(pod));
        }
        let map = self.name("blocks");
        for (meant, pods) in groups.into_iter().filter(|(_, pods)| !pods.is_empty()) {
            let pieces = pieces(&meant, &runs);
            let stem = self.name(&format!("blocks_{}", name_of(&format!("{pieces:?}"))));
            let lines = self.group(&stem, &pieces);
            if lines.is_empty() {
                continue;
            }
            self.pen.chain(stem.clone(), lines);
            for address in pods {
                let verdict = Some(Verdict::Jump(stem.clone()));
                self.pen.element(&map, Kind::OwnVerdicts, Element::of(address), verdict);
            }
        }
        self.pen.has(&map).then_some(Line::Ask(map))
    }

    /// Writes the sets of a group, and gives the lines that look into them.
    fn group(&mut self, stem: &str, pieces: &[Piece]) -> Vec<Line> {
        let mut kinds = BTreeSet::new();
        for (piece, ports) in pieces {
            let (first, last) =
                (self.pen.family.address(piece.first), self.pen.family.address(piece.last));
            let to = Some(Span { first, last });
            let Some(ports) = ports else {
                let element = Element { address: first, to, ports: None };
                self.pen.element(&with_protocol(stem, None), Kind::PeerRanges, element, None);
                kinds.insert(None);
                continue;
            };
            for (protocol, span) in ports {
                let element = Element { address: first, to, ports: Some(*span) };
                let set = with_protocol(stem, Some(*protocol));
                self.pen.element(&set, Kind::PeerRangePorts, element, None);
                kinds.insert(Some(*protocol));
            }
        }
        let line = |protocol| self.found(with_protocol(stem, protocol), protocol);
        kinds.into_iter().map(line).collect()
    }

    /// Gives the addresses of this family that a peer names.
    fn runs(&self, peer: &Peer) -> Vec<Span<u128>> {
        match peer {
            Peer::Block { range, except } if Family::of(range.base()) == self.pen.family => {
                runs(*range, except)
            }
            Peer::Pods { .. } if self.step.is_of_addresses(peer) => {
                ranges(self.step.all, self.pen.family)
            }
            _ => Vec::new(),
        }
    }

    /// Writes sets of pods and ports, and the lines that look into them.
    fn sets(&mut self, stem: &str, allowed: Allowed) -> Vec<Line> {
        let mut lines = Vec::new();
        let all = with_protocol(stem, None);
        for address in &allowed.all {
            self.pen.element(&all, Kind::Own, Element::of(*address), None);
        }
        if !allowed.all.is_empty() {
            lines.push(self.found(all, None));
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
                    self.pen.element(set, kind, element, None);
                }
            }
            for set in [single, runs] {
                if self.pen.has(&set) {
                    lines.push(self.found(set, Some(protocol)));
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
    name_of(&text)
}

fn name_of(text: &str) -> String {
    Digest::of(text.as_bytes()).as_str()[..32].to_owned()
}
