//! Objects of the API: all are looked at, those that differ are applied in their order.

use std::collections::{BTreeMap, BTreeSet};

use super::act::pause;
use crate::message::{ObjectAct, ObjectSeen, Tick};
use ringfort_model::step::Difference;

/// How long an object is tried for, in milliseconds since its first failure.
const PATIENCE: Tick = 180_000;
/// How long an object may stay away while its maker runs before that is started anew, in milliseconds.
/// It makes it within seconds of its start.
const OVERDUE: Tick = 20_000;
/// The pause between two looks at an object that somebody else makes, in milliseconds.
const AWAITED_PAUSE: Tick = 500;
/// Looks on their way at once.
const MOST_LOOKS: usize = 16;

/// Where all objects stand.
pub(super) struct Objects {
    standings: Vec<Standing>,
    failures: Vec<(u32, Tick)>,
    whys: Vec<Option<String>>,
    awaited: Vec<bool>,
    /// Whether they are waited for. A plan waits for nobody: what is not there yet would be applied
    /// once it is.
    waits: bool,
    /// Awaited objects that were not there when they were last looked at, and since when their makers
    /// are known to run all the same.
    away: BTreeMap<usize, Option<Tick>>,
    /// Objects whose makers were started anew.
    called_for: BTreeSet<usize>,
}

/// Where one object stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// Not looked at.
    Open,
    /// A look is on its way.
    Looking,
    /// To be applied when those before it are.
    Wrong(Difference),
    /// On its way.
    Applying(Difference),
    /// As it should be.
    Right,
    /// To be looked at again.
    Pausing(Tick),
    /// Given up in this run.
    Failed,
}

impl Objects {
    /// Prepares objects; those that are awaited are not applied before somebody made them.
    pub(super) fn new(awaited: Vec<bool>, waits: bool) -> Self {
        let count = awaited.len();
        Self {
            awaited,
            waits,
            away: BTreeMap::new(),
            called_for: BTreeSet::new(),
            standings: vec![Standing::Open; count],
            failures: vec![(0, 0); count],
            whys: vec![None; count],
        }
    }

    /// Says what to look at now, side by side.
    pub(super) fn looks(&mut self) -> Vec<ObjectAct> {
        let mut acts = Vec::new();
        let mut looking = self.standings.iter().filter(|s| **s == Standing::Looking).count();
        for (index, standing) in self.standings.iter_mut().enumerate() {
            if *standing == Standing::Open && looking < MOST_LOOKS {
                looking += 1;
                *standing = Standing::Looking;
                acts.push(ObjectAct::Look { index });
            }
        }
        acts
    }

    /// Says what to do now: looks first, then one object after the other.
    pub(super) fn next(&mut self) -> Vec<ObjectAct> {
        let mut acts = self.looks();
        let is_done = |standing: &Standing| matches!(standing, Standing::Right | Standing::Failed);
        if let Some(index) = self.standings.iter().position(|standing| !is_done(standing))
            && let Standing::Wrong(because) = self.standings[index]
            && acts.is_empty()
        {
            self.standings[index] = Standing::Applying(because);
            acts.push(ObjectAct::Apply { index });
        }
        acts
    }

    /// Takes what was found of an object.
    pub(super) fn looked(&mut self, now: Tick, index: usize, seen: ObjectSeen) {
        if self.standings.get(index) != Some(&Standing::Looking) {
            return;
        }
        let is_away = seen == ObjectSeen::Absent && self.awaited[index];
        if is_away {
            self.away.entry(index).or_default();
        } else {
            self.away.remove(&index);
        }
        match seen {
            _ if is_away && self.waits => self.await_one(now, index),
            // Its maker makes it, and leaves ringfort's fields to ringfort.
            _ if is_away => self.standings[index] = Standing::Wrong(Difference::Content),
            ObjectSeen::Absent => self.standings[index] = Standing::Wrong(Difference::Missing),
            ObjectSeen::Differs => self.standings[index] = Standing::Wrong(Difference::Content),
            ObjectSeen::Same => self.standings[index] = Standing::Right,
            ObjectSeen::Unknown(why) => self.failed(now, index, why),
        }
    }

    /// Lists the objects that stay away.
    pub(super) fn away(&self) -> Vec<usize> {
        self.away.keys().copied().collect()
    }

    /// Takes note of whether the maker of an object that stays away runs; says whether it has run for so
    /// long that it has to be started anew, which is said once in a run.
    pub(super) fn calls_for(&mut self, now: Tick, index: usize, runs: bool) -> bool {
        let Some(since) = self.away.get_mut(&index) else { return false };
        *since = if runs { since.or(Some(now)) } else { None };
        let is_overdue = since.is_some_and(|since| now.saturating_sub(since) >= OVERDUE);
        is_overdue && self.called_for.insert(index)
    }

    /// Says whether an object that somebody else makes was not there.
    pub(super) fn is_away(&self, index: usize) -> bool {
        self.away.contains_key(&index)
    }

    /// Takes what came of applying an object; gives what differed if it was done.
    pub(super) fn applied(
        &mut self,
        now: Tick,
        index: usize,
        result: Result<(), String>,
    ) -> Option<Difference> {
        let Some(Standing::Applying(because)) = self.standings.get(index).copied() else {
            return None;
        };
        match result {
            Ok(()) => {
                self.standings[index] = Standing::Right;
                Some(because)
            }
            Err(why) => {
                self.failed(now, index, why);
                None
            }
        }
    }

    fn failed(&mut self, now: Tick, index: usize, why: String) {
        let pause = pause(self.failures[index].0 + 1);
        self.pause_one(now, index, pause, why);
    }

    fn await_one(&mut self, now: Tick, index: usize) {
        self.pause_one(now, index, AWAITED_PAUSE, "is not there yet".to_owned());
    }

    fn pause_one(&mut self, now: Tick, index: usize, pause: Tick, why: String) {
        let (count, since) = &mut self.failures[index];
        if *count == 0 {
            *since = now;
        }
        *count += 1;
        self.standings[index] = if now.saturating_sub(*since) + pause > PATIENCE {
            Standing::Failed
        } else {
            Standing::Pausing(now + pause)
        };
        self.whys[index] = Some(why);
    }

    pub(super) fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// Says why an object was given up or could not be looked at.
    pub(super) fn why(&self, index: usize) -> &str {
        self.whys[index].as_deref().unwrap_or_default()
    }

    pub(super) fn is_looking(&self) -> bool {
        self.standings.contains(&Standing::Looking)
    }

    /// Says whether nothing is on its way and nothing will be tried again by itself.
    pub(super) fn is_idle(&self) -> bool {
        let moves = |standing: &Standing| {
            matches!(standing, Standing::Looking | Standing::Applying(_) | Standing::Pausing(_))
        };
        !self.standings.iter().any(moves)
    }

    /// Ends the pauses that are over.
    pub(super) fn rouse(&mut self, now: Tick) {
        for standing in &mut self.standings {
            if matches!(standing, Standing::Pausing(until) if *until <= now) {
                *standing = Standing::Open;
            }
        }
    }

    /// Lists when pauses end.
    pub(super) fn pauses(&self) -> impl Iterator<Item = Tick> {
        self.standings.iter().filter_map(|standing| match standing {
            Standing::Pausing(until) => Some(*until),
            _ => None,
        })
    }
}
