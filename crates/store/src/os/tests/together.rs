//! Two collectors whose API servers share what somebody does: what neither log shows by itself is told once, by whoever
//! keeps the last of it.

use std::ops::Range;

use ringfort_audit::across::{Across, HOLD};
use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::engine::Engine;
use ringfort_audit::feeds::Feeds;
use ringfort_pki::Ed25519Key;

use super::collect::log;
use super::*;
use crate::os::collect::{CollectError, Collector, Settings, Told};
use crate::os::follow::Place;
use crate::os::neighbours::Neighbours;
use crate::os::share::{Asked, Spot, Wanted, bring};
use crate::os::store::{FINDINGS, USUAL, USUAL_TOGETHER};

/// 2026-01-05T10:00:00Z, in microseconds.
const NOW: i64 = 1_767_607_200_000_000;
const SECOND: i64 = 1_000_000;

/// A control plane, with what is brought to it.
struct Plane {
    name: &'static str,
    other: &'static str,
    at: tempfile::TempDir,
    disk: Memory,
    brought: Memory,
    key: String,
}

impl Plane {
    fn new(name: &'static str, other: &'static str) -> Self {
        let key = Ed25519Key::make().unwrap().pem().unwrap().expose().clone();
        let (at, disk, brought) = (tempfile::tempdir().unwrap(), Memory::new(7), Memory::new(9));
        log(&at.path().join("audit.log"), []);
        Self { name, other, at, disk, brought, key }
    }

    fn alone(&self, now: i64) -> Collector<Memory> {
        let log = self.at.path().join("audit.log");
        let settings = Settings { log, source: self.name.to_owned(), limits: ALL };
        let (key, engine) = (Ed25519Key::read(&self.key).unwrap(), Engine::new(DETECTIONS));
        Collector::new(self.disk.clone(), key, &settings, engine, now / SECOND).unwrap()
    }

    fn begin(&self, now: i64) -> Collector<Memory> {
        let mut collector = self.alone(now);
        let across = Across::new(DETECTIONS, Feeds::default(), now);
        let others = [self.other.to_owned()];
        let neighbours = Neighbours::new(across, self.brought.clone(), &others, now);
        collector.join(neighbours, now / SECOND).unwrap();
        collector
    }

    fn logs(&self, lines: impl IntoIterator<Item = String>) {
        log(&self.at.path().join("audit.log"), lines);
    }

    /// Gives what is asked of a machine.
    fn asked(&self, source: &str) -> Option<Wanted> {
        let place = self.brought.file(&format!("{source}.place"))?;
        Some(serde_json::from_slice(&place).unwrap())
    }

    /// Gives from where on more of a machine is wanted.
    fn wanted(&self, source: &str) -> Option<Spot> {
        self.asked(source)?.behind
    }

    /// Gives how many seconds after a time others' events matter, where they begin.
    fn since(&self, time: i64) -> i64 {
        (self.asked(self.other).unwrap().since - time).div_euclid(SECOND)
    }

    /// Brings all that somebody keeps by then.
    fn bring(&self, source: &str, lines: impl IntoIterator<Item = String>, now: i64) {
        let from = self.wanted(source);
        self.bring_from(source, from, lines, (now, false, 0));
    }

    /// Brings what somebody keeps from a place on: when, whether there is more, and how much could not be read.
    fn bring_from(
        &self,
        source: &str,
        from: Option<Spot>,
        lines: impl IntoIterator<Item = String>,
        (at, is_more, unread): (i64, bool, u64),
    ) {
        let lines: Vec<String> = lines.into_iter().collect();
        let next = from.as_ref().map_or(1, |from| from.place.next) + lines.len() as u64;
        let store = from.as_ref().map_or_else(|| "ab".repeat(32), |from| from.store.clone());
        let behind = Spot { store, place: Place { segment: 1, next } };
        let since = self.asked(source).map_or(0, |asked| asked.since);
        let wanted = Wanted { since, behind: from };
        let (asked, mut disk) = (Asked { wanted, at }, self.brought.clone());
        bring(&mut disk, source, (asked, behind), &lines, (false, is_more, unread)).unwrap();
    }
}

