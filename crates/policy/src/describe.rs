//! Policies in words, for people.

use std::fmt;

use ringfort_facts::network::{Action, Direction, Rule};

use super::turn::Turn;

/// A rule as a sentence without its beginning: what it lets through, one way.
pub struct Described<'a>(pub &'a Rule, pub Direction);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(rule, direction) = self;
        f.write_str(match direction {
            Direction::Egress => "to ",
            Direction::Ingress => "from ",
        })?;
        if rule.peers.is_empty() {
            f.write_str("everyone")?;
        }
        list(f, &rule.peers, " or ")?;
        f.write_str(" at ")?;
        if rule.ports.is_empty() {
            f.write_str("every port")?;
        }
        list(f, &rule.ports, ", ")
    }
}

/// A rule of a tier as a sentence without its end: what it does with what, one way.
pub struct Ruled<'a>(pub &'a Turn<'a>, pub Direction);

impl fmt::Display for Ruled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Turn { rule, .. }, direction) = self;
        let verb = match rule.action {
            Action::Accept => "accepts",
            Action::Deny => "denies",
            Action::Pass => "passes on",
        };
        match (&rule.means, rule.in_force()) {
            (Ok(rule), _) => write!(f, "{verb} connections {}", Described(rule, *direction)),
            (Err(doubt), None) => write!(f, "accepts nothing, since {doubt}"),
            (Err(doubt), Some(_)) => write!(f, "denies everything, since {doubt}"),
        }
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, all: &[T], between: &str) -> fmt::Result {
    for (at, each) in all.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        each.fmt(f)?;
    }
    Ok(())
}
