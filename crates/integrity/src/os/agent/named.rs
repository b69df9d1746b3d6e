//! What running components name: protected as soon as a flag or a file that they read names it, and told where no
//! baseline has it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::Agent;
use super::round::Round;
use crate::change::Unknown;
use crate::os::keep::NamedBefore;
use crate::os::named::{Found, Looked, Lookout, Speaker};
use crate::os::packages::is_compared;
use crate::os::repair::hold_off;
use crate::packages::{is_generated, is_swept};
use crate::path::FilePath;
use crate::protected::live::{MOST_PATHS, is_usual_data};
use crate::protected::{Class, Protected};
use crate::watch::{MOST_NAMED, MOST_OPEN_NAMED, Sighting, strictness};

/// So long is waited for what is named when an agent begins.
pub(super) const FIRST: Duration = Duration::from_secs(5);
/// So long is waited for an operator who acts: the baseline that says what he changed comes last.
const LONGEST: Duration = Duration::from_secs(3600);
/// So many paths are told in an hour that something began to name; further ones wait.
const MOST_TOLD: usize = 100;
/// So many paths are remembered of one component; of more, those that it names now.
const MOST_REMEMBERED: usize = 1_000;

/// What is named, and what of that was told.
#[derive(Debug)]
pub(super) struct Naming {
    lookout: Lookout,
    before: NamedBefore,
    /// Components that an earlier agent saw first, and did not tell all of, until they are seen by this one.
    again: BTreeSet<String>,
    /// What no baseline has and is still to be told.
    waits: BTreeMap<FilePath, Waiting>,
    /// What is named now.
    now: BTreeSet<FilePath>,
    /// How many were told, since when.
    told: (Instant, usize),
    gaps: BTreeSet<String>,
    /// What could not be told or held, for as long as the agent runs: nobody can say any more what it was.
    lasting: BTreeSet<String>,
}

/// A path that is still to be told.
#[derive(Clone, Debug)]
struct Waiting {
    since: Instant,
    /// Whether one of them began to name it since it was seen first.
    sighting: Sighting,
    /// The components, each with by what it names the path, as the strictest that it is named as.
    by: BTreeMap<&'static str, Found>,
}

/// Whether files of packages are compared with anything here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Packaged {
    /// There is a database that is read.
    Compared,
    /// There is none.
    Unknown,
}

impl Packaged {
    /// Says whether whatever lies there is compared.
    fn has(self, path: &FilePath) -> bool {
        self == Self::Compared && is_of_packages(path)
    }
}

/// Whether only packages put something there that has a digest: of what they make themselves nobody has one.
fn is_of_packages(path: &FilePath) -> bool {
    is_swept(path) && !is_generated(path)
}

/// Whether more is remembered than was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Remembers {
    More,
    AsBefore,
}

impl Naming {
    pub(super) fn new(lookout: Lookout, before: NamedBefore) -> Self {
        let (waits, now, gaps, lasting) = Default::default();
        let (again, told) = (before.first.clone(), (Instant::now(), 0));
        Self { lookout, before, again, waits, now, told, gaps, lasting }
    }

    /// What could not be said of what is named.
    pub(super) fn unknown(&self) -> Vec<Unknown> {
        let mut all: Vec<String> = self.gaps.union(&self.lasting).cloned().collect();
        if self.lookout.is_silent() {
            all.push("what runs here is not seen: /proc does not answer".to_owned());
        }
        if self.told.1 >= MOST_TOLD && !self.waits.is_empty() {
            let count = self.waits.len();
            all.push(format!(
                "{count} further paths that components began to name are not told yet"
            ));
        }
        all.into_iter().map(|why| Unknown { path: FilePath::root(), why }).collect()
    }