/// Reads all that there is at a time, and gives what is told.
fn told(collector: &mut Collector<Memory>, now: i64) -> Vec<String> {
    let mut told = Vec::new();
    let mut tell = |it: Told| match it {
        Told::Finding(finding) => told.push(finding.detection.to_string()),
        other => panic!("{other:?}"),
    };
    while collector.read(now, &mut tell).unwrap() {}
    while collector.judge_together(now, &mut || false, &mut tell).unwrap() {}
    told
}

/// Somebody is refused something: ten different things within a minute are too many.
fn refused(numbers: Range<u64>) -> impl Iterator<Item = String> {
    numbers.map(|number| {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"ResponseComplete","verb":"get","user":{{"username":"eve"}},"objectRef":{{"resource":"pods","namespace":"web","name":"p{number}"}},"requestURI":"/api/v1/namespaces/web/pods/p{number}","responseStatus":{{"code":403}},"requestReceivedTimestamp":"2026-01-05T10:00:{number:02}.000001Z"}}"#
        )
    })
}

#[test]
fn what_is_spread_over_two_servers_is_told_once_by_whoever_keeps_the_last_of_it() {
    let (cp1, cp2) = (Plane::new("cp1", "cp2"), Plane::new("cp2", "cp1"));
    let (mut first, mut second) = (cp1.begin(NOW), cp2.begin(NOW));
    cp1.logs(refused(0..6));
    cp2.logs(refused(6..10));
    let now = NOW + 10 * SECOND;
    cp1.bring("cp2", refused(6..10), now);
    cp2.bring("cp1", refused(0..6), now);
    assert_eq!(told(&mut second, now), [""; 0], "something may come that was written before it");
    assert_eq!(told(&mut first, now + HOLD), [""; 0], "the last is another's");
    assert_eq!(told(&mut second, now + HOLD), ["detect/refusals"]);
    let counts = [&first, &second].map(|it| it.counts().together);
    assert_eq!(counts.map(|it| (it.events, it.findings, it.late)), [(4, 0, 0), (6, 1, 0)]);
    second.keep(NOW / SECOND, &mut |_| ()).unwrap();
    let findings = String::from_utf8(cp2.disk.file(FINDINGS).unwrap()).unwrap();
    assert_eq!(findings.lines().count(), 1, "{findings}");
    assert!(findings.contains("with what other API servers logged"), "{findings}");
    assert_eq!(stored(&cp2.disk).len(), 4, "what others keep is not kept twice");
    second.end(NOW / SECOND).unwrap();
    assert!(cp2.disk.file(USUAL_TOGETHER).is_some());
}

#[test]
fn what_one_server_shows_is_told_at_once_whatever_others_say() {
    let plane = Plane::new("cp1", "cp2");
    let mut collector = plane.begin(NOW);
    // Somebody at the other machine counts on that nothing is told twice.
    plane.bring("cp2", refused(0..10), NOW + 10 * SECOND);
    plane.logs(refused(0..10));
    assert_eq!(told(&mut collector, NOW + 10 * SECOND), ["detect/refusals"]);
    assert_eq!(told(&mut collector, NOW + 20 * SECOND), [""; 0]);
}

#[test]
fn nobody_speaks_for_a_machine_that_is_not_asked_for() {
    let plane = Plane::new("cp1", "cp2");
    let mut collector = plane.begin(NOW);
    plane.logs(refused(9..10));
    for stranger in ["cp3", "cp1", ""] {
        plane.bring(stranger, refused(0..9), NOW);
    }
    assert_eq!(told(&mut collector, NOW + 20 * SECOND), [""; 0]);
    let together = collector.counts().together;
    assert_eq!((together.events, together.findings), (0, 0));
}

