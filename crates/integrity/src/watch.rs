//! What an agent knows of a machine, and what it makes of each look: a change, or none. Pure.
//!
//! What is known is what was seen last. A change is told once: against the baseline where that says how
//! something should be, else against how it was.

mod named;

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::severity::Severity;
use serde::{Deserialize, Serialize};

use crate::baseline::Entries;
use crate::change::{Change, Finding, Unknown};
use crate::journal::Told;
use crate::judge::{self, Aspect, Content, Difference, Kind, Look, Verdict, differs, judge};
use crate::path::FilePath;
use crate::process::{Process, Who};
use crate::protected::{Class, Protected};
use crate::state::{State, differences, differences_of_log};
use crate::why::{Around, Cause, Changed, Why, is_its_server, why};
pub(crate) use named::{MOST_NAMED, Sighting, strictness};
use named::{is_naming, is_of_names};

/// Where a machine keeps the binary that the operator brings, and the file whose content it has.
const BROUGHT: (&str, &str) = ("/var/lib/ringfort/bin/ringfort", "/usr/local/bin/ringfort");
/// How many unexplained changes are held to be explained later. The journal has all.
const MOST_OPEN: usize = 10_000;
/// How many of them may be of what something began to name: others are no fewer for it.
pub(crate) const MOST_OPEN_NAMED: usize = 1_000;
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
    /// Whether it was told that it could not be read. What is known of its content is from before that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_unseen: bool,
}

/// A change that nothing explains so far, and when it was told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Open {
    /// When, in seconds since 1970.
    pub at: u64,
    /// The change.
    pub change: Change,
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
    /// What is protected beside that, since something that runs names it.
    named: BTreeMap<FilePath, Protected>,
    known: BTreeMap<FilePath, Known>,
    /// Whether it is known what is named: until then what is known may be of that.
    has_names: bool,
    /// What is protected since a moment ago: what is there when it is first looked at is no change. The root stands for
    /// everything.
    fresh: BTreeSet<FilePath>,
    open: BTreeMap<String, Open>,
    /// What a step of ringfort's explains for now: it should be what a baseline says by the next look at
    /// everything.
    for_now: BTreeMap<FilePath, Change>,
    /// What was last looked at by an agent that did not look at capabilities.
    unlearned: BTreeSet<FilePath>,
    /// Whether there was no room for another path.
    is_full: bool,
    /// Whether there was no room to hold that something began to name a path.
    has_dropped_naming: bool,
}

/// How the content of something should be that cannot be read.
const READABLE: &str = "can be read";

impl Watch {
    /// Begins with what was known before; nothing, on a machine that was never looked at.
    pub fn begin(number: u64, entries: Entries, known: BTreeMap<FilePath, Known>) -> Self {
        let fresh = if known.is_empty() { [FilePath::root()].into() } else { BTreeSet::new() };
        let (named, open, for_now, unlearned) = Default::default();
        let (is_full, has_names, has_dropped_naming) = (false, false, false);
        Self {
            number,
            entries,
            named,
            known,
            has_names,
            fresh,
            open,
            for_now,
            unlearned,
            is_full,
            has_dropped_naming,
        }
    }

    /// Takes what was open before, and is no more in the journal perhaps.
    pub fn reopen(&mut self, open: Vec<Open>) {
        self.open.extend(open.into_iter().map(|it| (it.change.id.clone(), it)));
    }

    /// What is known so far is of an agent that did not look at capabilities: they are taken as they are.
    pub fn learn_capabilities(&mut self) {
        self.unlearned = self.known.keys().cloned().collect();
    }

