//! What detections remember from event to event. All of it is bounded: where there is no room, the oldest is
//! forgotten, and counted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::across::Whose;
use crate::detection::{Burst, First, Judge, Reuse, Then};
use crate::feeds::Feeds;
use crate::paths::Paths;
use crate::scene::Scene;

/// How many callers or things a detection keeps apart.
pub(super) const MOST: usize = 1 << 16;
/// How many different things are known of one.
pub(super) const THINGS: usize = 1 << 10;
/// How many names are known that must not stand for two things.
const NAMES: usize = 1 << 16;

/// What was given up.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// How often something was forgotten,
    pub(super) up: u64,
    /// and how often a time was wanted that was not there.
    pub(super) timeless: u64,
    /// Whose log is read, where it is judged together with others',
    pub(super) whose: Option<Whose>,
    /// and whether what was found then rests on another's as well.
    pub(super) rests_on: Whose,
}

impl Given {
    /// Gives the time of an event; one without is counted.
    fn time(&mut self, scene: &Scene<'_>) -> Option<i64> {
        let time = scene.event.microseconds();
        self.timeless += u64::from(time.is_none());
        time
    }

    /// Takes note that what is found rests on what others logged, where they are judged together: by one's own alone it
    /// would have been found there.
    fn rest_on_others(&mut self) {
        if self.whose.is_some() {
            self.rests_on = Whose::Another;
        }
    }
}

/// What one detection remembers.
#[derive(Debug)]
pub(super) enum State {
    Nothing,
    Burst(BTreeMap<u64, VecDeque<Counted>>),
    First(BTreeMap<u64, Known>),
    Then(BTreeMap<u64, (i64, Whose)>),
    Reuse(Table),
    Paths(Box<Paths>),
}

/// One of many: when, which, and in whose log it stood.
type Counted = (i64, u64, Whose);

/// What is known of one caller.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) since: i64,
    pub(super) things: Vec<u64>,
}

const SECOND: i64 = 1_000_000;

impl State {
    pub(super) fn new(judge: &Judge, feeds: &Feeds) -> Self {
        match judge {
            Judge::Each(_) | Judge::Own(_) => Self::Nothing,
            Judge::Burst(_) => Self::Burst(BTreeMap::new()),
            Judge::First(_) => Self::First(BTreeMap::new()),
            Judge::Then(_) => Self::Then(BTreeMap::new()),
            Judge::Reuse(_) => Self::Reuse(Table::new(NAMES)),
            Judge::Paths => Self::Paths(Box::new(Paths::new(feeds.access()))),
        }
    }

    pub(super) fn judge(
        &mut self,
        judge: &Judge,
        scene: &Scene<'_>,
        given: &mut Given,
    ) -> Option<String> {
        match (self, judge) {
            (Self::Burst(of), Judge::Burst(burst)) => many(of, burst, scene, given),
            (Self::Then(of), Judge::Then(then)) => followed(of, then, scene, given),
            (Self::First(of), Judge::First(first)) => {
                given.rest_on_others();
                new(of, first, scene, given)
            }
            (Self::Reuse(of), Judge::Reuse(reuse)) => {
                given.rest_on_others();
                reused(of, reuse, scene)
            }
            (Self::Paths(of), Judge::Paths) => {
                given.rest_on_others();
                of.learn(scene, &mut given.up)
            }
            _ => None,
        }
    }
}

fn many(
    of: &mut BTreeMap<u64, VecDeque<Counted>>,
    burst: &Burst,
    scene: &Scene<'_>,
    given: &mut Given,
) -> Option<String> {
    let (whose, which) = (burst.counts)(scene)?;
    let now = given.time(scene)?;
    let window = burst.seconds * SECOND;
    if of.len() >= MOST && !of.contains_key(&whose) {
        let before = of.len();
        of.retain(|_, counted| counted.back().is_some_and(|(time, ..)| now - *time <= window));
        // All of them may be going on: then all begin anew, and that is said.
        if of.len() >= MOST {
            of.clear();
        }
        given.up += (before - of.len()) as u64;
    }
    let counted = of.entry(whose).or_default();
    let one = (now, which, given.whose.unwrap_or_default());
    if !count(counted, one, window, burst.many) {
        return None;
    }
    let is_others =
        |(time, _, whose): &Counted| *whose == Whose::Another && (now - *time).abs() <= window;
    if counted.iter().any(is_others) {
        given.rest_on_others();
    }
    counted.clear();
    Some(format!("{} {} within {} seconds", burst.many, burst.what, burst.seconds))
}

