//! Writes sets and chains of one way and family.

use std::collections::BTreeMap;

use ringfort_facts::network::Direction;

use super::rules::{Element, Kind, Line, RuleSet, Set, Verdict};
use super::span::Family;

/// The rules of a node, seen from one way and family.
pub(super) struct Pen<'r> {
    pub(super) rules: &'r mut RuleSet,
    pub(super) direction: Direction,
    pub(super) family: Family,
}

impl Pen<'_> {
    /// Names a set or a chain.
    pub(super) fn name(&self, what: &str) -> String {
        let number = match self.family {
            Family::V4 => 4,
            Family::V6 => 6,
        };
        format!("{}{number}_{what}", self.direction.word())
    }

    /// Puts an element into a set, which begins with its first one.
    pub(super) fn element(
        &mut self,
        set: &str,
        kind: Kind,
        element: Element,
        verdict: Option<Verdict>,
    ) {
        if let Some(set) = self.rules.sets.get_mut(set) {
            set.elements.insert(element, verdict);
            return;
        }
        let (family, direction) = (self.family, self.direction);
        let elements = BTreeMap::from([(element, verdict)]);
        self.rules.sets.insert(set.to_owned(), Set { family, direction, kind, elements });
    }

    /// Says whether a set is there.
    pub(super) fn has(&self, set: &str) -> bool {
        self.rules.sets.contains_key(set)
    }

    pub(super) fn chain(&mut self, name: String, lines: Vec<Line>) {
        self.rules.chains.insert(name, lines);
    }

    /// Says whether a line leads to a chain.
    pub(super) fn leads_to(&self, chain: &str) -> bool {
        self.rules.chains.values().flatten().any(|line| match line {
            Line::Found(_, _, Verdict::Goto(it) | Verdict::Jump(it)) => it == chain,
            _ => false,
        })
    }

    /// Drops what comes this far.
    pub(super) fn refuse(&self) -> Line {
        Line::Refuse(self.family, self.direction)
    }
}