    /// Takes a line of the journal from before.
    pub fn recall(&mut self, at: u64, told: &Told, is_known: bool) {
        match told {
            Told::Change(change) => {
                // What was compared with its package or its image need not be watched.
                let is_watched = !matches!(change.finding.class, Class::Packaged | Class::Layer);
                if !is_known && is_watched {
                    let found = &change.finding.differences;
                    let is_wrong = !change.is_right && found.iter().any(|it| !is_naming(it));
                    let path = &change.finding.path;
                    let is_unseen = change.finding.differences.iter().any(is_unreadable);
                    let before = self.known.get(path).and_then(|known| known.state.as_ref());
                    let state = change.after.clone().map(|after| carried(after, before));
                    self.known.insert(path.clone(), Known { state, is_wrong, is_unseen });
                }
                self.hold(at, change);
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
        let named = std::mem::take(&mut self.named);
        self.named = named.into_iter().filter(|(path, _)| !self.is_baselined(path)).collect();
        if self.has_names {
            let known = std::mem::take(&mut self.known);
            let known = known.into_iter().filter(|(path, _)| self.governs(path).is_some());
            self.known = known.collect();
        }
    }

    /// Everything was looked at: what appears from here on is new.
    pub fn was_looked_at(&mut self) {
        self.fresh.clear();
    }

    /// Everything was looked at, and no step is under way. Gives what a step of ringfort's explained until now and no
    /// baseline says: nothing explains it any more. What appears is not new by that: see [`Watch::was_looked_at`].
    pub fn is_whole(&mut self) -> Vec<Change> {
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

    /// Says whether it is known if a path is as it should be. Of what could not be read nobody knows, unless what was
    /// seen of it is wrong already.
    pub fn is_judged(&self, path: &FilePath) -> bool {
        self.is_wrong(path) || !self.known.get(path).is_some_and(|known| known.is_unseen)
    }

    /// Gives the changes that nothing explains so far.
    pub fn open(&self) -> impl Iterator<Item = &Change> {
        self.open.values().map(|open| &open.change)
    }

    /// Gives the same, each with when it was told.
    pub fn open_since(&self) -> impl Iterator<Item = &Open> {
        self.open.values()
    }

    /// Says whether there was no room for another path: it is not known how that was.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Gives the entry that a path belongs to: its own, or that of the directory above it whose content is
    /// protected.
    pub fn governs(&self, path: &FilePath) -> Option<(Protected, bool)> {
        governing(path, |at| self.entries.find(at).or_else(|| self.named.get(at).cloned()))
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
        let before = self.known.get(path).cloned();
        let (after, unseen) = match look {
            Look::Missing => (None, None),
            Look::Astray(why) => (None, Some(why.clone())),
            // Nothing shows that it is another than it was.
            Look::Unreadable(why) => {
                (before.as_ref().and_then(|known| known.state.clone()), Some(why.clone()))
            }
            Look::There(seen) => (Some(state(&entry, seen)), unread(seen)),
        };
        let is_listed = entry.class != Class::Listed || self.entries.below(path).next().is_some();
        // Of what is only named nobody says what it should be.
        let is_stated = is_own && !self.is_named(path);
        let verdict = match (look, &unseen) {
            _ if is_stated => judge(&entry, look),
            (Look::There(_), _) if !is_listed => Verdict::Differs(vec![unlisted()]),
            (_, Some(why)) => Verdict::Unknown(why.clone()),
            _ => Verdict::ContentUnstated,
        };
        let seen = Seen { entry: &entry, is_own, verdict, before, after, unseen };
        self.compare(path, seen, heard, around)
    }

    fn compare(&mut self, path: &FilePath, seen: Seen<'_>, heard: &Heard, around: &Around) -> Came {
        let Seen { entry, is_own, verdict, before, after, unseen } = seen;
        let is_fresh = before.is_none() && self.is_fresh(entry, heard);
        let known = before.as_ref().and_then(|known| known.state.as_ref());
        let since = match is_fresh {
            true => Vec::new(),
            false => self.since(path, entry, known, after.as_ref()),
        };
        let was = |is_it: fn(&Known) -> bool| before.as_ref().is_some_and(is_it);
        let (was_wrong, was_unseen) = (was(|it| it.is_wrong), was(|it| it.is_unseen));
        let (is_wrong, found, unseen) = match verdict {
            Verdict::Differs(found) => (true, found, unseen),
            Verdict::Unknown(why) => (was_wrong, since.clone(), Some(why)),
            Verdict::Same | Verdict::ContentUnstated => (false, since.clone(), unseen),
        };
        let is_same = since.is_empty() && (was_wrong || !is_wrong);
        let was_written = heard.was_written && !is_fresh && concerns(entry, &heard.who);
        let is_told = match &unseen {
            _ if !is_same => true,
            Some(_) => was_written && !was_unseen,
            None => was_written || (was_unseen && after.is_some()),
        };
        let begins = known.is_none() && after.is_some();
        let came_and_went = after.is_none() && before.is_none();
        if is_told || unseen.is_none() || is_fresh {
            let state = after.clone().map(|after| match &unseen {
                Some(_) => carried(after, known),
                None => after,
            });
            let is_unseen = unseen.is_some() && (is_told || was_unseen);
            self.keep(path, is_own, Known { state, is_wrong, is_unseen });
        }
        if !is_told {
            let path = path.clone();
            return unseen.map_or(Came::Nothing, |why| Came::Unknown(Unknown { path, why }));
        }
        let is_right = !is_wrong && unseen.is_none() && is_own && entry.expected.is_some();
        let mut found = if is_same { Vec::new() } else { found };
        found.extend(unsaid(entry, unseen.as_deref(), is_same && was_written, &found));
        let of: Vec<_> = found.iter().map(|each| each.of).collect();
        let was_begun_anew = heard.was_renamed_away || begins;
        let changed = Changed { path, entry, of: &of, who: &heard.who, was_begun_anew };
        let why = match why(&changed, around) {
            Why::Unexplained if is_right => Why::Explained(Cause::Baseline { number: self.number }),
            other => other,
        };
        let is_quiet = came_and_went || !is_own;
        if is_same && is_quiet && matches!(why, Why::Explained(_)) {
            return Came::Nothing;
        }
        let finding = Finding {
            path: path.clone(),
            class: entry.class,
            severity: severity(entry, &why),
            differences: found,
        };
        let before = before.and_then(|known| known.state);
        let (id, who) = (String::new(), heard.who.clone());
        let drift = None;
        Came::Changed(Box::new(Change { id, finding, is_right, before, after, drift, who, why }))
    }

    /// In what something differs from how it was known.
    fn since(
        &self,
        path: &FilePath,
        entry: &Protected,
        known: Option<&State>,
        after: Option<&State>,
    ) -> Vec<Difference> {
        if entry.class == Class::Growing {
            return differences_of_log(known, after);
        }
        let learned = known.filter(|_| self.unlearned.contains(path)).zip(after);
        let learned = learned.map(|(known, after)| State {
            capabilities: after.capabilities.clone(),
            ..known.clone()
        });
        differences(learned.as_ref().or(known), after)
    }

    /// Whether what is there is taken as it is, where nothing is known of it. What was heard to come below something
    /// that is only named was not there before.
    fn is_fresh(&self, entry: &Protected, heard: &Heard) -> bool {
        let is_heard = heard.was_written || heard.came_whole;
        let is_fresh = |path: &FilePath| self.fresh.contains(path);
        (is_fresh(&FilePath::root()) || is_fresh(&entry.path))
            && !(is_heard && self.is_named(&entry.path))
    }

    fn keep(&mut self, path: &FilePath, is_own: bool, known: Known) {
        self.unlearned.remove(path);
        if known.state.is_none() && !is_own && !known.is_unseen {
            self.known.remove(path);
        } else if self.known.len() < MOST_KNOWN || self.known.contains_key(path) {
            self.known.insert(path.clone(), known);
        } else {
            self.is_full = true;
        }
    }

    /// Holds a change, with its id and when it was told: one that nothing explains until something does, and one that
    /// a step of ringfort's explains until everything was looked at.
    pub fn hold(&mut self, at: u64, change: &Change) {
        self.for_now.remove(&change.finding.path);
        if matches!(change.why, Why::Explained(Cause::Converge { .. })) && !change.is_right {
            self.for_now.insert(change.finding.path.clone(), change.clone());
        }
        if change.why == Why::Unexplained && self.has_room_for(change) {
            self.open.insert(change.id.clone(), Open { at, change: change.clone() });
        } else if change.why == Why::Unexplained {
            self.has_dropped_naming |= is_of_names(change);
        }
    }

    /// Says whether a further change that nothing explains is held to be explained later.
    pub fn has_open_room(&self) -> bool {
        self.open.len() < MOST_OPEN
    }

    /// Explains what was not as its package brought it, and is so by now.
    pub fn settle_packaged(&mut self, is_right: impl Fn(&FilePath) -> bool) -> Vec<Told> {
        let is_over = |change: &&Change| {
            change.finding.class == Class::Packaged && is_right(&change.finding.path)
        };
        let over: Vec<String> =
            self.open().filter(is_over).map(|change| change.id.clone()).collect();
        let told = over.into_iter().map(|change| {
            self.open.remove(&change);
            Told::Settled { change, why: Why::Explained(Cause::Package) }
        });
        told.collect()
    }

    /// Explains what a newer baseline explains: what is as it says, and what a ringfort did that it names.
    pub fn settle(&mut self, around: &Around) -> Vec<Told> {
        let explained = |change: &Change| -> Option<Cause> {
            if let Some(cause) = self.explains_naming(change) {
                return Some(cause);
            }
            let path = &change.finding.path;
            let (entry, is_own) = self.governs(path)?;
            let known = self.known.get(path)?;
            let is_expected = is_own && entry.expected.is_some() && !known.is_wrong;
            if is_expected && known.state == change.after {
                return Some(Cause::Baseline { number: self.number });
            }
            let Who::Process(process) = &change.who else { return None };
            let genuine = self.is_genuine(process).then(|| process.exe.clone());
            let around = Around { genuine: genuine.into_iter().collect(), ..around.clone() };
            let of: Vec<_> = change.finding.differences.iter().map(|each| each.of).collect();
            let who = &change.who;
            let changed = Changed { path, entry: &entry, of: &of, who, was_begun_anew: false };
            match why(&changed, &around) {
                Why::Explained(cause @ Cause::Converge { .. }) if self.is_said(path) => Some(cause),
                _ => None,
            }
        };
        let found = |change: &Change| Some((change.id.clone(), explained(change)?));
        let settled: Vec<_> = self.open().filter_map(found).collect();
        let told = settled.into_iter().map(|(change, cause)| {
            self.open.remove(&change);
            Told::Settled { change, why: Why::Explained(cause) }
        });
        told.collect()
    }
}

/// Finds the entry that a path belongs to: its own, or that of the directory above it whose content is protected.
fn governing(
    path: &FilePath,
    find: impl Fn(&FilePath) -> Option<Protected>,
) -> Option<(Protected, bool)> {
    if let Some(entry) = find(path) {
        return Some((entry, true));
    }
    let mut above = path.parent();
    while let Some(directory) = above {
        if let Some(entry) = find(&directory) {
            let holds = matches!(entry.class, Class::Listed | Class::Watched | Class::Swapped);
            return holds.then_some((entry, false));
        }
        above = directory.parent();
    }
    None
}

struct Seen<'a> {
    entry: &'a Protected,
    is_own: bool,
    verdict: Verdict,
    before: Option<Known>,
    after: Option<State>,
    /// Why it could not be seen whole.
    unseen: Option<String>,
}

/// That something is there of which a list knows nothing.
pub(crate) fn unlisted() -> Difference {
    Difference { of: Aspect::Presence, expected: "missing".to_owned(), found: "there".to_owned() }
}

/// What counts of what was seen.
fn state(entry: &Protected, seen: &judge::Seen) -> State {
    match entry.class {
        Class::Growing => State::of_log(seen),
        _ => State::of(seen),
    }
}

/// Why what something holds was not seen, if it was not.
fn unread(seen: &judge::Seen) -> Option<String> {
    match &seen.content {
        Content::Unreadable(why) => Some(why.clone()),
        Content::Digest(_) | Content::Unread => None,
    }
}

/// What stays known of something whose content cannot be read: what it held when it could.
fn carried(after: State, before: Option<&State>) -> State {
    let is_file = after.kind == Kind::File && after.digest.is_none();
    let before = before.filter(|before| is_file && before.kind == after.kind);
    let digest = before.and_then(|before| before.digest.clone()).or(after.digest);
    State { digest, ..after }
}

/// Whether it concerns anybody that somebody wrote to something that is as it was. A log is written by its own
/// server, and by nobody else.
fn concerns(entry: &Protected, who: &Who) -> bool {
    match entry.class {
        Class::Exact | Class::Listed | Class::Watched => true,
        Class::Growing => !is_its_server(who),
        _ => false,
    }
}

/// What is told of something besides in what it differs.
fn unsaid(
    entry: &Protected,
    unseen: Option<&str>,
    was_written: bool,
    found: &[Difference],
) -> Option<Difference> {
    if found.iter().any(|it| it.of == Aspect::Content) {
        return None;
    }
    match unseen {
        Some(why) => Some(differs(Aspect::Content, READABLE, why)),
        None if entry.class == Class::Growing && was_written => {
            Some(differs(Aspect::Content, "written by its own server", "written by another"))
        }
        None => None,
    }
}

/// Whether a difference says that something could not be read.
fn is_unreadable(difference: &Difference) -> bool {
    difference.of == Aspect::Content && difference.expected == READABLE
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