    /// Takes what was seen, and gives those who are believed: in static pods, and on the machine those whose program
    /// nobody changes unseen; where nothing is compared with packages, that they run it is told.
    fn believe(
        &mut self,
        looked: Looked,
        is_protected: impl Fn(&FilePath) -> bool,
    ) -> Vec<Speaker> {
        let is_believed = |it: &Speaker| {
            it.exe.as_ref().is_none_or(|exe| is_protected(exe) || is_of_packages(exe))
        };
        let mut speakers: Vec<Speaker> = looked.speakers.into_iter().filter(is_believed).collect();
        self.gaps = looked.blind.into_iter().collect();
        let mut paths: BTreeMap<&str, BTreeSet<FilePath>> = BTreeMap::new();
        for Speaker { program, found, gaps, .. } in &mut speakers {
            self.gaps.extend(std::mem::take(gaps));
            let known = paths.entry(*program).or_default();
            let before = found.len();
            found.retain(|it| {
                let path = &it.entry.path;
                let has_room = known.len() < MOST_PATHS || known.contains(path);
                if has_room {
                    known.insert(path.clone());
                }
                has_room
            });
            if found.len() < before {
                self.gaps.insert(format!("{program} names more than {MOST_PATHS} paths"));
            }
        }
        // What such a one names when it can be seen it need not have begun to.
        speakers.retain(|it| !it.is_unseen);
        speakers
    }

    /// Takes what is named now. What a component names that was never seen before is taken as it is where something
    /// explains it. What else it names, and what a component began to name that no baseline has, waits to be told, also
    /// when it ends to name it; so does what it began to name as something stricter, of which not all was looked at before.
    fn take(
        &mut self,
        speakers: &[Speaker],
        (has, packaged): (impl Fn(&FilePath, Sighting) -> bool, Packaged),
        now: Instant,
    ) -> Remembers {
        let (firsts, mut remembers) = self.see(speakers);
        let all =
            || speakers.iter().flat_map(|it| it.found.iter().map(move |found| (it.program, found)));
        self.now = all().map(|(_, found)| found.entry.path.clone()).collect();
        for (program, found) in all() {
            let path = &found.entry.path;
            let known = self.before.paths.get(program).and_then(|known| known.get(path));
            if known.is_some_and(|known| strictness(*known) >= strictness(found.entry.class)) {
                continue;
            }
            let seen = if firsts.contains(program) { Sighting::First } else { Sighting::Later };
            // What waits already was seen before, and is no other for that.
            let waits = self.waits.get(path).filter(|it| it.by.contains_key(program));
            let sighting = waits.map_or(seen, |it| it.sighting);
            let is_first = sighting == Sighting::First;
            if has(path, sighting) || (is_first && is_explained(program, &found.entry, packaged)) {
                self.remember(program, &found.entry);
                remembers = Remembers::More;
            } else {
                self.wait(program, found, (sighting, now));
            }
        }
        if self.forget_firsts() {
            remembers = Remembers::More;
        }
        remembers
    }

    /// Takes note of who was seen, and gives whom of them nobody saw before, or an agent that told not all of it. Where what
    /// was named before is lost, nobody says who that is.
    fn see(&mut self, speakers: &[Speaker]) -> (BTreeSet<&'static str>, Remembers) {
        let (mut firsts, mut remembers) = (BTreeSet::new(), Remembers::AsBefore);
        for speaker in speakers {
            let program = speaker.program;
            let is_new = !self.before.paths.contains_key(program);
            if is_new {
                // Also one that names nothing yet: what it names later it began to name.
                self.before.paths.insert(program.to_owned(), BTreeMap::new());
                remembers = Remembers::More;
            }
            if (is_new || self.again.remove(program)) && !self.before.is_lost {
                self.before.first.insert(program.to_owned());
                firsts.insert(program);
            }
        }
        (firsts, remembers)
    }

    /// Forgets who was seen first, as soon as all is told of it. Says whether there was anybody.
    fn forget_firsts(&mut self) -> bool {
        let Self { before, again, waits, .. } = self;
        let count = before.first.len();
        let is_waiting = |program: &str| {
            let firsts = waits.values().filter(|it| it.sighting == Sighting::First);
            firsts.flat_map(|it| it.by.keys()).any(|by| *by == program)
        };
        before.first.retain(|program| again.contains(program) || is_waiting(program));
        before.first.len() < count
    }

