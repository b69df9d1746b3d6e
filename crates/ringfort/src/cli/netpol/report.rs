//! What is said of a connection or of a pod's ways: one model, for people and for programs. Pure.

use std::collections::BTreeSet;

use ringfort_model::network_policy::WIDER_GROUP;
use ringfort_policy::{
    Action, Allowed, Answer, Described, Direction, End, NAME_LABEL, NoAnswer, Peer, Place, Pod,
    Policy, PolicyName, PortWanted, Question, Rule, Ruling, Selector, Side, Tier, TooLong, Why,
    World, explain,
};
use serde::Serialize;
use serde_json::Value;

use super::ends::of_pod;
use super::missing::{Other, Refused};
use super::rulings::{self, RulingReport};
use super::seen::Seen;

/// Of what is written for programs.
pub const VERSION: u32 = 1;

/// What comes of a connection, in one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is let through.
    Allowed,
    /// It is dropped.
    Refused,
    /// It cannot be said.
    Unknown,
    /// Of what a Service leads to some is dropped and some is not, or nothing can be said of it.
    Partly,
}

/// What is said of a connection.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub version: u32,
    pub verdict: Verdict,
    /// Why nothing can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub from: String,
    pub to: String,
    pub protocol: String,
    pub port: u16,
    pub egress: SideReport,
    pub ingress: SideReport,
    pub notes: Vec<String>,
}

/// What is said of it at one end.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SideReport {
    pub verdict: Verdict,
    pub why: String,
    /// Rules of cluster-wide policies that decided, or passed on, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rulings: Vec<RulingReport>,
    /// Policies that close the way.
    pub closed_by: Vec<String>,
    /// Their rules that allow the connection.
    pub allowed_by: Vec<RuleReport>,
    /// All of their rules, where none allows it.
    pub lets_through: Vec<RuleReport>,
    /// The policy that would allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_allow: Option<Value>,
}

/// A rule.
#[derive(Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleReport {
    pub policy: String,
    /// Where it stands in the policy, such as `ingress[0]`.
    pub rule: String,
    pub allows: String,
}

/// What is said of a pod where no connection is asked about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ways {
    pub version: u32,
    pub pod: String,
    /// Why more may hold than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// Whether the pod uses its node's own network, where no policy holds.
    pub host_network: bool,
    pub egress: WayReport,
    pub ingress: WayReport,
    pub notes: Vec<String>,
}

/// One way of a pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WayReport {
    /// Rules of cluster-wide policies, in the order in which they are judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rulings: Vec<RulingReport>,
    pub closed_by: Vec<String>,
    pub lets_through: Vec<RuleReport>,
}

/// Says what comes of a connection.
///
/// # Errors
/// An end or its port is not there.
pub fn connection(seen: &Seen, question: &Question) -> Result<Report, NoAnswer> {
    let mut answer = explain(&seen.world, question)?;
    bound(seen, question, &mut answer)?;
    bound_by_tiers(seen, question, &mut answer);
    let (verdict, why) = match (wider(seen), answer.verdict()) {
        (Some(why), _) => (Verdict::Unknown, Some(why)),
        (None, Allowed::Unknown(why)) => (Verdict::Unknown, Some(why)),
        (None, certain) => (Verdict::of(&certain), None),
    };
    let ends = [&question.from, &question.to].map(|end| met(&seen.world, end));
    let pods: Vec<&Place> = ends.into_iter().flatten().map(|(place, _)| place).collect();
    let mut notes = notes(seen, &pods);
    let ends = Ends { world: &seen.world, question, port: number(&seen.world, question) };
    Ok(Report {
        version: VERSION,
        verdict,
        why,
        from: name(&question.from),
        to: name(&question.to),
        protocol: question.protocol.to_string(),
        port: ends.port,
        egress: ends.side(&answer.egress, &mut notes),
        ingress: ends.side(&answer.ingress, &mut notes),
        notes,
    })
}

