//! What a table consists of, but for what its sets hold: enough to see that somebody took rules away.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{TABLE, bare};
use super::rules::RuleSet;

/// The chains and sets of a table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outline {
    /// How many rules each chain has.
    pub chains: BTreeMap<String, usize>,
    /// The names of sets and maps.
    pub sets: BTreeSet<String>,
}

impl Outline {
    /// Gives the outline of rules as the kernel has them.
    pub fn of_rules(rules: &RuleSet) -> Self {
        Self::of_script(&bare(rules))
    }

    /// Gives the outline of what a script makes that makes a whole table.
    pub fn of_script(script: &str) -> Self {
        let mut outline = Self::default();
        for line in script.lines().filter_map(|line| line.strip_prefix("add ")) {
            let Some((what, rest)) = line.split_once(' ') else { continue };
            let Some(rest) = rest.strip_prefix(TABLE) else { continue };
            let Some(name) = rest.split_whitespace().next() else { continue };
            match what {
                "chain" => {
                    outline.chains.entry(name.to_owned()).or_default();
                }
                "rule" => *outline.chains.entry(name.to_owned()).or_default() += 1,
                "set" | "map" => {
                    outline.sets.insert(name.to_owned());
                }
                _ => {}
            }
        }
        outline
    }

    /// Says whether all of it is in a whole.
    pub fn is_part_of(&self, whole: &Self) -> bool {
        self.sets.is_subset(&whole.sets)
            && self.chains.iter().all(|(name, rules)| whole.chains.get(name) == Some(rules))
    }
}
