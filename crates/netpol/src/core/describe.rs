//! Policies in words, for people.

use std::fmt;

use super::object::{Direction, Peer, Port, Rule};

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

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, all: &[T], between: &str) -> fmt::Result {
    for (at, each) in all.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        each.fmt(f)?;
    }
    Ok(())
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pods { namespaces, pods } => {
                match pods.is_empty() {
                    true => f.write_str("all pods")?,
                    false => write!(f, "pods with {pods}")?,
                }
                match namespaces {
                    None => f.write_str(" of its own namespace"),
                    Some(all) if all.is_empty() => f.write_str(" of all namespaces"),
                    Some(some) => write!(f, " of namespaces with {some}"),
                }
            }
            Self::Block { range, except } if except.is_empty() => range.fmt(f),
            Self::Block { range, except } => {
                write!(f, "{range} without ")?;
                list(f, except, ", ")
            }
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbers(protocol, 0, u16::MAX) => write!(f, "every {protocol} port"),
            Self::Numbers(protocol, first, last) if first == last => {
                write!(f, "{protocol} {first}")
            }
            Self::Numbers(protocol, first, last) => write!(f, "{protocol} {first} to {last}"),
            Self::Name(protocol, name) => write!(f, "the {protocol} port called {name:?}"),
        }
    }
}
