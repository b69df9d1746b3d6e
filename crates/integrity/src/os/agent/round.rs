//! A look at everything, a little at a time, so that what happens meanwhile is heard.

use std::collections::{BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::heard::Dirty;
use super::{Agent, NAMED, WatchFault, now};
use crate::change::{Blind, Unknown};
use crate::journal::Told;
use crate::judge::{Kind, Look, Seen};
use crate::os::repair::hold_off;
use crate::path::FilePath;
use crate::process::Who;
use crate::protected::Class;
use crate::watch::Heard;

/// How long is looked before it is heard again.
const SLICE: Duration = Duration::from_millis(20);
/// So many levels of a protected directory are gone into.
const DEEPEST: usize = 16;
/// So many of one that is only named, and so many paths below it.
const DEEPEST_NAMED: usize = 4;
const MOST_NAMED_PATHS: usize = 10_000;
/// So many paths are looked at in a round.
const MOST_PATHS: usize = 1_000_000;
/// Why something may have been missed.
const STORM: &str = "more happened than could be heard";
/// So long is waited for an operator who acts.
const LONGEST: Duration = Duration::from_secs(3600);

/// A look at everything.
#[derive(Debug, Default)]
pub(super) struct Round {
    is_paced: bool,
    began: Option<Instant>,
    bytes_before: u64,
    queue: VecDeque<FilePath>,
    seen: BTreeSet<FilePath>,
    /// Since when something may have been missed that was looked at before: it is looked once more.
    again: Option<u64>,
}

impl Round {
    /// As fast as it goes: something may have been missed.
    pub(super) fn at_once() -> Self {
        Self::default()
    }

    /// No faster than the settings say.
    pub(super) fn slowly() -> Self {
        Self { is_paced: true, ..Self::default() }
    }

    /// Takes a further path.
    pub(super) fn push(&mut self, path: FilePath) {
        self.queue.push_back(path);
    }

    /// Takes further paths, if it goes on as fast as it can: else they would wait for long. What was looked at before
    /// was not protected then as it is now.
    pub(super) fn takes(&mut self, paths: &[FilePath]) -> bool {
        if self.is_paced {
            return false;
        }
        for path in paths {
            self.seen.remove(path);
            self.queue.push_back(path.clone());
        }
        true
    }
}

impl Agent<'_> {
    /// Begins to look at everything, anew if that was under way.
    pub(super) fn begin_round(&mut self, mut round: Round) {
        round.began = Some(Instant::now());
        round.bytes_before = self.root.bytes();
        let entries = self.watch.entries().iter().map(|entry| entry.path);
        let named = self.watch.named().cloned();
        let known = self.watch.known().keys().cloned();
        let roots = self.layers.all().cloned();
        round.queue = entries.chain(named).chain(known).chain(roots).collect();
        self.unknown.clear();
        self.round = Some(round);
        self.listen_above();
    }

    /// Looks at everything since something may have been missed. A look that is under way is brought to its end first,
    /// however often that happens: else a storm would keep everything from being looked at for as long as it lasts.
    pub(super) fn look_after_a_storm(&mut self) {
        // All that was there before was heard; in whole seconds, it may have been one earlier.
        let from = now().saturating_sub(self.listener.since().elapsed().as_secs() + 1);
        self.blind.get_or_insert((from, STORM.to_owned()));
        match &mut self.round {
            Some(round) if !round.is_paced => {
                round.again.get_or_insert(from);
            }
            _ => self.begin_round(Round::at_once()),
        }
    }

    /// Hears of the directories that lead to what is protected: one of them may be replaced.
    pub(super) fn listen_above(&mut self) {
        let mut above = BTreeSet::new();
        let entries = self.watch.entries().iter().map(|entry| entry.path);
        for path in entries.chain(self.watch.named().cloned()) {
            let mut at = path.parent();
            while let Some(path) = at {
                at = path.parent();
                if !above.insert(path) {
                    break;
                }
            }
        }
        above.iter().for_each(|path| self.listen_to(path, Kind::Directory));
    }

    /// Hears of a path from here on; that it cannot is a limit.
    pub(super) fn listen_to(&mut self, path: &FilePath, kind: Kind) {
        let place = match self.root.place(path) {
            Ok(place) => place,
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => {
                let why = format!("what happens there is not heard of: {error}");
                self.unknown.insert(path.clone(), why);
                return;
            }
        };
        let done = match kind {
            Kind::Directory => self.listener.add_directory(path, &place),
            Kind::File => self.listener.add_file(path, &place),
            _ => return,
        };
        if let Err(error) = done {
            // One line of each reason: a file system that is mute is so everywhere.
            let why = error.to_string();
            if self.mute.len() < NAMED && self.mute.insert(why.clone()) {
                self.status.limits.push(why);
            }
        }
    }

    /// Looks soon at all that is protected at a path or below.
    pub(super) fn look_below(&mut self, path: &FilePath, heard: &Heard) {
        let entries = self.watch.entries().below(path).map(|entry| entry.path);
        let named = self.watch.named().filter(|it| it.is_within(path)).cloned();
        let known = self.watch.known_within(path).cloned();
        let below: Vec<_> = entries.chain(named).chain(known).collect();
        for each in below {
            self.dirty.entry(each).or_insert_with(|| Dirty::of(heard.clone()));
        }
    }

    /// Looks at a path, hears of it from here on, and goes into it where that is protected too.
    pub(super) fn visit(&mut self, path: &FilePath, heard: &Heard) -> bool {
        if self.layers.own(path).is_some() {
            return self.visit_layer(path, heard);
        }
        let kind_at = |look: &Look| match look {
            Look::There(Seen { kind, .. }) => Some(*kind),
            _ => None,
        };
        // What is heard of first can be looked at without missing what comes between.
        if let Some(kind) = self.root.kind(path) {
            self.listen_to(path, kind);
        }
        let (told, look) = self.look(path, heard);
        if kind_at(&look) == Some(Kind::Directory) {
            self.go_into(path, heard);
        }
        told
    }

    fn go_into(&mut self, path: &FilePath, heard: &Heard) {
        let Some((entry, _)) = self.watch.governs(path) else { return };
        let holds = matches!(entry.class, Class::Listed | Class::Watched | Class::Swapped);
        let depth = path.parts().count() - entry.path.parts().count();
        if !holds {
            return;
        }
        let is_named = self.watch.is_named(&entry.path);
        let deepest = if is_named { DEEPEST_NAMED } else { DEEPEST };
        if depth > deepest {
            let why = format!("no more than {deepest} levels of a directory are gone into");
            self.unknown.insert(path.clone(), why);
            return;
        }
        if is_named && self.watch.known_within(&entry.path).nth(MOST_NAMED_PATHS).is_some() {
            let why = format!("no more than {MOST_NAMED_PATHS} paths below it are looked at");
            self.unknown.insert(entry.path, why);
            return;
        }
        let names = match self.root.list(path) {
            Ok(names) => names,
            Err(error) => {
                self.unknown.insert(path.clone(), error.to_string());
                return;
            }
        };
        let is_by_a_look = *heard == Heard::by_a_look();
        // Whoever put a directory in place put all of it there; who else wrote into one that was just made
        // is not known.
        let of_child = if heard.came_whole {
            Heard { was_written: false, ..heard.clone() }
        } else {
            let why = "it was there before anything was heard of its directory";
            Heard::by(Who::Unknown(why.to_owned()))
        };
        if is_named && names.len() > MOST_NAMED_PATHS {
            let why = format!("no more than {MOST_NAMED_PATHS} paths in it are looked at");
            self.unknown.insert(path.clone(), why);
        }
        let most = if is_named { MOST_NAMED_PATHS } else { names.len() };
        for name in names.into_iter().take(most) {
            let Ok(child) = path.join(&name) else { continue };
            let is_known = self.watch.known().contains_key(&child);
            if is_by_a_look {
                self.round.iter_mut().for_each(|round| round.push(child.clone()));
            } else if !is_known {
                self.dirty.entry(child).or_insert_with(|| Dirty::of(of_child.clone()));
            }
        }
    }

    /// Goes on with a look at everything. Says whether anything was told.
    pub(super) fn go_round(&mut self) -> Result<bool, WatchFault> {
        let began = Instant::now();
        let mut any = false;
        while began.elapsed() < SLICE {
            let read = self.root.bytes();
            let Some(round) = &mut self.round else { return Ok(any) };
            let (is_paced, since) = (round.is_paced, round.began.map(|at| at.elapsed()));
            let allowed =
                since.unwrap_or_default().as_secs_f64() * self.settings.bytes_per_second as f64;
            if is_paced && (read - round.bytes_before) as f64 > allowed {
                return Ok(any);
            }
            let Some(path) = round.queue.pop_front() else {
                if self.layers.is_behind() {
                    return Ok(any);
                }
                self.end_round()?;
                return Ok(true);
            };
            if round.seen.len() >= MOST_PATHS && !round.seen.contains(&path) {
                let why = format!("no more than {MOST_PATHS} paths are looked at");
                self.unknown.insert(FilePath::root(), why);
                continue;
            }
            let is_new = round.seen.insert(path.clone());
            // What was heard of a moment ago is looked at with who did it.
            if is_new && !self.dirty.contains_key(&path) {
                any |= self.visit(&path, &Heard::by_a_look());
            }
        }
        Ok(any)
    }

    fn end_round(&mut self) -> Result<(), WatchFault> {
        let Some(round) = self.round.take() else { return Ok(()) };
        self.rounds_end = Instant::now();
        self.watch.was_looked_at();
        self.owes.get_or_insert_with(Instant::now);
        self.read_steps();
        for told in self.watch.settle(&self.around) {
            self.tell(told);
        }
        if let Some((from, why)) = self.blind.take() {
            self.blind = round.again.map(|from| (from, STORM.to_owned()));
            self.tell(Told::Blind(Blind { from, until: now(), why }));
        }
        if self.watch.is_full() {
            let why = "there are more paths than are known, and how the others were is not known";
            self.unknown.insert(FilePath::root(), why.to_owned());
        }
        if !self.watch.has_open_room() {
            let why = "there are more unexplained changes than are held: the journal has all";
            self.unknown.entry(FilePath::root()).or_insert_with(|| why.to_owned());
        }
        let all = self.unknown.iter().take(NAMED);
        self.missed.0 =
            all.map(|(path, why)| Unknown { path: path.clone(), why: why.clone() }).collect();
        self.missed.1 = self.unknown.len() as u64;
        let (paths, (unknown, unknown_count)) = (round.seen.len() as u64, self.unseen());
        self.status.verified = Some(now());
        self.status.narrow = self.listener.narrow() as u64;
        self.tell(Told::Verified { paths, unknown, unknown_count });
        self.know();
        if round.again.is_some() {
            self.begin_round(Round::at_once());
        }
        self.tell_unsaid().map(drop)
    }

    /// Says whether something was heard of and is not looked at yet. What containers write into their own roots is
    /// nothing that a step does, and does not end.
    fn is_behind(&self) -> bool {
        let is_protected = |path: &FilePath| self.layers.own(path).is_none();
        self.round.is_some() || self.dirty.keys().any(is_protected)
    }

    /// Tells what a step of ringfort's explained until everything was looked at, and no baseline says. Not while an
    /// operator acts: the baseline that says it comes last. Says whether anything was told.
    pub(super) fn tell_unsaid(&mut self) -> Result<bool, WatchFault> {
        let Some(since) = self.owes else { return Ok(false) };
        let is_late = since.elapsed() >= LONGEST;
        if !is_late && self.is_behind() {
            return Ok(false);
        }
        // From here on no operator begins. Where nobody can say whether one acts, nothing is put off.
        let held = hold_off(&self.settings.lock);
        if !is_late {
            if matches!(held, Ok(None)) {
                return Ok(false);
            }
            // What one did last may not be heard of yet, and a step explains nothing from here on.
            self.hear(Duration::ZERO)?;
            self.read_baseline();
            if self.is_behind() {
                return Ok(false);
            }
        }
        self.owes = None;
        let unsaid = self.watch.is_whole();
        let any = !unsaid.is_empty();
        for change in unsaid {
            self.tell_change(Box::new(change));
        }
        self.read_steps();
        self.around.since = self.around.steps.values().copied().max().unwrap_or_default();
        drop(held);
        Ok(any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_looks_again_at_what_is_protected_otherwise_by_now() {
        let path: FilePath = "/srv/d".parse().unwrap();
        let mut round = Round { seen: [path.clone()].into(), ..Round::at_once() };
        assert!(round.takes(std::slice::from_ref(&path)));
        assert_eq!(round.queue, VecDeque::from([path.clone()]));
        assert!(round.seen.is_empty());
        assert!(!Round::slowly().takes(&[path]), "it would wait for long");
    }
}