/// Adds one thing to those that were counted, and says whether there are now as many as that within the window, the
/// new one among them. Things come out of order: late, or from servers whose clocks differ, so the window is looked
/// for on both sides of the new one.
fn count(
    counted: &mut VecDeque<Counted>,
    (now, which, mut whose): Counted,
    window: i64,
    many: usize,
) -> bool {
    let is_near = |time: i64, within: i64| (now - time).abs() <= within;
    let mut latest = now;
    counted.retain(|(time, thing, of)| {
        let is_same = *thing == which && is_near(*time, window);
        if is_same {
            // What one's own log shows as well rests on nobody else's.
            (latest, whose) = (latest.max(*time), whose.min(*of));
        }
        !is_same
    });
    counted.push_back((latest, which, whose));
    // What is far goes when there is much of it, and not before: a clock may be wrong.
    if counted.len() > 2 * many {
        let far = counted.iter().position(|(time, ..)| !is_near(*time, window));
        counted.remove(far.unwrap_or(0));
    }
    let near = counted.iter().map(|(time, thing, _)| (*time, *thing));
    let near = near.filter(|(time, _)| is_near(*time, window));
    if near.clone().count() < many {
        return false;
    }
    let near: Vec<(i64, u64)> = near.collect();
    let begins = near.iter().filter(|(time, _)| *time <= now).map(|(time, _)| *time);
    let mut within = begins.map(|begin| {
        let things = near.iter().filter(|(time, _)| (begin..=begin + window).contains(time));
        things.map(|(_, thing)| thing).collect::<BTreeSet<_>>().len()
    });
    within.any(|things| things >= many)
}

fn new(
    of: &mut BTreeMap<u64, Known>,
    first: &First,
    scene: &Scene<'_>,
    given: &mut Given,
) -> Option<String> {
    let (whose, which) = (first.of)(scene)?;
    if let Some(known) = of.get(&whose)
        && known.things.contains(&which)
    {
        return None;
    }
    let now = given.time(scene)?;
    if of.len() >= MOST && !of.contains_key(&whose) {
        given.up += of.len() as u64;
        of.clear();
    }
    let known = of.entry(whose).or_insert(Known { since: now, things: Vec::new() });
    if known.things.len() >= THINGS {
        known.things.remove(0);
        given.up += 1;
    }
    known.things.push(which);
    known.since = known.since.min(now);
    (now - known.since >= first.known_seconds * SECOND).then(|| first.said.to_owned())
}

fn followed(
    of: &mut BTreeMap<u64, (i64, Whose)>,
    then: &Then,
    scene: &Scene<'_>,
    given: &mut Given,
) -> Option<String> {
    let mut said = None;
    if !of.is_empty()
        && let Some(whose) = (then.second)(scene)
        && let Some((time, by)) = of.get(&whose).copied()
    {
        let now = given.time(scene)?;
        let is_soon = (0..=then.seconds * SECOND).contains(&(now - time));
        said = is_soon.then(|| then.said.to_owned());
        if said.is_some() {
            if by == Whose::Another {
                given.rest_on_others();
            }
            of.remove(&whose);
        }
    }
    if let Some(whose) = (then.first)(scene) {
        let now = given.time(scene)?;
        if of.len() >= MOST {
            let before = of.len();
            of.retain(|_, (time, _)| now - *time <= then.seconds * SECOND);
            if of.len() >= MOST {
                of.clear();
            }
            given.up += (before - of.len()) as u64;
        }
        let by = given.whose.unwrap_or_default();
        let last = of.entry(whose).or_insert((now, by));
        *last = (*last).max((now, by));
    }
    said
}

fn reused(of: &mut Table, reuse: &Reuse, scene: &Scene<'_>) -> Option<String> {
    let (name, thing) = (reuse.of)(scene)?;
    let before = of.swap(name, thing);
    before.is_some_and(|before| before != thing).then(|| reuse.what.to_owned())
}

/// Names with what they stand for, in a table of fixed size: a name pushes out another that falls on the
/// same place.
#[derive(Debug)]
pub(super) struct Table(Vec<(u64, u64)>);

impl Table {
    pub(super) fn new(size: usize) -> Self {
        Self(vec![(0, 0); size])
    }

    /// Writes down what a name stands for, and gives what it stood for before.
    pub(super) fn swap(&mut self, name: u64, thing: u64) -> Option<u64> {
        let place = self.place(name);
        let (known, before) = std::mem::replace(place, (name, thing));
        (known == name).then_some(before)
    }

    /// Takes a name out, and says whether it was there.
    pub(super) fn take(&mut self, name: u64) -> bool {
        let place = self.place(name);
        let is_known = place.0 == name;
        if is_known {
            *place = (0, 0);
        }
        is_known
    }

    fn place(&mut self, name: u64) -> &mut (u64, u64) {
        let at = usize::try_from(name % self.0.len() as u64).expect("a place in a table");
        &mut self.0[at]
    }
}
