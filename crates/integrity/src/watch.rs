//! What an agent knows of a machine, and what it makes of each look: a change, or none. Pure.
//!
//! What is known is what was seen last. A change is told once: against the baseline where that says how
//! something should be, else against how it was.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::severity::Severity;
use serde::{Deserialize, Serialize};

use crate::baseline::Entries;
use crate::change::{Change, Finding, Unknown};
use crate::journal::Told;
use crate::judge::{Aspect, Content, Difference, Look, Verdict, judge};
use crate::path::FilePath;
use crate::process::{Process, Who};
use crate::protected::{Class, Protected};
use crate::state::{State, differences};
use crate::why::{Around, Cause, Changed, Why, why};

/// Where a machine keeps the binary that the operator brings, and the file whose content it has.
const BROUGHT: (&str, &str) = ("/var/lib/ringfort/bin/ringfort", "/usr/local/bin/ringfort");
/// How many unexplained changes are held to be explained later. The journal has all.
const MOST_OPEN: usize = 10_000;
/// How many paths are known at most.
const MOST_KNOWN: usize = 1_000_000;

/// What is known of a path.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    /// How it was; absent if nothing was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Whether it was told that it is not as the baseline says.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_wrong: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What was heard of a path before it was looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Heard {
    /// Who did it.
    pub who: Who,
    /// Whether it was written to, made, or renamed to, and not only touched.
    pub was_written: bool,
    /// Whether it was renamed away.
    pub was_renamed_away: bool,
    /// Whether it was renamed to here, with all that it holds.
    pub came_whole: bool,
}

impl Heard {
    /// Nothing was heard: somebody looked by himself.
    pub fn by_a_look() -> Self {
        Self::by(Who::Unknown(
            "a look found it, and nothing was heard of it: it was changed while nobody watched"
                .to_owned(),
        ))
    }

    /// Somebody did it in a way that nothing else is known of.
    pub fn by(who: Who) -> Self {
        Self { who, was_written: false, was_renamed_away: false, came_whole: false }
    }
}

/// What came of a look.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Came {
    /// Nothing that concerns anybody.
    Nothing,
    /// Something changed; it has no id yet.
    Changed(Box<Change>),
    /// It could not be seen.
    Unknown(Unknown),
}

/// What an agent knows.
#[derive(Clone, Debug)]
pub struct Watch {
    number: u64,
    entries: Entries,
    known: BTreeMap<FilePath, Known>,
    /// What is protected since a moment ago: what is there when it is first looked at is no change.
    fresh: BTreeSet<FilePath>,
    open: BTreeMap<String, Change>,
    /// What a step of ringfort's explains for now: it should be what a baseline says by the next look at
    /// everything.
    for_now: BTreeMap<FilePath, Change>,
}

impl Watch {
    /// Begins with what was known before; nothing, on a machine that was never looked at.
    pub fn begin(number: u64, entries: Entries, known: BTreeMap<FilePath, Known>) -> Self {
        let fresh = if known.is_empty() { [FilePath::root()].into() } else { BTreeSet::new() };
        let (open, for_now) = (BTreeMap::new(), BTreeMap::new());
        Self { number, entries, known, fresh, open, for_now }
    }

    /// Takes a line of the journal from before.
    pub fn recall(&mut self, told: &Told, is_known: bool) {
        match told {
            Told::Change(change) => {
                // What was compared with its package or its image need not be watched.
                let is_watched = !matches!(change.finding.class, Class::Packaged | Class::Layer);
                if !is_known && is_watched {
                    let is_wrong = !change.is_right && !change.finding.differences.is_empty();
                    let known = Known { state: change.after.clone(), is_wrong };
                    self.known.insert(change.finding.path.clone(), known);
                }
                self.hold(change);
            }
            Told::Settled { change, .. } => drop(self.open.remove(change)),
            _ => {}
        }
    }

    /// Compares with another baseline from here on.
    pub fn rebase(&mut self, number: u64, entries: Entries) {
        let before = std::mem::replace(&mut self.entries, entries);
        self.number = number;
        let is_new = |entry: &Protected| before.find(&entry.path).is_none();
        self.fresh.extend(self.entries.iter().filter(is_new).map(|entry| entry.path));
        let known = std::mem::take(&mut self.known);
        self.known = known.into_iter().filter(|(path, _)| self.governs(path).is_some()).collect();
    }

    /// Everything was looked at: what appears from here on is new. Gives what a step of ringfort's explained
    /// until now and no baseline says: nothing explains it any more.
    pub fn is_whole(&mut self) -> Vec<Change> {
        self.fresh.clear();
        let for_now = std::mem::take(&mut self.for_now);
        let unsaid = for_now.into_iter().filter(|(path, _)| !self.is_said(path));
        let unexplained = unsaid.filter_map(|(path, change)| {
            let (entry, _) = self.governs(&path)?;
            let finding = Finding { severity: entry.severity, ..change.finding };
            Some(Change { finding, why: Why::Unexplained, ..change })
        });
        unexplained.collect()
    }