/// Says what closes the ways of a pod, and what is let through all the same.
pub fn ways(seen: &Seen, place: &Place, pod: &Pod) -> Ways {
    let way = |direction| {
        let closing = seen.world.closing(place, pod, direction);
        WayReport {
            rulings: rulings::all(&seen.world, (place, pod), direction),
            closed_by: names(&closing),
            lets_through: all_rules(&closing, direction),
        }
    };
    let bare = |direction| rulings::bare(seen, (place, pod), None, direction);
    let unknown = wider(seen)
        .or_else(|| Direction::BOTH.into_iter().find_map(bare))
        .or_else(|| rulings::doubt(&seen.world, (place, pod)));
    Ways {
        version: VERSION,
        pod: of_pod(place),
        unknown,
        host_network: pod.host_network,
        egress: way(Direction::Egress),
        ingress: way(Direction::Ingress),
        notes: notes(seen, &[place]),
    }
}

/// Gives what is to be noted of what was seen, and of policies of some pods' namespaces that say too much.
fn notes(seen: &Seen, pods: &[&Place]) -> Vec<String> {
    let mut notes = seen.notes.clone();
    let namespaces: BTreeSet<&str> = pods.iter().map(|it| it.namespace.as_str()).collect();
    for policy in namespaces.into_iter().flat_map(|it| seen.world.beyond_budget(it)) {
        notes.push(format!("{}", TooLong(policy)));
    }
    for place in pods.iter().filter(|it| seen.world.pods.get(**it).is_some_and(|pod| pod.ended)) {
        notes.push(format!("{place} has ended: this would hold if it ran"));
    }
    notes
}

impl Verdict {
    fn of(allowed: &Allowed) -> Self {
        match allowed {
            Allowed::Yes(_) => Self::Allowed,
            Allowed::No => Self::Refused,
            Allowed::Unknown(_) => Self::Unknown,
        }
    }

    /// Gives it as a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Partly => "partly refused",
        }
    }
}

impl Report {
    /// Says whether the same is said of another end, for the same reasons. What would allow it may be another policy.
    pub fn is_like(&self, other: &Self) -> bool {
        let whole = |it: &Self| (it.verdict, it.why.clone());
        whole(self) == whole(other)
            && self.egress.is_like(&other.egress)
            && self.ingress.is_like(&other.ingress)
    }
}

impl SideReport {
    fn is_like(&self, other: &Self) -> bool {
        self.verdict == other.verdict
            && self.why == other.why
            && self.rulings == other.rulings
            && self.closed_by == other.closed_by
            && self.allowed_by == other.allowed_by
            && self.lets_through == other.lets_through
    }
}

/// Says why nothing is certain where cluster-wide policies are.
fn wider(seen: &Seen) -> Option<String> {
    (!seen.wider.is_empty()).then(|| {
        format!(
            "there are cluster-wide policies of {WIDER_GROUP} in kinds or versions that are not read \
             ({}), so that they are neither enforced nor judged here",
            seen.wider.join(", ")
        )
    })
}

/// Where a namespace's labels were not seen, takes back what depends on them: a verdict stands only
/// if it is the same when rules by those labels mean nobody and when they mean everybody.
fn bound(seen: &Seen, question: &Question, answer: &mut Answer) -> Result<(), NoAnswer> {
    let sides = [(&mut answer.egress, &question.to), (&mut answer.ingress, &question.from)];
    for (side, peer) in sides {
        let peer = met(&seen.world, peer).map(|(place, _)| place.namespace.as_str());
        let Some(bare) = peer.filter(|namespace| seen.bare.contains(*namespace)) else { continue };
        let allowed = |doubt| -> Result<bool, NoAnswer> {
            let answer = explain(&taken(&seen.world, doubt), question)?;
            let side = match side.direction {
                Direction::Egress => answer.egress,
                Direction::Ingress => answer.ingress,
            };
            Ok(matches!(side.verdict, Allowed::Yes(_)))
        };
        if !allowed(Doubt::Nobody)? && allowed(Doubt::Everybody)? {
            side.verdict = Allowed::Unknown(format!(
                "a rule selects namespaces by labels, and those of {bare} were not seen: add the \
                 Namespace to the files"
            ));
        }
    }
    Ok(())
}

