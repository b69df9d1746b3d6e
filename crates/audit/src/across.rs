//! Judges together what several API servers logged, in the order in which it was written: what takes many events, or one
//! after another, is found whichever servers wrote them. Each server's events are one's own somewhere, and only what
//! ends with one's own, and rests on another's as well, is told.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::detection::{Detection, Judge};
use crate::engine::Engine;
use crate::envelope::{Found, each};
use crate::event::Event;
use crate::feeds::Feeds;
use crate::finding::Finding;
use crate::scene::number;

/// Whose log a line stood in.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Whose {
    /// One that is kept here: what ends with it is told here.
    #[default]
    Own,
    /// Another machine's: context for what is one's own, and told there.
    Another,
}

/// How an event comes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Order {
    /// Nothing that was written after it was judged.
    #[default]
    InTime,
    /// Behind what was written after it: it takes back nothing of what is known by now.
    Behind,
}

/// For so long, in microseconds, an event waits for those that were written before it elsewhere. They are kept there
/// within a quarter of a second and the sync of a disk, are asked for once a second, and take their way through two
/// processes: with as much again for a machine that is busy.
pub const HOLD: i64 = 3_000_000;
/// For so long it waits beyond that for a machine that nothing came of meanwhile: one that is started anew is back before.
pub const PATIENCE: i64 = 30_000_000;
/// And for so long in all, while more and more of the others comes: who has much to give is not waited for without an end.
pub const LONGEST: i64 = 4 * PATIENCE;
/// So many bytes wait at most: beyond that the oldest are judged early, and counted. What cannot even be judged as fast as it
/// comes is twice as much at most, and beyond that forgotten.
const MOST_HELD: usize = 16 << 20;
/// What a line weighs beside its bytes.
const AROUND: usize = 160;
/// What a finding rests on where one server's log alone does not show it.
const BESIDE: &str = "judged with what other API servers logged";

/// Takes note that a finding rests on what others logged. What was found stays the same words, so that whoever puts
/// repeats together knows it again.
pub(crate) fn beside(finding: &mut Finding) {
    finding.rests = Some(match finding.rests.take() {
        Some(rests) => format!("{rests}, {BESIDE}").into(),
        None => BESIDE.into(),
    });
}

fn is_beside(finding: &Finding) -> bool {
    finding.rests.as_ref().is_some_and(|rests| rests.ends_with(BESIDE))
}

/// How much of everything there was.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Numbers {
    /// One's own events that were judged before their time, for want of room.
    pub early: u64,
    /// One's own that were judged although not all that was written before them was here.
    pub alone: u64,
    /// One's own that came behind what was written after them.
    pub behind: u64,
    /// What was found so, and by one server's events alone was not.
    pub found: u64,
    /// What was found at others' events: it is theirs to tell.
    pub elsewhere: u64,
}

/// Where an event stands among those of all servers: by when it was written and, at the same moment, by its words, so that
/// whoever judges has the same order. The last is the number by which it came.
type Place = (i64, u64, u64);

/// Events of several servers, and what is found when they are judged together.
#[derive(Debug)]
pub struct Across {
    engine: Engine,
    held: BTreeMap<Place, Held>,
    bytes: usize,
    arrived: u64,
    /// For how long before an event another matters to it, in microseconds.
    window: i64,
    /// Up to where was judged.
    through: Option<Place>,
    /// What was written before this was written before anybody judged.
    since: i64,
    /// What others wrote before this is not here, and does not come.
    lacks: i64,
    /// Since when what is due waits for others, until all of them are here again, and when something came of them last.
    waits: Option<(i64, i64)>,
    /// What there was no room for.
    dropped: u64,
    numbers: Numbers,
}

#[derive(Debug)]
struct Held {
    whose: Whose,
    line: Vec<u8>,
    /// What was found in it by itself, and told.
    told: Vec<Cow<'static, str>>,
}

impl Held {
    fn weight(&self) -> usize {
        self.line.len() + AROUND
    }
}