#[test]
fn who_is_away_is_told_once_an_hour_until_all_of_it_is_here() {
    let plane = Plane::new("cp1", "cp2");
    let mut collector = plane.begin(NOW);
    let mut at = |seconds: i64| told(&mut collector, NOW + seconds * SECOND);
    let alone = ["audit/judged-alone"];
    assert_eq!(at(119), [""; 0]);
    assert_eq!(at(120), alone);
    assert_eq!(at(1_000), [""; 0]);
    assert_eq!(at(3_720), alone);
    // It is back, and there is more than it gives at once.
    plane.bring_from("cp2", None, refused(0..1), (NOW + 3_730 * SECOND, true, 0));
    assert_eq!(at(3_730), [""; 0]);
    plane.bring("cp2", refused(1..2), NOW + 3_740 * SECOND);
    assert_eq!(at(3_740), [""; 0]);
    assert_eq!(at(3_850), [""; 0]);
    assert_eq!(at(3_860), alone);
    assert_eq!(collector.counts().together.away, 1);
}

#[test]
fn what_comes_too_late_is_counted_by_whether_the_other_was_there() {
    let plane = Plane::new("cp1", "cp2");
    let mut collector = plane.begin(NOW);
    plane.logs(refused(9..10));
    for (second, lines) in [(20, 0..0), (29, 1..2), (50, 2..4)] {
        plane.bring("cp2", refused(lines), NOW + second * SECOND);
        assert_eq!(told(&mut collector, NOW + second * SECOND), [""; 0]);
    }
    let together = collector.counts().together;
    assert_eq!((together.events, together.late, together.caught_up), (3, 1, 2));
}

/// Whoever brings it is started anew, or was under way when the collector was.
#[test]
fn nothing_that_was_brought_is_judged_twice() {
    let plane = Plane::new("cp1", "cp2");
    let mut collector = plane.begin(NOW);
    let mut at = |seconds: i64| told(&mut collector, NOW + seconds * SECOND);
    plane.bring("cp2", refused(0..6), NOW + 10 * SECOND);
    assert_eq!(at(10), [""; 0]);
    let behind = plane.wanted("cp2").unwrap();
    assert_eq!(behind.place.next, 7);
    let now = NOW + 20 * SECOND;
    plane.bring_from("cp2", None, refused(0..6), (now, false, 0));
    assert_eq!(at(20), [""; 0]);
    assert_eq!(plane.brought.file("cp2.piece"), None);
    plane.bring_from("cp2", Some(behind), refused(6..7), (now, false, 0));
    assert_eq!(at(21), [""; 0]);
    let together = collector.counts().together;
    assert_eq!((together.events, together.late, together.anew), (7, 0, 0));
    // What lies there is of the run before.
    let left = plane.wanted("cp2");
    plane.bring_from("cp2", left, refused(7..8), (now, false, 0));
    let mut next = plane.begin(NOW + 30 * SECOND);
    assert_eq!((plane.brought.file("cp2.piece"), plane.wanted("cp2")), (None, None));
    assert_eq!(told(&mut next, NOW + 31 * SECOND), [""; 0]);
    assert_eq!(next.counts().together.events, 0);
}

#[test]
fn a_store_that_was_made_anew_begins_anew_and_is_counted() {
    let plane = Plane::new("cp1", "cp2");
    let mut collector = plane.begin(NOW);
    plane.bring("cp2", refused(0..1), NOW + SECOND);
    assert_eq!(told(&mut collector, NOW + SECOND), [""; 0]);
    let asked = Asked { wanted: plane.asked("cp2").unwrap(), at: NOW + 2 * SECOND };
    let behind = Spot { store: "cd".repeat(32), place: Place { segment: 1, next: 1 } };
    let (lines, mut disk): (Vec<String>, _) = (refused(1..2).collect(), plane.brought.clone());
    bring(&mut disk, "cp2", (asked, behind.clone()), &lines, (false, false, 0)).unwrap();
    assert_eq!(told(&mut collector, NOW + 3 * SECOND), [""; 0]);
    assert_eq!(plane.wanted("cp2"), Some(behind));
    let together = collector.counts().together;
    assert_eq!((together.events, together.anew), (2, 1));
}