/// The same where a cluster-wide policy depends on such labels: what it denies may be what it accepts.
fn bound_by_tiers(seen: &Seen, question: &Question, answer: &mut Answer) {
    let ends = [(&question.from, &question.to), (&question.to, &question.from)];
    for (side, (own, peer)) in [&mut answer.egress, &mut answer.ingress].into_iter().zip(ends) {
        let Some(own) = met(&seen.world, own) else { continue };
        let peer = met(&seen.world, peer).map(|(place, _)| place).filter(|it| *it != own.0);
        let decided = matches!(side.verdict, Allowed::Yes(Why::Itself | Why::OwnMachine));
        if let (false, Some(why)) = (decided, rulings::bare(seen, own, peer, side.direction)) {
            side.verdict = Allowed::Unknown(why);
        }
    }
}

/// Whom rules mean that select namespaces by labels of their own.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Doubt {
    Nobody,
    Everybody,
}

fn taken(world: &World, doubt: Doubt) -> World {
    let mut world = world.clone();
    for policy in world.policies.values_mut() {
        for rules in [&mut policy.ingress, &mut policy.egress].into_iter().flatten() {
            rules.retain_mut(|rule| rule.peers.is_empty() || has_peers(rule, doubt));
        }
    }
    world
}

fn has_peers(rule: &mut Rule, doubt: Doubt) -> bool {
    rule.peers.retain_mut(|peer| match peer {
        Peer::Pods { namespaces: Some(selector), .. }
            if selector.keys().any(|key| key != NAME_LABEL) =>
        {
            *selector = Selector::default();
            doubt == Doubt::Everybody
        }
        _ => true,
    });
    !rule.peers.is_empty()
}

/// Finds the pod at an end.
fn met<'a>(world: &'a World, end: &'a End) -> Option<(&'a Place, &'a Pod)> {
    match end {
        End::Pod(place) => world.pods.get_key_value(place),
        End::Address(address) => world.holder(*address),
    }
}

/// Gives the name of an end.
pub fn name(end: &End) -> String {
    match end {
        End::Pod(place) => of_pod(place),
        End::Address(address) => address.to_string(),
    }
}

/// The number of the port that is asked for; an answer was found, so it has one.
fn number(world: &World, question: &Question) -> u16 {
    match &question.port {
        PortWanted::Number(number) => *number,
        PortWanted::Name(name) => met(world, &question.to)
            .and_then(|(_, pod)| pod.named(name, question.protocol).next())
            .unwrap_or_default(),
    }
}

struct Ends<'a> {
    world: &'a World,
    question: &'a Question,
    port: u16,
}

impl Ends<'_> {
    fn side(&self, side: &Side, notes: &mut Vec<String>) -> SideReport {
        let (own, peer) = match side.direction {
            Direction::Egress => (&self.question.from, &self.question.to),
            Direction::Ingress => (&self.question.to, &self.question.from),
        };
        let own = met(self.world, own);
        let closing = own.map(|(place, pod)| self.world.closing(place, pod, side.direction));
        let closing = closing.unwrap_or_default();
        let mut report = SideReport {
            verdict: Verdict::of(&side.verdict),
            why: words(side),
            rulings: own
                .map(|own| rulings::decided(self.world, own, side.direction, &side.rulings))
                .unwrap_or_default(),
            closed_by: side.closed_by.iter().map(ToString::to_string).collect(),
            allowed_by: side
                .allowed_by
                .iter()
                .filter_map(|(name, at)| rule(&closing, name, *at, side.direction))
                .collect(),
            lets_through: Vec::new(),
            would_allow: None,
        };
        // Where a tier decided, or nobody knows what it does, nothing behind it was judged.
        if !matches!(side.verdict, Allowed::Yes(_)) && !side.closed_by.is_empty() {
            report.lets_through = all_rules(&closing, side.direction);
        }
        let tier = denied_by(side).and_then(|ruling| self.world.wider.get(&ruling.policy));
        let tier = tier.map(|policy| policy.tier);
        // What the Admin tier denies, no NetworkPolicy brings back.
        if let (Allowed::No, Some(own), false) = (&side.verdict, own, tier == Some(Tier::Admin)) {
            report.would_allow = self.would_allow(own, peer, side.direction, notes);
            if tier == Some(Tier::Baseline) && report.would_allow.is_some() {
                notes.push(switched_off(own.0, side.direction));
            }
        }
        report
    }

    fn would_allow(
        &self,
        (place, pod): (&Place, &Pod),
        peer: &End,
        direction: Direction,
        notes: &mut Vec<String>,
    ) -> Option<Value> {
        let at = match peer {
            End::Address(address) => vec![*address],
            End::Pod(place) => self.world.pods.get(place)?.addresses.clone(),
        };
        let other = match met(self.world, peer).filter(|(_, pod)| !pod.host_network) {
            Some((place, pod)) => Other::Pod(place, pod),
            None => Other::Addresses(&at),
        };
        let peer_pod = match other {
            Other::Pod(place, pod) => Some((place, pod)),
            Other::Addresses(_) => None,
        };
        for (place, _) in [Some((place, pod)), peer_pod]
            .into_iter()
            .flatten()
            .filter(|(_, it)| it.labels.is_empty())
        {
            let note = format!(
                "{place} has no labels, so that a policy selects it with all pods of its namespace: \
                 give it one"
            );
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        let name = name(peer);
        let (protocol, port) = (self.question.protocol, self.port);
        let closing = self.world.closing(place, pod, direction);
        let is_default = closing.iter().any(|(name, _)| *name == PolicyName::Default);
        let dns = self.world.defaults().dns.as_ref();
        let dns = dns.filter(|_| is_default && direction == Direction::Egress);
        let refused = Refused { direction, place, pod, other, name: &name, protocol, port, dns };
        let policy = refused.policy();
        if policy.is_none() {
            notes.push(format!("{name} has no address yet that a policy could name"));
        }
        policy
    }
}

