//! Judges together what several API servers logged, in the order in which it was written: what takes many events, or one
//! after another, is found whichever servers wrote them. Each server's events are one's own somewhere, and only what
//! ends with one's own, and rests on another's as well, is told.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::detection::Detection;
use crate::engine::Engine;
use crate::envelope::{Found, each};
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
/// So many bytes wait at most: beyond that the oldest are judged early, and counted.
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
    /// Up to where was judged.
    through: Option<Place>,
    /// What was written before this was written before anybody judged.
    since: i64,
    /// Since when what is due waits for others, until all of them are here again.
    waits: Option<i64>,
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
        Self {
            engine: Engine::fed(&detections, feeds),
            held: BTreeMap::new(),
            bytes: 0,
            arrived: 0,
            through: None,
            since,
            waits: None,
            numbers: Numbers::default(),
        }
    }

    /// Takes a line that came now, with what was found in it by itself. Says whether it is another's that came too late:
    /// what was written after it was judged without it. It still counts for what comes.
    pub fn hear(&mut self, line: &[u8], whose: Whose, found: &[Finding], now: i64) -> bool {
        let (engine, mut is_heard, mut time) = (&self.engine, false, None);
        each(line, &mut |found| {
            if let Found::Event(event) = found {
                is_heard |= engine.hears(event);
                time = time.or_else(|| event.written());
            }
        });
        if !is_heard {
            return false;
        }
        self.set_back(now);
        // A clock that is ahead keeps nothing from being judged.
        let time = time.unwrap_or(now).min(now);
        let place = (time, of(line), self.arrived);
        let is_behind = self.is_behind(&place);
        let told = found.iter().map(|finding| finding.detection.clone()).collect();
        let held = Held { whose, line: line.to_vec(), told };
        self.arrived += 1;
        self.bytes += held.weight();
        self.held.insert(place, held);
        self.numbers.behind += u64::from(is_behind && whose == Whose::Own);
        is_behind && whose == Whose::Another && time >= self.since
    }

    /// Judges what has waited long enough, and adds what is found at one's own events. All that was written anywhere
    /// before a time is here: what was written later waits a while longer, and is counted where that was in vain.
    pub fn judge(&mut self, now: i64, here: i64, found: &mut Vec<Finding>) {
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
            self.numbers.alone += u64::from(is_own && is_due && !is_behind && place.0 > here);
            self.through = self.through.max(Some(place));
            let order = if is_behind { Order::Behind } else { Order::InTime };
            self.one(&held, order, found);
        }
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
        let since = *self.waits.get_or_insert(now);
        now.abs_diff(since) >= PATIENCE.unsigned_abs()
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
    /// What was written from a time on was not judged by it, and is not remembered.
    pub fn recall(&mut self, line: &[u8], before: Option<i64>) {
        let Some(time) = written(line) else { return };
        if before.is_some_and(|before| time >= before) {
            return;
        }
        let place = (time.min(self.since), of(line), 0);
        let held = Held { whose: Whose::Own, line: line.to_vec(), told: Vec::new() };
        let numbers = self.numbers;
        self.one(&held, Order::InTime, &mut Vec::new());
        self.numbers = numbers;
        self.through = self.through.max(Some(place));
    }

    /// How much of everything there was.
    pub fn numbers(&self) -> Numbers {
        self.numbers
    }

    /// How often something was forgotten since there was no room for it.
    pub fn forgotten(&self) -> u64 {
        self.engine.forgotten()
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

#[cfg(test)]
mod tests {
    use super::{AROUND, Across, HOLD, MOST_HELD, PATIENCE, Whose, is_beside, of};
    use crate::detections::DETECTIONS;
    use crate::engine::Engine;
    use crate::envelope::{Found, each};
    use crate::examples::whole;
    use crate::feeds::Feeds;
    use crate::finding::Finding;

    /// 2026-01-05T00:00:00Z, when abbreviated events begin.
    const BEGIN: i64 = 1_767_571_200_000_000;
    const SECOND: i64 = 1_000_000;
    /// All that others wrote is here.
    const HERE: i64 = i64::MAX;

    fn across() -> Across {
        Across::new(DETECTIONS, Feeds::default(), BEGIN)
    }

    fn at(seconds: i64) -> i64 {
        BEGIN + seconds * SECOND
    }

    fn lines(short: &str) -> Vec<String> {
        whole(short).unwrap()
    }

    /// What each of two collectors tells of events, each given with its server and the second at which it was written.
    /// The other's come after so long.
    fn told(events: &[(usize, i64, String)], delay: i64) -> [Vec<String>; 2] {
        [0, 1].map(|here| {
            let arrives = |(server, second, _): &(usize, i64, String)| {
                at(*second) + 20_000 + if *server == here { 0 } else { delay }
            };
            let mut all: Vec<_> = events.iter().map(|event| (arrives(event), event)).collect();
            all.sort_by_key(|(arrives, _)| *arrives);
            let (mut across, mut found) = (across(), Vec::new());
            for (now, (server, _, line)) in all {
                across.judge(now, HERE, &mut found);
                let whose = if *server == here { Whose::Own } else { Whose::Another };
                assert!(!across.hear(line.as_bytes(), whose, &[], now), "{line}");
            }
            across.judge(i64::MAX, HERE, &mut found);
            ids(&found)
        })
    }

    fn ids(found: &[Finding]) -> Vec<String> {
        assert!(found.iter().all(is_beside), "{found:?}");
        found.iter().map(|finding| finding.detection.to_string()).collect()
    }

    fn refused(second: i64) -> String {
        let short = format!(
            r#"{{"at":{second},"verb":"list","of":":secrets web","responseStatus":{{"code":403}}}}"#
        );
        lines(&short).remove(0)
    }

    fn allowed(second: i64) -> String {
        allowed_by(second, "kubectl")
    }

    fn allowed_by(second: i64, agent: &str) -> String {
        let short =
            format!(r#"{{"at":{second},"verb":"list","of":":secrets web","userAgent":"{agent}"}}"#);
        lines(&short).remove(0)
    }

    #[test]
    fn a_sequence_over_two_servers_is_told_once_by_whoever_kept_its_end_however_it_arrives() {
        // The first arrives at the other before the second is written there, and after it.
        for delay in [0, 900_000, 1_500_000, 2_900_000] {
            for (first, second) in [(0, 1), (1, 0)] {
                let events = [(first, 100, refused(100)), (second, 101, allowed(101))];
                let mut expected = [Vec::new(), Vec::new()];
                expected[second].push("detect/refused-then-allowed".to_owned());
                assert_eq!(told(&events, delay), expected, "{first}, {second} after {delay}");
            }
        }
    }

    #[test]
    fn at_the_same_moment_both_have_the_same_order() {
        let first = refused(100);
        let is_after = |line: &String| of(line.as_bytes()) > of(first.as_bytes());
        let some = || (0..64).map(|agent| allowed_by(100, &format!("agent{agent}")));
        let after = some().find(is_after).unwrap();
        let before = some().find(|line| !is_after(line)).unwrap();
        for end in [0, 1] {
            let events = |line: &String| [(1 - end, 100, first.clone()), (end, 100, line.clone())];
            let mut expected = [Vec::new(), Vec::new()];
            assert_eq!(told(&events(&before), SECOND), expected, "it was allowed first");
            expected[end].push("detect/refused-then-allowed".to_owned());
            assert_eq!(told(&events(&after), SECOND), expected);
        }
    }

    /// Somebody is refused different things, two seconds one after the other.
    fn burst(count: usize) -> Vec<(i64, String)> {
        let short = format!(
            r#"{{"repeat":{count},"step":2,"at":10,"verb":"get","of":":pods web#/p","requestURI":"/p#","responseStatus":{{"code":403}}}}"#
        );
        (0..).map(|number| 10 + 2 * number).zip(lines(&short)).collect()
    }

    #[test]
    fn many_events_over_two_servers_are_too_many_for_whoever_kept_the_last() {
        let events = |last: usize| {
            let all = burst(10).into_iter().enumerate();
            let of = |number: usize| if number == 9 { last } else { number % 2 };
            all.map(|(number, (second, line))| (of(number), second, line)).collect::<Vec<_>>()
        };
        for last in [0, 1] {
            let mut expected = [Vec::new(), Vec::new()];
            expected[last].push("detect/refusals".to_owned());
            assert_eq!(told(&events(last), SECOND), expected);
        }
    }

    /// What one's own events show alone, the first judgement tells, at whichever of them: also where both count from
    /// another one on.
    #[test]
    fn what_rests_on_nothing_of_others_is_not_told_here() {
        let of = |first: usize| {
            let all = burst(20).into_iter().enumerate();
            let server = |number| if number == 0 { first } else { 0 };
            all.map(|(number, (second, line))| (server(number), second, line)).collect::<Vec<_>>()
        };
        assert_eq!(told(&of(0), SECOND), [[""; 0], [""; 0]]);
        // One of another's is among the first that are counted, and among none of the others.
        assert_eq!(told(&of(1), SECOND), [vec!["detect/refusals".to_owned()], Vec::new()]);
    }

    #[test]
    fn what_was_found_by_itself_is_not_told_again() {
        let (mut across, mut found) = (across(), Vec::new());
        let mut alone = Engine::new(DETECTIONS);
        // Another's comes between, so that it rests on that one as well.
        across.hear(refused(100).as_bytes(), Whose::Another, &[], at(100));
        for (second, line) in [(99, refused(99)), (101, allowed(101))] {
            let mut told = Vec::new();
            each(line.as_bytes(), &mut |it| {
                let Found::Event(event) = it else { panic!("{it:?}") };
                assert_eq!(alone.judge(event, &mut told), None);
            });
            assert!(!told.iter().any(is_beside), "{told:?}");
            across.hear(line.as_bytes(), Whose::Own, &told, at(second));
        }
        across.judge(i64::MAX, HERE, &mut found);
        assert_eq!(ids(&found), [""; 0]);
    }

    #[test]
    fn what_comes_too_late_is_said_and_counts_for_what_comes() {
        let (mut across, mut found) = (across(), Vec::new());
        assert!(!across.hear(allowed(110).as_bytes(), Whose::Own, &[], at(111)));
        across.judge(at(110) + HOLD, HERE, &mut found);
        assert_eq!(across.held.len(), 1, "it waits for what was written before it");
        across.judge(at(111) + HOLD, HERE, &mut found);
        assert_eq!(across.held.len(), 0);
        assert!(across.hear(refused(100).as_bytes(), Whose::Another, &[], at(120)));
        across.judge(at(120), HERE, &mut found);
        assert_eq!(found, []);
        across.hear(allowed(121).as_bytes(), Whose::Own, &[], at(121));
        across.judge(i64::MAX, HERE, &mut found);
        assert_eq!(ids(&found), ["detect/refused-then-allowed"]);
        // What was written before anybody judged is late for nobody.
        let mut later = Across::new(DETECTIONS, Feeds::default(), at(1_000));
        later.recall(allowed(990).as_bytes(), None);
        assert!(!later.hear(refused(900).as_bytes(), Whose::Another, &[], at(1_010)));
        // One's own that comes behind is counted.
        assert_eq!(later.numbers().behind, 0);
        later.hear(refused(980).as_bytes(), Whose::Own, &[], at(1_010));
        assert_eq!(later.numbers().behind, 1);
    }

    #[test]
    fn one_s_own_waits_for_who_is_not_here_and_is_counted_where_that_is_in_vain() {
        let (mut across, mut found) = (across(), Vec::new());
        across.hear(allowed(101).as_bytes(), Whose::Own, &[], at(101));
        // It begins, and nothing of the other came yet.
        across.judge(at(110), i64::MIN, &mut found);
        across.judge(at(139), i64::MIN, &mut found);
        across.hear(refused(100).as_bytes(), Whose::Another, &[], at(139));
        across.judge(at(139), at(138), &mut found);
        assert_eq!(ids(&found), ["detect/refused-then-allowed"]);
        assert_eq!((across.numbers().alone, across.waiting()), (0, None));
        // The other is away for longer, and only the first waits for it.
        across.hear(allowed(200).as_bytes(), Whose::Own, &[], at(200));
        across.judge(at(210), at(190), &mut found);
        assert_eq!(across.waiting(), Some(at(200)));
        across.judge(at(210) + PATIENCE, at(190), &mut found);
        assert_eq!((across.numbers().alone, across.waiting()), (1, None));
        across.hear(allowed(250).as_bytes(), Whose::Own, &[], at(250));
        across.judge(at(251) + HOLD, at(190), &mut found);
        assert_eq!((across.numbers().alone, across.waiting()), (2, None));
    }

    #[test]
    fn what_is_late_takes_nothing_back_of_what_is_known() {
        let used = |second: i64, address: &str| {
            let short = format!(
                r#"{{"at":{second},"verb":"list","of":":pods web","user":{{"username":"a","extra":{{"authentication.kubernetes.io/credential-id":["JTI=1"]}}}},"sourceIPs":["{address}"]}}"#
            );
            lines(&short).remove(0)
        };
        for (second, expected) in [(150, 0), (190, 1)] {
            let (mut across, mut found) = (across(), Vec::new());
            across.hear(used(160, "10.1.2.3").as_bytes(), Whose::Own, &[], at(160));
            across.judge(at(170), HERE, &mut found);
            let line = used(second, "10.9.9.9");
            across.hear(line.as_bytes(), Whose::Another, &[], at(191));
            across.hear(used(195, "10.1.2.3").as_bytes(), Whose::Own, &[], at(195));
            across.judge(i64::MAX, HERE, &mut found);
            let ids = ids(&found);
            let moved = ids.iter().filter(|id| *id == "detect/credential-from-two-addresses");
            assert_eq!(moved.count(), expected, "{second}: {ids:?}");
        }
    }

    #[test]
    fn what_waits_is_bounded_whatever_clocks_say() {
        let (mut across, mut found) = (across(), Vec::new());
        // Written a day from now, by a clock that is wrong.
        let short = format!(
            r#"{{"at":86400,"verb":"list","of":":secrets web","userAgent":"{}"}}"#,
            "x".repeat(MOST_HELD / 8 - AROUND)
        );
        let line = lines(&short).remove(0);
        for number in 0..20 {
            across.hear(line.as_bytes(), Whose::Own, &[], at(0) + number);
            across.judge(at(0) + number, HERE, &mut found);
            assert!(across.bytes <= MOST_HELD, "{}", across.bytes);
        }
        assert_eq!(across.numbers().early, 13);
        across.judge(at(1) + HOLD, HERE, &mut found);
        assert_eq!((across.held.len(), across.bytes), (0, 0));
        // It was set back by a day: what came before waits no day, and what comes is not behind it.
        across.hear(refused(86_401).as_bytes(), Whose::Own, &[], at(86_401));
        across.judge(at(1_000), HERE, &mut found);
        assert_eq!(across.held.len(), 0);
        assert!(!across.hear(refused(1_001).as_bytes(), Whose::Another, &[], at(1_001)));
    }

    #[test]
    fn who_is_known_through_one_server_is_known_at_all() {
        let enters = |day: u32, namespace: &str| {
            let short = format!(
                r#"{{"at":{},"verb":"create","of":":pods/exec {namespace}/p"}}"#,
                day * 86_400
            );
            lines(&short).remove(0)
        };
        let mut before = Across::new(DETECTIONS, Feeds::default(), at(0));
        before.recall(enters(0, "web").as_bytes(), None);
        let mut across = across();
        assert!(across.learned(before.usual().as_bytes()));
        let (mut found, day) = (Vec::new(), 86_400);
        across.hear(enters(2, "web").as_bytes(), Whose::Own, &[], at(2 * day));
        across.hear(enters(3, "shop").as_bytes(), Whose::Own, &[], at(3 * day));
        across.judge(i64::MAX, HERE, &mut found);
        let ids = ids(&found);
        assert_eq!(ids.iter().filter(|id| *id == "detect/first-exec").count(), 1, "{ids:?}");
    }
}