#[test]
fn what_another_says_ends_nothing_and_makes_no_number_less() {
    let plane = Plane::new("cp1", "cp2");
    let mut collector = plane.begin(NOW);
    for (number, piece) in [&b"no piece"[..], b"", b"{}\n{}\n"].into_iter().enumerate() {
        plane.brought.replace("cp2.piece", Some(piece.to_vec()));
        assert_eq!(told(&mut collector, NOW + SECOND), [""; 0]);
        assert_eq!(plane.brought.file("cp2.piece"), None, "it would be read again");
        assert_eq!(collector.counts().together.unread, number as u64 + 1);
    }
    for number in 4..7 {
        let from = plane.wanted("cp2");
        plane.bring_from("cp2", from, [], (NOW + SECOND, false, u64::MAX));
        assert_eq!(told(&mut collector, NOW + SECOND), [""; 0]);
        assert_eq!(collector.counts().together.unread, number);
    }
    collector.end(NOW / SECOND).unwrap();
    assert_eq!(plane.disk.file("unjudged"), Some(b"6".to_vec()));
}

#[test]
fn what_waits_when_it_ends_is_judged_by_the_next_run() {
    let plane = Plane::new("cp1", "cp2");
    let mut collector = plane.begin(NOW);
    plane.logs(refused(9..10));
    assert_eq!(told(&mut collector, NOW + 10 * SECOND), [""; 0], "nothing of the other is here");
    collector.keep(NOW / SECOND + 10, &mut |_| ()).unwrap();
    collector.end(NOW / SECOND + 10).unwrap();
    let mut next = plane.begin(NOW + 15 * SECOND);
    assert_eq!(told(&mut next, NOW + 16 * SECOND), [""; 0]);
    plane.bring("cp2", refused(0..9), NOW + 17 * SECOND);
    assert_eq!(told(&mut next, NOW + 17 * SECOND), ["detect/refusals"]);
    let together = next.counts().together;
    assert_eq!((together.alone, together.late), (0, 0));
    // Once it was judged, no run judges it again.
    next.end(NOW / SECOND + 18).unwrap();
    let mut last = plane.begin(NOW + 20 * SECOND);
    plane.bring("cp2", refused(0..9), NOW + 21 * SECOND);
    assert_eq!(told(&mut last, NOW + 21 * SECOND), [""; 0]);
}

/// The longest of all windows is ten minutes.
#[test]
fn who_begins_asks_for_what_matters_to_what_it_has_not_judged() {
    let plane = Plane::new("cp1", "cp2");
    let window = 600 + HOLD / SECOND;
    let mut collector = plane.begin(NOW);
    let longest = 7_200 + window;
    assert_eq!(plane.since(NOW), -longest, "nothing was ever kept, and the log may be old");
    plane.logs(refused(9..10));
    plane.bring("cp2", [], NOW + 20 * SECOND);
    assert_eq!(told(&mut collector, NOW + 20 * SECOND), [""; 0]);
    assert_eq!(plane.since(NOW), 20 - window, "where its place is gone by then");
    collector.keep(NOW / SECOND + 20, &mut |_| ()).unwrap();
    collector.end(NOW / SECOND + 20).unwrap();
    drop(collector);
    // What was logged behind it meanwhile is not judged yet.
    for away in [30, 1_800, 7_200] {
        drop(plane.begin(NOW + away * SECOND));
        assert_eq!(plane.since(NOW), 9 - window, "{away}");
    }
    drop(plane.begin(NOW + 20_000 * SECOND));
    assert_eq!(plane.since(NOW), 20_000 - longest, "that was too long ago");
}