impl Across {
    /// Begins at a time, in microseconds of the Unix epoch, with those of the detections that remember events: the others
    /// find nothing more by being shown more.
    pub fn new(
        detections: &[&'static Detection],
        feeds: impl Into<Arc<Feeds>>,
        since: i64,
    ) -> Self {
        let remembers = detections.iter().copied().filter(|detection| detection.remembers());
        let detections: Vec<&'static Detection> = remembers.collect();
        let window = detections.iter().copied().map(window).max().unwrap_or_default();
        Self {
            engine: Engine::fed(&detections, feeds),
            held: BTreeMap::new(),
            bytes: 0,
            arrived: 0,
            window,
            through: None,
            since,
            lacks: i64::MIN,
            waits: None,
            dropped: 0,
            numbers: Numbers::default(),
        }
    }

    /// Gives since when what was written matters to what is written from a time on, in microseconds: for the longest of
    /// all windows before that, and for the while that events wait for each other.
    pub fn matters(&self, from: i64) -> i64 {
        from.saturating_sub(self.window).saturating_sub(HOLD)
    }

    /// Takes note that nothing comes of what another wrote before a time, in microseconds: nobody asks for it, or it is
    /// left out. One's own that it may matter to are judged alone.
    pub fn lacks_before(&mut self, time: i64) {
        self.lacks = self.lacks.max(time);
    }

    /// Whether an event is asked for: a line without such a one need not be held.
    pub fn asks(&self, event: &Event<'_>) -> bool {
        self.engine.hears(event)
    }

    /// Reads a line that came now, and holds it if one of its events is asked for, with what was found in it by itself.
    /// Says what [`Across::hold`] does.
    pub fn hear(&mut self, line: &[u8], whose: Whose, found: &[Finding], now: i64) -> bool {
        let (mut is_asked, mut time) = (false, None);
        each(line, &mut |found| {
            if let Found::Event(event) = found {
                is_asked |= self.asks(event);
                time = time.or_else(|| event.written());
            }
        });
        is_asked && self.hold(line, time, (whose, found), now)
    }

    /// Holds a line that came now and says when it was written, with what was found in it by itself. Says whether it is
    /// another's that came too late: what was written after it was judged without it. It still counts for what comes.
    pub fn hold(
        &mut self,
        line: &[u8],
        time: Option<i64>,
        (whose, found): (Whose, &[Finding]),
        now: i64,
    ) -> bool {
        self.set_back(now);
        // A clock that is ahead keeps nothing from being judged.
        let time = time.unwrap_or(now).min(now);
        let place = (time, of(line), self.arrived);
        let is_behind = self.is_behind(&place);
        let told = found.iter().map(|finding| finding.detection.clone()).collect();
        let held = Held { whose, line: line.to_vec(), told };
        if self.bytes + held.weight() > 2 * MOST_HELD {
            self.dropped += 1;
            return false;
        }
        self.arrived += 1;
        self.bytes += held.weight();
        self.held.insert(place, held);
        self.numbers.behind += u64::from(is_behind && whose == Whose::Own);
        is_behind && whose == Whose::Another && time >= self.since
    }

    /// Judges what has waited long enough, and adds what is found at one's own events. All that was written anywhere
    /// before a time is here: what was written later waits a while longer, and is counted where that was in vain. Ends
    /// when it is over, as is asked after each, and says whether there may be more.
    pub fn judge(
        &mut self,
        (now, here): (i64, i64),
        is_over: &mut dyn FnMut() -> bool,
        found: &mut Vec<Finding>,
    ) -> bool {
        self.set_back(now);
        while let Some((place, _)) = self.held.first_key_value() {
            let (place, is_behind) = (*place, self.is_behind(place));
            let is_due = is_behind || self.is_due(place.0, now, here);
            if !is_due && self.bytes <= MOST_HELD {
                break;
            }
            let Some(held) = self.held.remove(&place) else { break };
            self.bytes -= held.weight();
            let is_own = held.whose == Whose::Own;
            self.numbers.early += u64::from(is_own && !is_due);
            let is_alone = place.0 > here || place.0.saturating_sub(self.window) < self.lacks;
            self.numbers.alone += u64::from(is_own && is_due && !is_behind && is_alone);
            self.through = self.through.max(Some(place));
            let order = if is_behind { Order::Behind } else { Order::InTime };
            self.one(&held, order, found);
            if is_over() {
                return true;
            }
        }
        false
    }

    /// Takes note that something came of another, and more is to come.
    pub fn goes_on(&mut self, now: i64) {
        if let Some((_, last)) = &mut self.waits {
            *last = now;
        }
    }

    /// Whether as much waits as may: what is not one's own waits elsewhere.
    pub fn is_full(&self) -> bool {
        self.bytes >= MOST_HELD
    }

    /// Whether what was written at a time has waited long enough.
    fn is_due(&mut self, time: i64, now: i64, here: i64) -> bool {
        // The clock was set back since it came.
        if time > now {
            return true;
        }
        if time > now.saturating_sub(HOLD) {
            return false;
        }
        if time <= here {
            self.waits = None;
            return true;
        }
        let (since, last) = *self.waits.get_or_insert((now, now));
        now.abs_diff(last) >= PATIENCE.unsigned_abs()
            || now.abs_diff(since) >= LONGEST.unsigned_abs()
    }

    fn is_behind(&self, place: &Place) -> bool {
        self.through.is_some_and(|through| *place < through)
    }

    /// Where the clock was set back, what is written from now on is not behind what was judged.
    fn set_back(&mut self, now: i64) {
        if self.through.is_some_and(|(time, ..)| time > now) {
            self.through = Some((now.saturating_sub(HOLD), 0, 0));
        }
    }

    /// Since when what was written is not judged yet; nothing where nothing waits.
    pub fn waiting(&self) -> Option<i64> {
        self.held.first_key_value().map(|((time, ..), _)| *time)
    }

    /// Remembers a line of one's own that was judged by an earlier run: what comes and was written before it comes late.
    /// What was written from a time on was not judged by it, and is not remembered. Gives when it was written.
    pub fn recall(&mut self, line: &[u8], before: Option<i64>) -> Option<i64> {
        let time = written(line)?;
        if before.is_some_and(|before| time >= before) {
            return Some(time);
        }
        let place = (time.min(self.since), of(line), 0);
        let held = Held { whose: Whose::Own, line: line.to_vec(), told: Vec::new() };
        let numbers = self.numbers;
        self.one(&held, Order::InTime, &mut Vec::new());
        self.numbers = numbers;
        self.through = self.through.max(Some(place));
        Some(time)
    }

    /// How much of everything there was.
    pub fn numbers(&self) -> Numbers {
        self.numbers
    }

    /// How often something was forgotten since there was no room for it.
    pub fn forgotten(&self) -> u64 {
        self.engine.forgotten() + self.dropped
    }

    /// Gives what callers usually do, whichever server they ask, as text to be kept.
    pub fn usual(&self) -> String {
        self.engine.usual()
    }

    /// Takes what an earlier run learned, before anything is judged. Says whether it was understood.
    #[must_use]
    pub fn learned(&mut self, text: &[u8]) -> bool {
        self.engine.learned(text)
    }

    /// Judges one. What of it cannot be judged is counted where it is kept.
    fn one(&mut self, held: &Held, order: Order, found: &mut Vec<Finding>) {
        let (engine, mut all) = (&mut self.engine, Vec::new());
        engine.reads(held.whose, order);
        each(&held.line, &mut |it| {
            if let Found::Event(event) = it {
                let _ = engine.judge(event, &mut all);
            }
        });
        if held.whose == Whose::Another {
            self.numbers.elsewhere += all.len() as u64;
            return;
        }
        all.retain(|finding| is_beside(finding) && !held.told.contains(&finding.detection));
        self.numbers.found += all.len() as u64;
        found.append(&mut all);
    }
}

/// For how long before an event, in microseconds, others count with it. What callers usually do is kept, and what a name
/// stands for, and who has which rights, is remembered from when it is seen.
fn window(detection: &Detection) -> i64 {
    let seconds = match detection.judge {
        Judge::Burst(burst) => burst.seconds,
        Judge::Then(then) => then.seconds,
        Judge::Each(_) | Judge::First(_) | Judge::Reuse(_) | Judge::Paths | Judge::Own(_) => 0,
    };
    seconds * 1_000_000
}

/// Gives when a line was written, in microseconds of the Unix epoch: the first of its events that says so.
pub fn written(line: &[u8]) -> Option<i64> {
    let mut time = None;
    each(line, &mut |found| {
        if let Found::Event(event) = found {
            time = time.or_else(|| event.written());
        }
    });
    time
}

/// A number for a line's words.
fn of(line: &[u8]) -> u64 {
    number(&[&String::from_utf8_lossy(line)])
}