    /// Whether a path is as the baseline has it: not otherwise than its entry says, or not there without one.
    fn is_said(&self, path: &FilePath) -> bool {
        let known = self.known.get(path);
        match self.governs(path) {
            Some((_, true)) => known.is_none_or(|known| !known.is_wrong),
            Some((_, false)) => known.is_none_or(|known| known.state.is_none()),
            None => true,
        }
    }

    /// Gives what is compared with.
    pub fn entries(&self) -> &Entries {
        &self.entries
    }

    /// Gives the number of the baseline.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Gives what is known.
    pub fn known(&self) -> &BTreeMap<FilePath, Known> {
        &self.known
    }

    /// Gives what is known at a path and below.
    pub fn known_within<'a>(&'a self, path: &'a FilePath) -> impl Iterator<Item = &'a FilePath> {
        let from = self.known.range(path.clone()..).map(|(known, _)| known);
        // Names that only begin so sort among what lies below.
        from.take_while(|it| it.as_bytes().starts_with(path.as_bytes()))
            .filter(|it| it.is_within(path))
    }

    /// Says whether a file is not as the baseline says, and no step of ringfort's explains it for now.
    pub fn is_wrong(&self, path: &FilePath) -> bool {
        let is_wrong = self.known.get(path).is_some_and(|known| known.is_wrong);
        is_wrong && !self.for_now.contains_key(path)
    }

    /// Gives the changes that nothing explains so far.
    pub fn open(&self) -> impl Iterator<Item = &Change> {
        self.open.values()
    }

    /// Gives the entry that a path belongs to: its own, or that of the directory above it whose content is
    /// protected.
    pub fn governs(&self, path: &FilePath) -> Option<(Protected, bool)> {
        if let Some(entry) = self.entries.find(path) {
            return Some((entry, true));
        }
        let mut above = path.parent();
        while let Some(directory) = above {
            if let Some(entry) = self.entries.find(&directory) {
                let holds = matches!(entry.class, Class::Listed | Class::Watched | Class::Swapped);
                return holds.then_some((entry, false));
            }
            above = directory.parent();
        }
        None
    }

    /// Gives the digest that the program of a path should have: of the baseline, else as it was first seen.
    pub fn digest_of_program(&self, exe: &str) -> Option<String> {
        let exe = if exe == BROUGHT.0 { BROUGHT.1 } else { exe };
        let path = exe.parse::<FilePath>().ok()?;
        let expected = self.entries.find(&path).and_then(|entry| entry.expected);
        expected.map(|expected| expected.hash.text()).or_else(|| {
            let known = self.known.get(&path).filter(|known| !known.is_wrong)?;
            known.state.as_ref()?.digest.clone()
        })
    }

    /// Says whether a process runs the program that belongs at its path.
    pub fn is_genuine(&self, process: &Process) -> bool {
        let wanted = self.digest_of_program(&process.exe);
        wanted.is_some() && wanted == process.digest
    }

    /// Makes of a look what it means, and knows it from here on.
    pub fn look(&mut self, path: &FilePath, look: &Look, heard: &Heard, around: &Around) -> Came {
        let Some((entry, is_own)) = self.governs(path) else { return Came::Nothing };
        let unknown =
            |why: &str| Came::Unknown(Unknown { path: path.clone(), why: why.to_owned() });
        let after = match look {
            Look::Unreadable(why) => return unknown(why),
            Look::Unstable => return unknown("it changed each time while it was read"),
            Look::Missing => None,
            Look::There(seen) => {
                if let Content::Unreadable(why) = &seen.content {
                    return unknown(why);
                }
                Some(State::of(seen))
            }
        };
        let is_listed = entry.class != Class::Listed || self.entries.below(path).next().is_some();
        let verdict = match after {
            _ if is_own => judge(&entry, look),
            Some(_) if !is_listed => Verdict::Differs(vec![unlisted()]),
            _ => Verdict::ContentUnstated,
        };
        let after = after.map(|state| grown(&entry, state));
        let before = self.known.get(path).cloned();
        let seen = Seen { entry: &entry, is_own, verdict, before, after };
        self.compare(path, seen, heard, around)
    }