/// It is kept with the time at which it was read: what was logged before it may be read by the next run alone.
#[test]
fn a_line_that_says_no_time_does_not_say_up_to_when_the_log_was_read() {
    let plane = Plane::new("cp1", "cp2");
    let mut collector = plane.begin(NOW);
    let untimed = refused(0..1).map(|line| line.replace("requestReceivedTimestamp", "other"));
    plane.logs(refused(9..10).chain(untimed).chain(["{".to_owned()]));
    let now = NOW + 3_600 * SECOND;
    told(&mut collector, now);
    assert_eq!(collector.counts().unreadable, 1);
    collector.keep(now / SECOND, &mut |_| ()).unwrap();
    drop(collector);
    drop(plane.begin(now + SECOND));
    assert_eq!(plane.since(NOW), 9 - 600 - HOLD / SECOND);
}

/// Whoever takes the store away is judged by what all servers logged, or by a number that says otherwise.
#[test]
fn an_old_log_beside_a_new_store_is_judged_alone_as_far_as_nobody_is_asked_for_it() {
    let alone = |hours: i64| {
        let plane = Plane::new("cp1", "cp2");
        plane.logs(refused(9..10));
        let now = NOW + hours * 3_600 * SECOND;
        let mut collector = plane.begin(now);
        plane.bring("cp2", [], now + 5 * SECOND);
        assert_eq!(told(&mut collector, now + 5 * SECOND), [""; 0]);
        collector.counts().together.alone
    };
    assert_eq!([1, 3].map(alone), [0, 1]);
}

#[test]
fn what_another_leaves_out_at_the_beginning_is_counted_and_what_rests_on_it_as_well() {
    let alone = |unread: u64| {
        let plane = Plane::new("cp1", "cp2");
        let mut collector = plane.begin(NOW);
        plane.logs(refused(9..10));
        let now = NOW + 20 * SECOND;
        plane.bring_from("cp2", None, refused(5..6), (now, false, unread));
        assert_eq!(told(&mut collector, now), [""; 0]);
        let together = collector.counts().together;
        assert_eq!(together.unread, unread);
        together.alone
    };
    assert_eq!([0, 1].map(alone), [0, 1]);
}

#[test]
fn what_an_earlier_run_asked_for_is_not_taken_for_what_this_one_did() {
    let plane = Plane::new("cp1", "cp2");
    drop(plane.begin(NOW));
    let asked = Asked { wanted: plane.asked("cp2").unwrap(), at: NOW };
    let mut collector = plane.begin(NOW + 30 * SECOND);
    // It was under way.
    let behind = Spot { store: "ab".repeat(32), place: Place { segment: 1, next: 2 } };
    let (lines, mut disk): (Vec<String>, _) = (refused(1..2).collect(), plane.brought.clone());
    bring(&mut disk, "cp2", (asked, behind), &lines, (true, false, 0)).unwrap();
    assert_eq!(told(&mut collector, NOW + 31 * SECOND), [""; 0]);
    assert_eq!((plane.brought.file("cp2.piece"), plane.wanted("cp2")), (None, None));
    assert_eq!(collector.counts().together.events, 0);
}