    /// Takes what is to be told, if there is room for it.
    fn wait(&mut self, program: &'static str, found: &Found, (sighting, now): (Sighting, Instant)) {
        let path = &found.entry.path;
        if self.waits.len() >= MOST_NAMED && !self.waits.contains_key(path) {
            let why = format!("components began to name more than {MOST_NAMED} paths at once");
            self.lasting.insert(format!("{why}: not all of them may be told"));
            return;
        }
        let waiting = Waiting { since: now, sighting, by: BTreeMap::new() };
        let waiting = self.waits.entry(path.clone()).or_insert(waiting);
        // One that waits already was seen before by now, and began to name nothing.
        if !waiting.by.contains_key(program) {
            waiting.sighting = waiting.sighting.max(sighting);
        }
        let by = waiting.by.entry(program).or_insert_with(|| found.clone());
        if strictness(by.entry.class) < strictness(found.entry.class) {
            *by = found.clone();
        }
    }

    fn remember(&mut self, program: &str, entry: &Protected) {
        let now = &self.now;
        let known = self.before.paths.entry(program.to_owned()).or_default();
        if known.len() >= MOST_REMEMBERED {
            known.retain(|path, _| now.contains(path));
        }
        let class = known.entry(entry.path.clone()).or_insert(entry.class);
        if strictness(*class) < strictness(entry.class) {
            *class = entry.class;
        }
    }

    /// Gives what is to be told of what waits for so long and was looked at: what waits longest first, so that whoever
    /// makes many be named puts off no other.
    fn due(
        &mut self,
        least: Duration,
        now: Instant,
        is_seen: impl Fn(&FilePath) -> bool,
    ) -> Vec<(FilePath, Waiting)> {
        if now.saturating_duration_since(self.told.0) >= LONGEST {
            self.told = (now, 0);
        }
        let is_due = |it: &Waiting| now.saturating_duration_since(it.since) >= least;
        let due = self.waits.iter().filter(|(path, it)| is_due(it) && is_seen(path));
        let mut due: Vec<(Instant, FilePath)> =
            due.map(|(path, it)| (it.since, path.clone())).collect();
        due.sort();
        due.truncate(MOST_TOLD.saturating_sub(self.told.1));
        self.told.1 += due.len();
        due.into_iter().filter_map(|(_, path)| self.waits.remove_entry(&path)).collect()
    }

    /// Says by what a path is named.
    fn text(&self, path: &FilePath, waiting: &Waiting) -> String {
        let by = waiting.by.values().map(|found| found.by.clone()).collect::<Vec<_>>().join("; ");
        if self.now.contains(path) { by } else { format!("{by}; not any more") }
    }
}

/// Whether something explains that a component names a path when it is seen first, beside a baseline that has it: it lies
/// where all is compared with packages, holds the component's data where everybody has them, or is a log, by which nobody
/// goes.
fn is_explained(program: &str, entry: &Protected, packaged: Packaged) -> bool {
    let Protected { path, class, .. } = entry;
    let is_usual = || *class == Class::Kept && is_usual_data(program, path);
    *class == Class::Growing || packaged.has(path) || is_usual()
}

