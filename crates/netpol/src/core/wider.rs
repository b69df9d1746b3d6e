//! Cluster-wide policies: a tier that is judged before NetworkPolicy, and one behind it.
//!
//! The rules of a tier have an order, and the first that means a connection decides: it accepts, denies,
//! or passes on to what comes after the tier. Policies of one priority are taken in order of their kinds
//! and names, since upstream leaves open which of them decides.
//!
//! What cannot be read or is not supported fails closed, as
//! <https://network-policy-api.sigs.k8s.io/reference/spec/> wants it: a rule that would accept means
//! nobody, and any other denies everything.

mod written;

use std::fmt;

pub use written::wider;

use super::object::{Direction, Place, Pod, Rule};
use super::selector::Selector;
use super::world::World;

/// A tier of cluster-wide policies.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Tier {
    /// Before NetworkPolicy.
    Admin,
    /// Where no NetworkPolicy selects the pod.
    Baseline,
}

/// What a rule does with a connection that it means.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Action {
    /// Lets it through.
    Accept,
    /// Drops it.
    Deny,
    /// Leaves it to what comes after the tier.
    Pass,
}

/// A kind of cluster-wide policies.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum WiderKind {
    /// Of either tier.
    Cluster,
    /// Of the Admin tier; the kind before it.
    Admin,
    /// Of the Baseline tier; the kind before it.
    Baseline,
}

/// Which cluster-wide policy is meant.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct WiderName {
    /// Its kind.
    pub kind: WiderKind,
    /// Its name.
    pub name: String,
}

/// A cluster-wide policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WiderPolicy {
    /// Where it is judged.
    pub tier: Tier,
    /// Its place in the tier, from 0 to 1000: lower ones come first.
    pub priority: u16,
    /// The pods that it is for.
    pub subject: Subject,
    /// Rules of what comes in, in order.
    pub ingress: Vec<WiderRule>,
    /// Rules of what goes out, in order.
    pub egress: Vec<WiderRule>,
}

/// The pods that a cluster-wide policy is for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Subject {
    /// Of which namespaces.
    pub namespaces: Selector,
    /// Which of them.
    pub pods: Selector,
}

/// A rule of a cluster-wide policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WiderRule {
    /// What its writer calls it.
    pub name: Option<String>,
    /// What it does with what it means; where that cannot be read, it denies.
    pub action: Action,
    /// What it means, or why that is not known.
    pub means: Result<Rule, String>,
}

/// A rule at its turn: for a pod, one way, in one tier.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// The policy's name.
    pub name: &'a WiderName,
    /// The policy.
    pub policy: &'a WiderPolicy,
    /// The rule's place in the policy, from 0.
    pub at: usize,
    /// The rule.
    pub rule: &'a WiderRule,
}

/// What a rule without peers and ports means: everything.
static EVERYTHING: Rule = Rule { peers: Vec::new(), ports: Vec::new() };

impl Tier {
    /// Gives its name in small letters.
    pub fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Baseline => "baseline",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admin => "Admin",
            Self::Baseline => "Baseline",
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Deny => "deny",
            Self::Pass => "pass",
        })
    }
}

impl WiderKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cluster, Self::Admin, Self::Baseline];

    /// Gives the name of the kind.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cluster => "ClusterNetworkPolicy",
            Self::Admin => "AdminNetworkPolicy",
            Self::Baseline => "BaselineAdminNetworkPolicy",
        }
    }

    /// Gives its name in addresses.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Cluster => "clusternetworkpolicies",
            Self::Admin => "adminnetworkpolicies",
            Self::Baseline => "baselineadminnetworkpolicies",
        }
    }

    /// Gives the versions of it that are read, the best first.
    pub fn versions(self) -> &'static [&'static str] {
        match self {
            Self::Cluster => &["v1beta1", "v1alpha2"],
            Self::Admin | Self::Baseline => &["v1alpha1"],
        }
    }
}

impl fmt::Display for WiderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)
    }
}

impl WiderPolicy {
    /// Gives the rules of a way.
    pub fn rules(&self, direction: Direction) -> &[WiderRule] {
        match direction {
            Direction::Egress => &self.egress,
            Direction::Ingress => &self.ingress,
        }
    }

    /// Gives what of it is not known, once each.
    pub fn doubts(&self) -> Vec<&str> {
        let rules = self.egress.iter().chain(&self.ingress);
        let mut doubts: Vec<&str> =
            rules.filter_map(|rule| rule.means.as_ref().err()).map(String::as_str).collect();
        doubts.sort_unstable();
        doubts.dedup();
        doubts
    }
}

impl WiderRule {
    /// Gives what the rule does, and with what; nothing where it is not known what it accepts.
    pub fn in_force(&self) -> Option<(Action, &Rule)> {
        match (&self.means, self.action) {
            (Ok(rule), action) => Some((action, rule)),
            (Err(_), Action::Accept) => None,
            (Err(_), Action::Deny | Action::Pass) => Some((Action::Deny, &EVERYTHING)),
        }
    }
}

impl fmt::Display for Turn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WiderPolicy { tier, priority, .. } = self.policy;
        write!(f, "{} ({tier} tier, priority {priority})", self.name)
    }
}

impl World {
    /// Gives the rules of a tier that are for a pod, one way and in their order.
    ///
    /// Of a namespace whose labels are not known yet nobody can say whom it is selected by: there
    /// nothing but what denies counts.
    pub fn turns(
        &self,
        (place, pod): (&Place, &Pod),
        direction: Direction,
        tier: Tier,
    ) -> Vec<Turn<'_>> {
        if !pod.is_subject() {
            return Vec::new();
        }
        let labels = self.namespaces.get(&place.namespace);
        let selects = |subject: &Subject| {
            labels.is_none_or(|labels| subject.namespaces.selects(labels))
                && subject.pods.selects(&pod.labels)
        };
        let of_tier = self.wider.iter().filter(|(_, it)| it.tier == tier && selects(&it.subject));
        let mut policies: Vec<(&WiderName, &WiderPolicy)> = of_tier.collect();
        policies.sort_by_key(|(name, policy)| (policy.priority, *name));
        let turns = policies.into_iter().flat_map(|(name, policy)| {
            let rules = policy.rules(direction).iter().enumerate();
            rules.map(move |(at, rule)| Turn { name, policy, at, rule })
        });
        let counts = |turn: &Turn<'_>| {
            labels.is_some() || turn.rule.in_force().is_some_and(|(it, _)| it == Action::Deny)
        };
        turns.filter(counts).collect()
    }
}