/// One control plane becomes three, or the program is a newer one.
#[test]
fn who_is_known_to_one_server_is_nobody_new_to_all_of_them() {
    let plane = Plane::new("cp1", "cp2");
    let enters = |hour: u64| {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"ResponseComplete","verb":"list","user":{{"username":"admin","groups":["system:masters"]}},"sourceIPs":["10.1.2.3"],"objectRef":{{"resource":"pods","namespace":"web"}},"requestURI":"/api/v1/namespaces/web/pods","responseStatus":{{"code":200}},"requestReceivedTimestamp":"2026-01-05T{hour:02}:00:00.000001Z"}}"#
        )
    };
    let mut alone = plane.alone(NOW);
    plane.logs([enters(10)]);
    let is_new = |told: Vec<String>| told.contains(&"detect/masters-used".to_owned());
    assert!(is_new(told(&mut alone, NOW + SECOND)));
    alone.keep(NOW / SECOND, &mut |_| ()).unwrap();
    alone.keep(NOW / SECOND + 60, &mut |_| ()).unwrap();
    alone.end(NOW / SECOND + 60).unwrap();
    let later = NOW + 4 * 3_600 * SECOND;
    let mut collector = plane.begin(later);
    plane.logs([enters(14)]);
    plane.bring("cp2", [], later + 5 * SECOND);
    assert!(!is_new(told(&mut collector, later + 5 * SECOND)));
    assert_eq!(collector.counts().together.alone, 0);
}

#[test]
fn what_is_usual_is_forgotten_only_where_no_file_of_it_is_understood() {
    let plane = Plane::new("cp1", "cp2");
    plane.begin(NOW).end(NOW / SECOND).unwrap();
    let is_told = || {
        let told = told(&mut plane.begin(NOW + SECOND), NOW + SECOND);
        told.contains(&"audit/usual-forgotten".to_owned())
    };
    assert!(!is_told(), "both are understood");
    plane.disk.replace(USUAL_TOGETHER, Some(b"{".to_vec()));
    assert!(!is_told(), "what was learned alone is taken");
    plane.disk.replace(USUAL, None);
    assert!(is_told(), "nothing is");
    plane.disk.replace(USUAL_TOGETHER, None);
    assert!(!is_told(), "nothing was ever learned");
}

/// Nobody looks for it among what agents deliver.
#[test]
fn what_cannot_be_taken_of_others_is_called_so() {
    let plane = Plane::new("cp1", "cp2");
    let mut collector = plane.begin(NOW);
    plane.bring("cp2", [], NOW + SECOND);
    plane.brought.set(0, usize::MAX);
    let taken = collector.judge_together(NOW + SECOND, &mut || false, &mut |_| ());
    assert!(matches!(taken, Err(CollectError::Brought(_))), "{taken:?}");
}

/// Whoever is root on another control plane may bring as much as it likes.
#[test]
fn nothing_of_others_is_taken_while_the_own_log_is_read_from_long_ago() {
    let plane = Plane::new("cp1", "cp2");
    let mut collector = plane.begin(NOW);
    let now = NOW + 20 * SECOND;
    plane.logs(refused(0..1));
    plane.bring("cp2", refused(1..2), now);
    while collector.counts().lines == 0 {
        collector.read(now, &mut |_| ()).unwrap();
    }
    assert!(!collector.judge_together(now, &mut || false, &mut |_| ()).unwrap());
    assert!(plane.brought.file("cp2.piece").is_some());
    assert_eq!(told(&mut collector, now), [""; 0]);
    assert_eq!(plane.brought.file("cp2.piece"), None);
}

#[test]
fn where_time_is_over_each_has_its_turn() {
    let plane = Plane::new("cp1", "cp2");
    let mut collector = plane.alone(NOW);
    let across = Across::new(DETECTIONS, Feeds::default(), NOW);
    let others = ["cp2", "cp3"].map(str::to_owned);
    let neighbours = Neighbours::new(across, plane.brought.clone(), &others, NOW);
    collector.join(neighbours, NOW / SECOND).unwrap();
    let now = NOW + SECOND;
    plane.bring("cp2", [], now);
    plane.bring("cp3", [], now);
    for taken in ["cp2", "cp3", "cp2"] {
        assert!(collector.judge_together(now, &mut || true, &mut |_| ()).unwrap());
        assert_eq!(plane.brought.file(&format!("{taken}.piece")), None);
        let other = if taken == "cp2" { "cp3" } else { "cp2" };
        assert!(plane.brought.file(&format!("{other}.piece")).is_some());
        plane.bring(taken, [], now);
    }
}
