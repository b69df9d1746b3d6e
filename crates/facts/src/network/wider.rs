//! Cluster-wide policies: a tier that is judged before NetworkPolicy, and one behind it.
//!
//! The rules of a tier have an order, and the first that means a connection decides: it accepts, denies,
//! or passes on to what comes after the tier. Policies of one priority are taken in order of their kinds
//! and names, since upstream leaves open which of them decides.
//!
//! What cannot be read or is not supported fails closed, as
//! <https://network-policy-api.sigs.k8s.io/reference/spec/> wants it: a rule that would accept means
//! nobody, and any other denies everything.

use std::fmt;

use ringfort_model::network_policy::WiderKind;

use super::object::{Direction, Rule};
use super::selector::Selector;

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
