//! What several servers logged, judged together, however it arrives.

use super::{AROUND, Across, HOLD, LONGEST, MOST_HELD, PATIENCE, Whose, is_beside, of};
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

/// Judges all that is due.
fn judge(across: &mut Across, now: i64, here: i64, found: &mut Vec<Finding>) {
    assert!(!across.judge((now, here), &mut || false, found));
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
            judge(&mut across, now, HERE, &mut found);
            let whose = if *server == here { Whose::Own } else { Whose::Another };
            assert!(!across.hear(line.as_bytes(), whose, &[], now), "{line}");
        }
        judge(&mut across, i64::MAX, HERE, &mut found);
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

/// What is older than the longest window counts with nothing that comes.
#[test]
fn what_matters_is_as_old_as_the_longest_window_and_no_older() {
    let before = |across: &Across| at(0) - across.matters(at(0));
    assert_eq!(before(&across()), 600 * SECOND + HOLD);
    assert_eq!(before(&Across::new(&[], Feeds::default(), BEGIN)), HOLD);
    assert_eq!(across().matters(i64::MIN), i64::MIN);
}

/// Whatever waits for nobody, and is judged as if all were here: what others wrote before it was not asked for.
#[test]
fn one_s_own_that_miss_what_others_wrote_before_anybody_asked_are_counted() {
    let (mut across, mut found) = (across(), Vec::new());
    across.lacks_before(at(400));
    across.lacks_before(at(100));
    // Nothing that was written within the longest window before the last of them is missing.
    for (second, alone) in [(500, 1), (999, 2), (1_000, 2)] {
        across.hear(allowed(second).as_bytes(), Whose::Own, &[], at(second));
        across.hear(allowed(second).as_bytes(), Whose::Another, &[], at(second));
        judge(&mut across, at(second) + HOLD, HERE, &mut found);
        assert_eq!((across.numbers().alone, across.waiting()), (alone, None), "{second}");
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
    judge(&mut across, i64::MAX, HERE, &mut found);
    assert_eq!(ids(&found), [""; 0]);
}

#[test]
fn what_comes_too_late_is_said_and_counts_for_what_comes() {
    let (mut across, mut found) = (across(), Vec::new());
    assert!(!across.hear(allowed(110).as_bytes(), Whose::Own, &[], at(111)));
    judge(&mut across, at(110) + HOLD, HERE, &mut found);
    assert_eq!(across.held.len(), 1, "it waits for what was written before it");
    judge(&mut across, at(111) + HOLD, HERE, &mut found);
    assert_eq!(across.held.len(), 0);
    assert!(across.hear(refused(100).as_bytes(), Whose::Another, &[], at(120)));
    judge(&mut across, at(120), HERE, &mut found);
    assert_eq!(found, []);
    across.hear(allowed(121).as_bytes(), Whose::Own, &[], at(121));
    judge(&mut across, i64::MAX, HERE, &mut found);
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
    judge(&mut across, at(110), i64::MIN, &mut found);
    judge(&mut across, at(139), i64::MIN, &mut found);
    across.hear(refused(100).as_bytes(), Whose::Another, &[], at(139));
    judge(&mut across, at(139), at(138), &mut found);
    assert_eq!(ids(&found), ["detect/refused-then-allowed"]);
    assert_eq!((across.numbers().alone, across.waiting()), (0, None));
    // The other is away for longer, and only the first waits for it.
    across.hear(allowed(200).as_bytes(), Whose::Own, &[], at(200));
    judge(&mut across, at(210), at(190), &mut found);
    assert_eq!(across.waiting(), Some(at(200)));
    judge(&mut across, at(210) + PATIENCE, at(190), &mut found);
    assert_eq!((across.numbers().alone, across.waiting()), (1, None));
    across.hear(allowed(250).as_bytes(), Whose::Own, &[], at(250));
    judge(&mut across, at(251) + HOLD, at(190), &mut found);
    assert_eq!((across.numbers().alone, across.waiting()), (2, None));
}

#[test]
fn who_has_much_to_give_is_waited_for_longer_and_not_for_ever() {
    let (mut across, mut found) = (across(), Vec::new());
    across.hear(allowed(100).as_bytes(), Whose::Own, &[], at(100));
    let mut now = at(110);
    judge(&mut across, now, at(90), &mut found);
    while now < at(110) + LONGEST {
        assert_eq!((across.numbers().alone, across.waiting()), (0, Some(at(100))));
        across.goes_on(now);
        now += PATIENCE - SECOND;
        judge(&mut across, now, at(90), &mut found);
    }
    assert_eq!((across.numbers().alone, across.waiting()), (1, None));
}

#[test]
fn what_takes_too_long_goes_on_the_next_time_and_what_there_is_no_room_for_is_counted() {
    let (mut across, mut found) = (across(), Vec::new());
    for second in [100, 101, 102] {
        across.hear(refused(second).as_bytes(), Whose::Another, &[], at(second));
    }
    let now = (at(110), HERE);
    assert!(across.judge(now, &mut || true, &mut found));
    assert_eq!(across.waiting(), Some(at(101)));
    let mut asked = 0;
    let mut is_over = || {
        asked += 1;
        asked == 2
    };
    assert!(across.judge(now, &mut is_over, &mut found));
    assert_eq!(across.waiting(), None);
    assert!(!across.judge(now, &mut || true, &mut found));
    let before = across.forgotten();
    let line = allowed_by(110, &"x".repeat(MOST_HELD / 8));
    for number in 0..20 {
        across.hear(line.as_bytes(), Whose::Own, &[], at(110) + number);
    }
    assert!(across.is_full() && across.bytes <= 2 * MOST_HELD, "{}", across.bytes);
    assert_eq!(across.forgotten() - before, 5);
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
        judge(&mut across, at(170), HERE, &mut found);
        let line = used(second, "10.9.9.9");
        across.hear(line.as_bytes(), Whose::Another, &[], at(191));
        across.hear(used(195, "10.1.2.3").as_bytes(), Whose::Own, &[], at(195));
        judge(&mut across, i64::MAX, HERE, &mut found);
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
        judge(&mut across, at(0) + number, HERE, &mut found);
        assert!(across.bytes <= MOST_HELD, "{}", across.bytes);
    }
    assert_eq!(across.numbers().early, 13);
    judge(&mut across, at(1) + HOLD, HERE, &mut found);
    assert_eq!((across.held.len(), across.bytes), (0, 0));
    // It was set back by a day: what came before waits no day, and what comes is not behind it.
    across.hear(refused(86_401).as_bytes(), Whose::Own, &[], at(86_401));
    judge(&mut across, at(1_000), HERE, &mut found);
    assert_eq!(across.held.len(), 0);
    assert!(!across.hear(refused(1_001).as_bytes(), Whose::Another, &[], at(1_001)));
}

#[test]
fn who_is_known_through_one_server_is_known_at_all() {
    let enters = |day: u32, namespace: &str| {
        let short =
            format!(r#"{{"at":{},"verb":"create","of":":pods/exec {namespace}/p"}}"#, day * 86_400);
        lines(&short).remove(0)
    };
    let mut before = Across::new(DETECTIONS, Feeds::default(), at(0));
    before.recall(enters(0, "web").as_bytes(), None);
    let mut across = across();
    assert!(across.learned(before.usual().as_bytes()));
    let (mut found, day) = (Vec::new(), 86_400);
    across.hear(enters(2, "web").as_bytes(), Whose::Own, &[], at(2 * day));
    across.hear(enters(3, "shop").as_bytes(), Whose::Own, &[], at(3 * day));
    judge(&mut across, i64::MAX, HERE, &mut found);
    let ids = ids(&found);
    assert_eq!(ids.iter().filter(|id| *id == "detect/first-exec").count(), 1, "{ids:?}");
}