    fn compare(&mut self, path: &FilePath, seen: Seen<'_>, heard: &Heard, around: &Around) -> Came {
        let Seen { entry, is_own, verdict, before, after } = seen;
        let is_fresh = before.is_none() && self.is_fresh(path);
        let known = before.as_ref().and_then(|known| known.state.as_ref());
        let since = if is_fresh { Vec::new() } else { differences(known, after.as_ref()) };
        let (is_wrong, found) = match verdict {
            Verdict::Differs(found) => (true, found),
            Verdict::Unknown(why) => {
                return Came::Unknown(Unknown { path: path.clone(), why });
            }
            Verdict::Same | Verdict::ContentUnstated => (false, since.clone()),
        };
        let is_right = !is_wrong && is_own && entry.expected.is_some();
        let was_told = before.as_ref().is_some_and(|known| known.is_wrong);
        let is_same = since.is_empty() && (was_told || !is_wrong);
        let came_and_went = after.is_none() && before.is_none();
        let was_written = heard.was_written
            && matches!(entry.class, Class::Exact | Class::Listed | Class::Watched);
        self.keep(path, is_own, after.clone(), is_wrong);
        if is_same && !(was_written && !is_fresh && (is_own || came_and_went)) {
            return Came::Nothing;
        }
        let of: Vec<_> = found.iter().map(|each| each.of).collect();
        let changed = Changed {
            path,
            entry,
            of: &of,
            who: &heard.who,
            was_renamed_away: heard.was_renamed_away,
        };
        let why = match why(&changed, around) {
            Why::Unexplained if is_right => Why::Explained(Cause::Baseline { number: self.number }),
            other => other,
        };
        let passes = is_same && came_and_went && matches!(why, Why::Explained(_));
        if passes {
            return Came::Nothing;
        }
        let finding = Finding {
            path: path.clone(),
            class: entry.class,
            severity: severity(entry, &why),
            differences: if is_same { Vec::new() } else { found },
        };
        let before = before.and_then(|known| known.state);
        let (id, who) = (String::new(), heard.who.clone());
        let drift = None;
        Came::Changed(Box::new(Change { id, finding, is_right, before, after, drift, who, why }))
    }

    fn is_fresh(&self, path: &FilePath) -> bool {
        self.fresh.iter().any(|fresh| path.is_within(fresh))
    }

    fn keep(&mut self, path: &FilePath, is_own: bool, state: Option<State>, is_wrong: bool) {
        if state.is_none() && !is_own {
            self.known.remove(path);
        } else if self.known.len() < MOST_KNOWN || self.known.contains_key(path) {
            self.known.insert(path.clone(), Known { state, is_wrong });
        }
    }

    /// Holds a change, with its id: one that nothing explains until something does, and one that a step of
    /// ringfort's explains until everything was looked at.
    pub fn hold(&mut self, change: &Change) {
        self.for_now.remove(&change.finding.path);
        if matches!(change.why, Why::Explained(Cause::Converge { .. })) && !change.is_right {
            self.for_now.insert(change.finding.path.clone(), change.clone());
        }
        if change.why == Why::Unexplained && self.open.len() < MOST_OPEN {
            self.open.insert(change.id.clone(), change.clone());
        }
    }

    /// Explains what was not as its package brought it, and is so by now.
    pub fn settle_packaged(&mut self, is_right: impl Fn(&FilePath) -> bool) -> Vec<Told> {
        let is_over = |change: &&Change| {
            change.finding.class == Class::Packaged && is_right(&change.finding.path)
        };
        let over: Vec<String> =
            self.open.values().filter(is_over).map(|change| change.id.clone()).collect();
        let told = over.into_iter().map(|change| {
            self.open.remove(&change);
            Told::Settled { change, why: Why::Explained(Cause::Package) }
        });
        told.collect()
    }

    /// Explains what a newer baseline explains: what is as it says, and what a ringfort did that it names.
    pub fn settle(&mut self, around: &Around) -> Vec<Told> {
        let explained = |change: &Change| -> Option<Cause> {
            let path = &change.finding.path;
            let (entry, is_own) = self.governs(path)?;
            let known = self.known.get(path)?;
            let is_expected = is_own && entry.expected.is_some() && !known.is_wrong;
            if is_expected && known.state == change.after {
                return Some(Cause::Baseline { number: self.number });
            }
            let Who::Process(process) = &change.who else { return None };
            let genuine = self.is_genuine(process).then(|| process.exe.clone());
            let around =
                Around { steps: around.steps.clone(), genuine: genuine.into_iter().collect() };
            let of: Vec<_> = change.finding.differences.iter().map(|each| each.of).collect();
            let who = &change.who;
            let changed = Changed { path, entry: &entry, of: &of, who, was_renamed_away: false };
            match why(&changed, &around) {
                Why::Explained(cause @ Cause::Converge { .. }) if self.is_said(path) => Some(cause),
                _ => None,
            }
        };
        let found = |change: &Change| Some((change.id.clone(), explained(change)?));
        let settled: Vec<_> = self.open.values().filter_map(found).collect();
        let told = settled.into_iter().map(|(change, cause)| {
            self.open.remove(&change);
            Told::Settled { change, why: Why::Explained(cause) }
        });
        told.collect()
    }
}

struct Seen<'a> {
    entry: &'a Protected,
    is_own: bool,
    verdict: Verdict,
    before: Option<Known>,
    after: Option<State>,
}

/// That something is there of which a list knows nothing.
pub(crate) fn unlisted() -> Difference {
    Difference { of: Aspect::Presence, expected: "missing".to_owned(), found: "there".to_owned() }
}

/// What counts of a state: a log that grows is not another one for it.
fn grown(entry: &Protected, state: State) -> State {
    match entry.class {
        Class::Growing => State { size: 0, digest: None, ..state },
        _ => state,
    }
}

fn severity(entry: &Protected, why: &Why) -> Severity {
    match why {
        Why::Explained(_) => Severity::Low,
        Why::Unexplained => entry.severity,
    }
}

#[cfg(test)]
#[path = "watch/tests.rs"]
mod tests;