impl Agent<'_> {
    /// Sees whether something else is named than was, and waits for that no longer than so. Says whether anything was
    /// told.
    pub(super) fn see_named(&mut self, longest: Duration) -> bool {
        // Where no more can be held, it waits to be told.
        if !self.keep.has_room() {
            return false;
        }
        if let Some(looked) = self.naming.lookout.answer(longest) {
            self.take_named(looked);
        }
        let told = self.tell_named();
        if self.watch.has_dropped_naming() {
            let most = MOST_OPEN_NAMED;
            let why = format!("no more than {most} paths that components began to name are held");
            self.naming.lasting.insert(format!("{why} as unexplained: the journal has all"));
        }
        told
    }

    fn take_named(&mut self, looked: Looked) {
        let watch = &self.watch;
        let packaged = match is_compared(&self.settings.root) {
            true => Packaged::Compared,
            false => Packaged::Unknown,
        };
        let speakers = self.naming.believe(looked, |exe| watch.is_baselined(exe));
        let has = |path: &FilePath, sighting: Sighting| watch.explains(path, sighting);
        let remembers = self.naming.take(&speakers, (has, packaged), Instant::now());
        let all = speakers.into_iter().flat_map(|it| it.found);
        let all = all.filter(|found| found.unprotected.is_none()).map(|found| found.entry);
        let added = self.watch.name(all, &self.naming.before.listed);
        if self.watch.named().count() >= MOST_NAMED {
            let why = format!("no more than {MOST_NAMED} paths are protected since they are named");
            self.naming.gaps.insert(why);
        }
        // What lies in a directory is looked at as well, and what leads to it is heard of.
        let is_under_way = self.round.as_mut().is_some_and(|round| round.takes(&added));
        match is_under_way {
            _ if added.is_empty() => {}
            true => self.listen_above(),
            false => self.begin_round(Round::at_once()),
        }
        if remembers == Remembers::More {
            self.remember_named();
        }
    }

    /// Writes down what was named. That is not told again, so the journal has to have what was told by then; until it
    /// has, this is tried again.
    pub(super) fn remember_named(&mut self) {
        self.unwritten.after_journal("named", || self.keep.named(&self.naming.before));
    }

    /// Everything was looked at: what comes to a named directory from here on is new, also to an agent that begins anew,
    /// if that knows what was there.
    pub(super) fn note_listed(&mut self) {
        if self.unwritten.is("known") {
            return;
        }
        let before = &self.naming.before;
        let is_known =
            |path: &&FilePath| before.paths.values().any(|paths| paths.contains_key(*path));
        let listed = self.watch.named_directories().chain(before.listed.iter().filter(is_known));
        let listed: BTreeSet<FilePath> = listed.cloned().collect();
        if listed != before.listed {
            self.naming.before.listed = listed;
            self.remember_named();
        }
    }

    /// Says whether the look at everything that takes a path in was there. What it does not come to is not waited for.
    fn is_seen(&self, path: &FilePath) -> bool {
        let is_awaited = self.watch.is_named(path) || self.watch.is_baselined(path);
        let is_looked_at =
            || self.watch.known().contains_key(path) || self.unknown.contains_key(path);
        self.round.is_none() || !is_awaited || is_looked_at()
    }

    /// Tells what something began to name and no baseline has. Not while an operator acts: the baseline that has it
    /// comes last. A change has how it is, so what is named is looked at first, a little at a time as everything is: no
    /// operator is held off for that.
    fn tell_named(&mut self) -> bool {
        let waits = self.naming.waits.keys();
        let seen: BTreeSet<FilePath> = waits.filter(|path| self.is_seen(path)).cloned().collect();
        if seen.is_empty() {
            return false;
        }
        // From here on no operator begins. Where nobody can say whether one acts, nothing is put off.
        let held = hold_off(&self.settings.lock);
        let least = if matches!(held, Ok(None)) { LONGEST } else { Duration::ZERO };
        let due = self.naming.due(least, Instant::now(), |path| seen.contains(path));
        if due.is_empty() {
            return false;
        }
        self.read_baseline();
        let mut any = false;
        for (path, waiting) in due {
            let by = self.naming.text(&path, &waiting);
            let entries = waiting.by.values().map(|found| &found.entry);
            let strictest = entries.max_by_key(|entry| strictness(entry.class));
            if let Some(change) =
                strictest.and_then(|it| self.watch.naming(it, &by, waiting.sighting))
            {
                self.tell_change(Box::new(change));
                any = true;
            }
            for (program, found) in &waiting.by {
                self.naming.remember(program, &found.entry);
            }
        }
        self.naming.forget_firsts();
        self.sync();
        self.remember_named();
        drop(held);
        any
    }
}

#[cfg(test)]
mod tests;
