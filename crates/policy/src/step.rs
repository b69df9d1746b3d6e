//! A step of a way: rules that do the same with all that they mean, as sets and chains.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use ringfort_facts::network::{Direction, Peer, Port, Protocol, Rule, Selector};
use ringfort_model::digest::Digest;

use super::budget::{Beyond, ENDS_OF_AN_ENTRY, ENTRIES, Meter};
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
    /// Where all pods of the cluster have their addresses.
    pub(super) pods: &'a BTreeMap<Family, Vec<Span<u128>>>,
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
    /// The namespace whose policies these rules are of, if they are of one.
    namespace: Option<&'s str>,
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
    pub(super) fn find(&self, meter: &mut Meter) -> Result<Found<'_, 'a>, Beyond> {
        let grants = self.grants(meter)?;
        let classes = self.classes(&grants, meter)?;
        Ok(Found { step: self, grants, classes })
    }

    /// Puts rules that allow the same together, with all their peers that are pods.
    fn grants(&self, meter: &mut Meter) -> Result<Vec<Grant<'_>>, Beyond> {
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
                namespace: each.namespace,
                pods: &each.pods,
                ports: &each.rule.ports,
                peers: Vec::new(),
            });
            for peer in peers {
                let ends = self.index.peers(peer, each.namespace);
                meter.take(each.namespace, ends.len() / ENDS_OF_AN_ENTRY)?;
                grant.peers.push(ends);
            }
        }
        let mut grants: Vec<Grant<'_>> = grants.into_values().collect();
        grants.sort_by_key(|grant| grant.key);
        Ok(grants)
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
                namespaces.is_empty() && pods.is_empty() && !self.pods.is_empty()
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
    fn classes(
        &self,
        grants: &[Grant<'_>],
        meter: &mut Meter,
    ) -> Result<BTreeMap<Class, Vec<IpAddr>>, Beyond> {
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
        let mut classes = BTreeMap::new();
        for (path, ends) in ends {
            // What parts every pod from all others makes as many classes as there are pods, each of them long.
            let mut at = path;
            while let Some(Path { before, grant, .. }) = &paths[at] {
                meter.take(grants[*grant].namespace, 1)?;
                at = *before;
            }
            classes.insert(class(&paths, path), ends);
        }
        Ok(classes)
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

/// Cuts the addresses that rules of a namespace mean into pieces that share nothing.
fn pieces(
    meant: &Meant,
    runs: &[Vec<Span<u128>>],
    namespace: Option<&str>,
    meter: &mut Meter,
) -> Result<Vec<Piece>, Beyond> {
    let of_rule = |(at, (rule, _)): (usize, &(usize, _))| {
        runs[*rule].iter().map(move |run| (*run, at)).collect::<Vec<_>>()
    };
    let all: Vec<(Span<u128>, usize)> = meant.iter().enumerate().flat_map(of_rule).collect();
    let mut joined: BTreeMap<Vec<usize>, Option<Vec<Ports>>> = BTreeMap::new();
    let mut pieces: Vec<Piece> = Vec::new();
    let most = if namespace.is_some() { ENTRIES } else { usize::MAX };
    let Some(cut) = cut(&all, most) else {
        meter.take(namespace, ENTRIES + 1)?;
        return Ok(pieces);
    };
    for (piece, rules) in cut {
        let ports = joined
            .entry(rules)
            .or_insert_with_key(|rules| ports_of(rules.iter().map(|at| meant[*at].1.as_deref())));
        match pieces.last_mut() {
            Some((before, of)) if of == ports && before.last + 1 == piece.first => {
                before.last = piece.last;
            }
            _ => {
                meter.take(namespace, ports.as_ref().map_or(1, Vec::len))?;
                pieces.push((piece, ports.clone()));
            }
        }
    }
    Ok(pieces)
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
    pub(super) fn write(&self, pen: &mut Pen<'_>, meter: &mut Meter) -> Result<Vec<Line>, Beyond> {
        let mut writer = Writer { step: self.step, pen, meter };
        let mut lines = writer.everyone()?;
        lines.extend(writer.classes(&self.grants, &self.classes)?);
        lines.extend(writer.blocks()?);
        Ok(lines)
    }
}

/// Writes a step for one family.
struct Writer<'w, 'a, 'p, 'r> {
    step: &'w Step<'a>,
    pen: &'p mut Pen<'r>,
    meter: &'p mut Meter,
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
    fn everyone(&mut self) -> Result<Vec<Line>, Beyond> {
        let (step, none) = (self.step, Numbers::new());
        let open = step.uses.iter().filter(|each| each.rule.peers.is_empty());
        let granted: Vec<Granted<'_>> = open
            .map(|each| Granted {
                namespace: each.namespace,
                pods: &each.pods,
                ports: &each.rule.ports,
                numbers: &none,
            })
            .collect();
        let groups = self.groups(&granted)?;
        let stem = self.name("everyone");
        Ok(self.sets(&stem, groups))
    }

    /// Writes what pods may do with pods.
    fn classes(
        &mut self,
        grants: &[Grant<'_>],
        classes: &BTreeMap<Class, Vec<IpAddr>>,
    ) -> Result<Option<Line>, Beyond> {
        let map = self.name("peers");
        for (class, peers) in classes {
            let granted = class.iter().map(|(grant, numbers)| {
                let Grant { namespace, pods, ports, .. } = grants[*grant];
                Granted { namespace, pods, ports, numbers }
            });
            let groups = self.groups(&granted.collect::<Vec<_>>())?;
            let addresses: Vec<IpAddr> =
                peers.iter().filter(|it| Family::of(**it) == self.pen.family).copied().collect();
            if groups.is_empty() || addresses.is_empty() {
                continue;
            }
            let stem = self.name(&class_name(grants, class));
            let lines = self.sets(&stem, groups);
            self.pen.chain(stem.clone(), lines);
            for address in addresses {
                let verdict = Some(Verdict::Jump(stem.clone()));
                self.pen.element(&map, Kind::PeerVerdicts, Element::of(address), verdict);
            }
        }
        Ok(self.pen.has(&map).then_some(Line::Ask(map)))
    }

    /// Puts pods together that are granted the same ports, which then stand once for all of them.
    fn groups(&mut self, granted: &[Granted<'_>]) -> Result<Groups, Beyond> {
        let mut of_pod: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, each) in granted.iter().enumerate() {
            for pod in each.pods {
                of_pod.entry(*pod).or_default().push(number);
            }
        }
        // What the names of own ports stand for may differ from pod to pod.
        let by_name = Namer::of(self.step.direction) == Namer::Own;
        let mut alike: BTreeMap<(Vec<usize>, Numbers), Vec<usize>> = BTreeMap::new();
        for (pod, of_it) in of_pod {
            let named = |number: &usize| named(granted[*number].ports, self.step.index.pod(pod).1);
            let numbers = if by_name { of_it.iter().flat_map(named).collect() } else { Vec::new() };
            alike.entry((of_it, numbers)).or_default().push(pod);
        }
        let mut groups = Groups::new();
        for ((of_them, _), pods) in alike {
            let addresses = pods.iter().flat_map(|pod| self.addresses(*pod)).collect::<Vec<_>>();
            if addresses.is_empty() {
                continue;
            }
            let words: usize = of_them.iter().map(|number| granted[*number].ports.len()).sum();
            let namespace = of_them.iter().find_map(|number| granted[*number].namespace);
            self.meter.take(namespace, addresses.len() + words)?;
            let ports = of_them.iter().map(|number| {
                let Granted { ports, numbers, .. } = granted[*number];
                self.step.ports(pods[0], ports, numbers)
            });
            let ports: Vec<Option<Vec<Ports>>> = ports.collect();
            let ports = ports_of(ports.iter().map(Option::as_deref));
            let is_nothing = ports.as_ref().is_some_and(Vec::is_empty);
            if !is_nothing {
                groups.entry(ports).or_default().extend(addresses);
            }
        }
        Ok(groups)
    }

    /// Writes what pods may do with addresses. Pods for which the same is meant are one group, whose
    /// addresses stand in its sets once.
    fn blocks(&mut self) -> Result<Option<Line>, Beyond> {
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
            let namespace = self.step.uses[meant[0].0].namespace;
            let pieces = pieces(&meant, &runs, namespace, self.meter)?;
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
        Ok(self.pen.has(&map).then_some(Line::Ask(map)))
    }

    /// Writes the sets of a group, and gives the lines that look into them.
    fn group(&mut self, stem: &str, pieces: &[Piece]) -> Vec<Line> {
        let mut kinds = BTreeSet::new();
        for (piece, ports) in pieces {
            let (first, last) =
                (self.pen.family.address(piece.first), self.pen.family.address(piece.last));
            let to = Some(Span { first, last });
            let Some(ports) = ports else {
                let element = Element::range(first, last);
                self.pen.element(&with_protocol(stem, None), Kind::PeerRanges, element, None);
                kinds.insert(None);
                continue;
            };
            for (protocol, span) in ports {
                let element = Element { address: Some(first), to, ports: Some(*span) };
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
                self.step.pods.get(&self.pen.family).cloned().unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// Writes groups of pods, and the lines that look into them: each pod leads to the ports of its group. These are
    /// one chain for all classes in which pods are granted the same.
    fn sets(&mut self, stem: &str, groups: Groups) -> Vec<Line> {
        let (all, some) = (with_protocol(stem, None), format!("{stem}_ports"));
        for (ports, pods) in groups {
            let chain = ports.map(|ports| self.ports(&ports));
            for pod in pods {
                let element = Element::of(pod);
                match &chain {
                    None => self.pen.element(&all, Kind::Own, element, None),
                    Some(chain) => {
                        let verdict = Some(Verdict::Jump(chain.clone()));
                        self.pen.element(&some, Kind::OwnVerdicts, element, verdict);
                    }
                }
            }
        }
        let mut lines = Vec::new();
        if self.pen.has(&all) {
            lines.push(self.found(all, None));
        }
        if self.pen.has(&some) {
            lines.push(Line::Ask(some));
        }
        lines
    }

    /// Writes a chain that knows ports, and gives its name.
    fn ports(&mut self, ports: &[Ports]) -> String {
        let stem = self.name(&format!("ports_{}", name_of(&format!("{ports:?}"))));
        let mut sets = BTreeSet::new();
        for (protocol, span) in ports {
            let single = with_protocol(&stem, Some(*protocol));
            let (set, kind) = match span.first == span.last {
                true => (single, Kind::Port),
                false => (format!("{single}_runs"), Kind::Ports),
            };
            self.pen.element(&set, kind, Element::ports(*span), None);
            sets.insert((*protocol, set));
        }
        let line = |(protocol, set)| self.found(set, Some(protocol));
        let lines = sets.into_iter().map(line).collect();
        self.pen.chain(stem.clone(), lines);
        stem
    }
}

/// What pods of the node are granted at some other ends.
#[derive(Clone, Copy)]
struct Granted<'g> {
    namespace: Option<&'g str>,
    pods: &'g [usize],
    ports: &'g [Port],
    numbers: &'g Numbers,
}

/// Addresses of pods of the node, by the ports that they are granted; `None` for all.
type Groups = BTreeMap<Option<Vec<Ports>>, BTreeSet<IpAddr>>;

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