/// Finds the rule of a cluster-wide policy that denied it.
fn denied_by(side: &Side) -> Option<&Ruling> {
    side.rulings.last().filter(|ruling| ruling.action == Action::Deny)
}

/// Says what else a NetworkPolicy does to a pod that the Baseline tier judges.
fn switched_off(place: &Place, direction: Direction) -> String {
    format!(
        "once a NetworkPolicy selects {place} for {direction}, the Baseline tier says nothing of it any more: what \
         NetworkPolicies do not list is closed then, also what is open now"
    )
}

fn words(side: &Side) -> String {
    match &side.verdict {
        Allowed::Yes(Why::Open) => "no policy closes this way".to_owned(),
        Allowed::Yes(Why::Rule) => "a rule allows it".to_owned(),
        Allowed::Yes(Why::Accepted) => "a cluster-wide policy accepts it".to_owned(),
        Allowed::No if denied_by(side).is_some() => "a cluster-wide policy denies it".to_owned(),
        Allowed::Yes(Why::Itself) => "a pod always reaches itself".to_owned(),
        Allowed::Yes(Why::NoPod) => "it is no pod, and policies are for pods".to_owned(),
        Allowed::Yes(Why::HostNetwork) => {
            "policies do not hold where a pod uses its machine's own network".to_owned()
        }
        Allowed::Yes(Why::OwnMachine) => "a pod's own machine always reaches it".to_owned(),
        Allowed::No => "no rule allows it".to_owned(),
        Allowed::Unknown(why) => why.clone(),
    }
}

type Closing<'a> = [(PolicyName, &'a Policy)];

fn names(closing: &Closing<'_>) -> Vec<String> {
    closing.iter().map(|(name, _)| name.to_string()).collect()
}

fn all_rules(closing: &Closing<'_>, direction: Direction) -> Vec<RuleReport> {
    let of_policy = |(name, policy): &(PolicyName, &Policy)| {
        let count = policy.rules(direction).map_or(0, <[Rule]>::len);
        (0..count).filter_map(|at| rule(closing, name, at, direction)).collect::<Vec<_>>()
    };
    closing.iter().flat_map(of_policy).collect()
}

fn rule(
    closing: &Closing<'_>,
    name: &PolicyName,
    at: usize,
    direction: Direction,
) -> Option<RuleReport> {
    let (_, policy) = closing.iter().find(|(it, _)| it == name)?;
    let rule = policy.rules(direction)?.get(at)?;
    Some(RuleReport {
        policy: name.to_string(),
        rule: format!("{direction}[{at}]"),
        allows: Described(rule, direction).to_string(),
    })
}
