//! What a collector finds outlives it, and so does what it has to remember to find more.

use std::io::Write as _;
use std::path::Path;

use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::engine::Engine;
use ringfort_pki::Ed25519Key;

use super::*;
use crate::format::query::Query;
use crate::format::sealed::{Block, END_BYTES, Table, end};
use crate::format::verify::Wrong;
use crate::os::collect::{Collector, Settings};
use crate::os::store::{FINDINGS, MARK, UNJUDGED, USUAL};
use crate::os::{
    ClaimError, Directory, Follower, Places, Unjudged, claim, held, search, verify, verify_newest,
};

/// 2026-01-05T10:00:00Z.
const NOW: i64 = 1_767_607_200;

/// A log with a store in memory that it is kept in.
struct Kept {
    at: tempfile::TempDir,
    disk: Memory,
    key: String,
}

impl Kept {
    fn new() -> Self {
        let key = Ed25519Key::make().unwrap().pem().unwrap().expose().clone();
        Self { at: tempfile::tempdir().unwrap(), disk: Memory::new(7), key }
    }

    fn log(&self, lines: impl IntoIterator<Item = String>) {
        log(&self.at.path().join("audit.log"), lines);
    }

    fn begin(&self, limits: Limits) -> Collector<Memory> {
        let log = self.at.path().join("audit.log");
        let settings = Settings { log, source: "cp1".to_owned(), limits };
        let key = Ed25519Key::read(&self.key).unwrap();
        Collector::new(self.disk.clone(), key, &settings, Engine::new(DETECTIONS), NOW).unwrap()
    }

    fn findings(&self) -> Vec<String> {
        let file = self.disk.file(FINDINGS).unwrap_or_default();
        String::from_utf8(file).unwrap().lines().map(str::to_owned).collect()
    }

    fn wrong(&self) -> Vec<Wrong> {
        verified(&self.disk, &self.key).wrong.iter().map(|it| it.wrong).collect()
    }
}

pub(super) fn log(path: &Path, lines: impl IntoIterator<Item = String>) {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    lines.into_iter().for_each(|line| writeln!(file, "{line}").unwrap());
}

pub(super) fn go_on<D: Disk>(collector: &mut Collector<D>, seconds: i64) {
    while collector.read(seconds * 1_000_000, &mut |_| ()).unwrap() {
        collector.keep(seconds, &mut |_| ()).unwrap();
    }
    collector.keep(seconds, &mut |_| ()).unwrap();
}

/// Somebody is refused something: ten different things within a minute are too many.
fn refused(number: u64) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"id-{number}","stage":"ResponseComplete","verb":"get","user":{{"username":"eve"}},"objectRef":{{"resource":"pods","namespace":"web","name":"p{number}"}},"requestURI":"/api/v1/namespaces/web/pods/p{number}","responseStatus":{{"code":403}},"requestReceivedTimestamp":"2026-01-05T10:00:{number:02}.000001Z"}}"#
    )
}

#[test]
fn what_was_counted_before_a_restart_counts_after_it() {
    // From the segment that is written to, and from one that was sealed.
    for limits in [ALL, Limits { seal_bytes: 1, ..ALL }] {
        let kept = Kept::new();
        kept.log((0..6).map(refused));
        go_on(&mut kept.begin(limits), NOW);
        assert_eq!(kept.findings().len(), 0);
        kept.log((6..10).map(refused));
        go_on(&mut kept.begin(limits), NOW);
        let findings = kept.findings();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].contains("detect/refusals"), "{findings:?}");
        // What is judged again is not told again.
        go_on(&mut kept.begin(limits), NOW);
        assert_eq!(kept.findings(), findings);
    }
}

#[test]
fn a_log_that_changed_is_read_again_and_kept_once() {
    // As far as it is in the segment that is written to, and in one that was sealed.
    for limits in [ALL, Limits { seal_bytes: 1, ..ALL }] {
        let kept = Kept::new();
        kept.log((0..8).map(refused));
        go_on(&mut kept.begin(limits), NOW);
        // Somebody takes lines out of it, in place, while nobody collects.
        let path = kept.at.path().join("audit.log");
        let log = std::fs::read_to_string(&path).unwrap();
        let less: Vec<&str> = log.lines().filter(|line| !line.contains("id-5")).collect();
        std::fs::write(&path, less.join("\n") + "\n").unwrap();
        kept.log((8..11).map(refused));
        let mut collector = kept.begin(limits);
        go_on(&mut collector, NOW);
        let counts = collector.counts();
        assert_eq!((counts.gaps, counts.duplicates, counts.kept), (1, 7, 3), "{counts:?}");
    }
}

#[test]
fn a_finding_is_written_down_before_its_event_is_kept() {
    let kept = Kept::new();
    kept.log((0..10).map(refused));
    let mut collector = kept.begin(ALL);
    while collector.read(NOW * 1_000_000, &mut |_| ()).unwrap() {}
    // The power goes at each step of keeping.
    let (mut steps, mut noted) = (0, 0);
    loop {
        kept.disk.set(steps, usize::MAX);
        let is_kept = collector.keep(NOW, &mut |_| ()).is_ok();
        let stored = stored(&kept.disk).len();
        noted = kept.findings().len().max(noted);
        assert!(stored == 0 || noted == 1, "after {steps} steps {stored} are kept, {noted} noted");
        if is_kept {
            break;
        }
        steps += 1;
    }
    assert!(steps > 2, "{steps}");
    assert_eq!((stored(&kept.disk).len(), kept.findings().len()), (10, 1));
}

#[test]
fn a_line_that_power_cut_is_taken_off_the_findings() {
    let kept = Kept::new();
    kept.log((0..10).map(refused));
    go_on(&mut kept.begin(ALL), NOW);
    let whole = kept.findings();
    let file = [&kept.disk.file(FINDINGS).unwrap()[..], b"{\"detec"].concat();
    kept.disk.replace(FINDINGS, Some(file));
    kept.log((10..20).map(refused));
    go_on(&mut kept.begin(ALL), NOW);
    let findings = kept.findings();
    assert_eq!((findings.len(), &findings[0]), (2, &whole[0]), "{findings:?}");
}

/// Groups that are cut off the end leave whole groups: only the mark tells.
#[test]
fn what_is_cut_off_the_end_is_no_crash() {
    let kept = Kept::new();
    let mut collector = kept.begin(ALL);
    let mut ends = Vec::new();
    for number in 0..3 {
        kept.log([event(number)]);
        go_on(&mut collector, NOW + 10 * number.cast_signed());
        ends.push(kept.disk.file("0000000001.open").unwrap().len());
    }
    collector.end(NOW + 30).unwrap();
    drop(collector);
    assert_eq!(kept.wrong(), []);
    let whole = kept.disk.file("0000000001.open").unwrap();
    for (end, cut) in [(ends[1], 1), (ends[0], 2)] {
        let mark = kept.disk.file(MARK);
        kept.disk.replace("0000000001.open", Some(whole[..end].to_vec()));
        assert_eq!(kept.wrong(), [Wrong::Cut]);
        let mut collector = kept.begin(ALL);
        assert_eq!(collector.counts().cut, cut);
        // The server's log has them still.
        go_on(&mut collector, NOW + 30);
        assert_eq!(stored(&kept.disk), (0..3).map(event).collect::<Vec<_>>());
        // That somebody was there stays known.
        assert_eq!(kept.wrong(), [Wrong::Damaged]);
        kept.disk.replace("0000000001.damaged", None);
        kept.disk.replace(MARK, mark);
        kept.disk.replace("0000000001.open", Some(whole.clone()));
    }
    kept.disk.replace("0000000001.open", None);
    assert_eq!(kept.wrong(), [Wrong::Cut]);
    kept.disk.replace(MARK, Some(b"{}".to_vec()));
    kept.disk.replace("0000000001.open", Some(whole));
    assert_eq!(kept.wrong(), [Wrong::Mark]);
}

/// A store in a directory, with so many events in each of its sealed segments, and one more that is not sealed.
fn directory(segments: u64, each: u64) -> (tempfile::TempDir, Ed25519Key) {
    let at = tempfile::tempdir().unwrap();
    let store = at.path().join("store");
    let claimed = claim(&store).unwrap();
    let path = at.path().join("audit.log");
    let limits = Limits { seal_bytes: 1, ..ALL };
    let settings = Settings { log: path.clone(), source: "cp1".to_owned(), limits };
    let key = Ed25519Key::read(claimed.key.pem().unwrap().expose()).unwrap();
    let mut collector =
        Collector::new(claimed.directory, claimed.key, &settings, Engine::new(DETECTIONS), NOW)
            .unwrap();
    for segment in 0..segments {
        log(&path, (segment * each..(segment + 1) * each).map(event));
        go_on(&mut collector, NOW);
    }
    collector.end(NOW).unwrap();
    (at, key)
}

#[test]
fn a_key_is_never_made_anew_over_what_another_signed() {
    let (at, _) = directory(1, 2);
    let store = at.path().join("store");
    let (key, aside) = (store.join("key"), at.path().join("aside"));
    std::fs::rename(&key, &aside).unwrap();
    assert!(matches!(claim(&store), Err(ClaimError::NoKey)));
    assert!(!key.exists());
    std::fs::rename(&aside, &key).unwrap();
    assert!(claim(&store).is_ok());
    // Before anything was kept, one is made.
    let fresh = at.path().join("fresh");
    Directory::new(&fresh).unwrap();
    assert!(claim(&fresh).is_ok());
}

#[test]
fn who_follows_goes_on_over_what_was_sealed_meanwhile() {
    let (at, _) = directory(1, 2);
    let store = at.path().join("store");
    let texts = |follower: &mut Follower| {
        let mut texts = Vec::new();
        let mut visit =
            |entry: &Entry<'_>| texts.push(String::from_utf8(entry.text.to_vec()).unwrap());
        while follower.look(&mut visit).unwrap() > 0 {}
        texts
    };
    let beginning = crate::os::Place { segment: 1, next: 0 };
    let mut follower = Follower::new(&store, Some(beginning)).unwrap();
    assert_eq!(texts(&mut follower), [event(0), event(1)]);
    let place = follower.place();
    drop(follower);
    // Two segments are sealed while nobody follows.
    let path = at.path().join("audit.log");
    let limits = Limits { seal_bytes: 1, ..ALL };
    let settings = Settings { log: path.clone(), source: "cp1".to_owned(), limits };
    let claimed = claim(&store).unwrap();
    let mut collector =
        Collector::new(claimed.directory, claimed.key, &settings, Engine::new(DETECTIONS), NOW)
            .unwrap();
    for number in 2..4 {
        log(&path, [event(number)]);
        go_on(&mut collector, NOW);
    }
    let mut follower = Follower::new(&store, Some(place)).unwrap();
    assert_eq!(texts(&mut follower), [event(2), event(3)]);
    assert_eq!(texts(&mut Follower::new(&store, None).unwrap()), [""; 0]);
    // Who takes a few at a time goes on where it was, also in another run.
    let (mut seen, mut place) = (Vec::new(), beginning);
    for _ in 0..4 {
        let mut follower = Follower::new(&store, Some(place)).unwrap();
        let mut visit = |entry: &Entry<'_>| seen.push(entry.text.to_vec());
        assert!(follower.look_at(1, &mut visit).unwrap() > 0);
        place = follower.place();
        if seen.len() == 4 {
            break;
        }
    }
    assert_eq!(seen, [event(0), event(1), event(2), event(3)].map(String::into_bytes));
    // What is gone is counted, and what is behind it comes.
    std::fs::remove_file(store.join("0000000001.seg")).unwrap();
    let mut follower = Follower::new(&store, Some(beginning)).unwrap();
    assert_eq!(texts(&mut follower), [event(2), event(3)]);
    assert_eq!(follower.unread(), 1);
    let mut oldest = Follower::from_oldest(&store).unwrap();
    assert_eq!((texts(&mut oldest), oldest.unread()), (vec![event(2), event(3)], 0));
    let beyond = crate::os::Place { segment: 40, next: 0 };
    assert!(Follower::new(&store, Some(beyond)).is_err());
}

/// A run that ended between the file and its checkpoint leaves a file, and the open segment grows on.
#[test]
fn a_file_without_its_checkpoint_hides_nothing_from_a_search() {
    let (at, _) = directory(1, 2);
    let store = at.path().join("store");
    let search = || {
        let query = Query::read("verb=get", jiff::Timestamp::UNIX_EPOCH);
        search(&store, &query.unwrap(), &mut |_, _| true).unwrap()
    };
    std::fs::rename(store.join("0000000001.seg"), store.join("0000000002.seg")).unwrap();
    std::fs::remove_file(store.join("0000000001.checkpoint")).unwrap();
    let claimed = claim(&at.path().join("other")).unwrap();
    let (mut grown, _) = Store::open(claimed.directory, claimed.key, ALL, NOW).unwrap();
    let text = event(7);
    let entry = Entry { source: "a", time: 7, kind: Kind::Event, text: text.as_bytes() };
    grown.append(&[entry; 3], b"", NOW).unwrap();
    let open = at.path().join("other/0000000001.open");
    std::fs::rename(open, store.join("0000000002.open")).unwrap();
    let searched = search();
    assert_eq!((searched.found, searched.unreadable), (3, 0));
}

/// Somebody was at the table of a segment: what it says would take more memory than there is.
#[test]
fn a_table_is_not_believed_of_what_is_not_in_the_file() {
    let (at, _) = directory(1, 2);
    let path = at.path().join("store/0000000001.seg");
    let file = std::fs::read(&path).unwrap();
    let (from, _, _) = end(&file[file.len() - END_BYTES..]).unwrap();
    let table = Table::of(&file).unwrap();
    let most = usize::MAX >> 1;
    let long = Block { packed: most, ..table.blocks[0] };
    let beyond = (u64::MAX - 8, u64::MAX - 8);
    for forged in [
        Table { blocks: vec![long], ..table.clone() },
        Table { blocks: vec![Block { at: u64::MAX, ..long }], ..table.clone() },
        Table { index: beyond, ..table.clone() },
    ] {
        let table = forged.bytes();
        let mut forged = file[..from as usize].to_vec();
        forged.extend_from_slice(&table);
        forged.extend_from_slice(&from.to_le_bytes());
        forged.extend_from_slice(&(table.len() as u64).to_le_bytes());
        forged.extend_from_slice(&crc32fast::hash(&table).to_le_bytes());
        forged.extend_from_slice(b"RFSEAL01");
        std::fs::write(&path, forged).unwrap();
        let query = Query::read("verb=get", jiff::Timestamp::UNIX_EPOCH).unwrap();
        let searched = search(&at.path().join("store"), &query, &mut |_, _| true).unwrap();
        assert_eq!((searched.found, searched.unreadable), (0, 1));
    }
}

#[test]
fn of_old_segments_the_length_is_looked_at() {
    let (at, key) = directory(3, 20);
    let store = at.path().join("store");
    let newest = std::fs::metadata(store.join("0000000003.seg")).unwrap().len();
    let look = || verify_newest(&store, key.public(), &[], newest).unwrap();
    let report = look();
    assert_eq!((report.segments, report.unread, report.wrong.len()), (1, 2, 0));
    let all = verify(&store, key.public(), &[]).unwrap();
    assert_eq!((all.segments, all.unread), (3, 0));
    let file = std::fs::OpenOptions::new().write(true).open(store.join("0000000001.seg")).unwrap();
    file.set_len(50).unwrap();
    assert_eq!(look().wrong[0].wrong, Wrong::Shortened);
    std::fs::remove_file(store.join("0000000001.seg")).unwrap();
    assert_eq!(look().wrong[0].wrong, Wrong::Gone);
}

#[test]
fn what_is_held_of_a_request_is_told_by_its_id() {
    let at = tempfile::tempdir().unwrap();
    let (store, path) = (at.path().join("store"), at.path().join("audit.log"));
    let now = jiff::Timestamp::from_second(NOW + 60).unwrap();
    log(&path, (0..10).map(refused));
    let witnessed = at.path().join("witnessed");
    let places = Places {
        log: path.clone(),
        store: store.clone(),
        witnessed,
        count: at.path().join("count"),
        together: at.path().join("together"),
    };
    let look = |text: &str| held(&places, text, now).unwrap();
    let nothing = look("web/pods/p9\"");
    assert_eq!((nothing.key.as_str(), nothing.logged.len(), nothing.kept.len()), ("", 1, 0));
    let claimed = claim(&store).unwrap();
    let settings = Settings { log: path.clone(), source: "cp1".to_owned(), limits: ALL };
    let mut collector =
        Collector::new(claimed.directory, claimed.key, &settings, Engine::new(DETECTIONS), NOW)
            .unwrap();
    go_on(&mut collector, NOW);
    let seen = look("web/pods/p3\"");
    assert_eq!(seen.logged, seen.kept);
    assert_eq!(seen.kept.first().unwrap().id, "id-3");
    assert_eq!((seen.findings.len(), seen.wrong.len(), seen.entries), (0, 0, 10));
    assert_eq!(seen.key.len(), 64);
    // The tenth was one too many.
    let found = look("web p9");
    assert_eq!(found.findings, ["detect/refusals".to_owned()].into());
    assert_eq!(found.found_ms, [("detect/refusals".to_owned(), 51_000)].into());
    let file = std::fs::OpenOptions::new().write(true).open(store.join("0000000001.open")).unwrap();
    file.set_len(file.metadata().unwrap().len() - 3).unwrap();
    collector.end(NOW + 60).unwrap();
    assert_eq!(look("web p9").wrong.len(), 1);
}

/// Somebody changes the policy of the server, so that bodies are not written any more.
#[test]
fn events_without_the_bodies_that_are_asked_for_are_a_finding() {
    let kept = Kept::new();
    let mut collector = kept.begin(ALL);
    let pod = |number: u64, body: &str| {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"id-{number}","stage":"ResponseComplete","verb":"create","user":{{"username":"eve"}},"objectRef":{{"resource":"pods","namespace":"web","name":"p{number}","apiVersion":"v1"}},"requestURI":"/api/v1/namespaces/web/pods","responseStatus":{{"code":201}},"requestReceivedTimestamp":"2026-01-05T10:00:{number:02}.000001Z"{body}}}"#
        )
    };
    let missing = || {
        let findings = kept.findings();
        findings.into_iter().filter(|it| it.contains("audit/bodies-missing")).collect::<Vec<_>>()
    };
    kept.log([pod(1, r#","responseObject":{"kind":"Pod","metadata":{"name":"p1"}}"#)]);
    go_on(&mut collector, NOW);
    assert_eq!(missing(), Vec::<String>::new());
    kept.log([pod(2, ""), pod(3, "")]);
    go_on(&mut collector, NOW + 1);
    assert!(missing()[0].contains("2 events were logged without"), "{:?}", missing());
    // It goes on, and is told again in an hour.
    kept.log([pod(4, "")]);
    go_on(&mut collector, NOW + 2);
    assert_eq!(missing().len(), 1);
    kept.log([pod(5, "")]);
    go_on(&mut collector, NOW + 3_602);
    assert_eq!(missing().len(), 2);
    assert!(missing()[1].contains("2 events were logged without"), "{:?}", missing());
}

/// A pod is changed by a patch, and its answer says nothing of it: whatever the patch is, it is told.
fn patched(number: u64, patch: &str) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"id-{number}","stage":"ResponseComplete","verb":"patch","user":{{"username":"eve"}},"objectRef":{{"resource":"pods","namespace":"web","name":"p{number}","apiVersion":"v1"}},"requestURI":"/api/v1/namespaces/web/pods/p{number}","responseStatus":{{"code":200}},"requestReceivedTimestamp":"2026-01-05T10:00:{number:02}.000001Z","requestObject":{patch},"responseObject":{{"kind":"PartialObjectMetadata","metadata":{{"name":"p{number}"}}}}}}"#
    )
}

#[test]
fn what_cannot_be_judged_is_counted_and_found() {
    let kept = Kept::new();
    let mut collector = kept.begin(ALL);
    let told = || {
        let findings = kept.findings();
        findings.into_iter().filter(|it| it.contains("audit/not-judged")).collect::<Vec<_>>()
    };
    kept.log([patched(1, r#"{"spec":{"hostNetwork":false}}"#)]);
    go_on(&mut collector, NOW);
    assert_eq!(told(), Vec::<String>::new());
    let twice = r#"{"spec":{"hostNetwork":true,"hostNetwork":false}}"#;
    let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
    kept.log([patched(2, twice), patched(3, &deep), "{\"kind\":\"Ev".to_owned()]);
    go_on(&mut collector, NOW + 1);
    let counts = collector.counts();
    assert_eq!((counts.unjudged.bodies, counts.unreadable), (2, 1), "{counts:?}");
    let found = told();
    assert_eq!(found.len(), 1, "{found:?}");
    for said in [
        "lines that cannot be read: 1",
        "bodies that cannot be read: 2",
        "the first was eve patch pods web p2: its body could not be judged: a key stands twice",
    ] {
        assert!(found[0].contains(said), "{found:?}");
    }
    // It goes on, and is told again in an hour, also when nothing comes by then.
    kept.log([patched(4, twice)]);
    go_on(&mut collector, NOW + 2);
    assert_eq!(told().len(), 1);
    go_on(&mut collector, NOW + 3_602);
    assert_eq!(told().len(), 2);
    assert!(
        told()[1].contains("bodies that cannot be read: 1; the first was eve patch pods web p4")
    );
    // The number goes on over a restart, and what is judged once more is not counted twice.
    let number = |disk: &Memory| String::from_utf8(disk.file(UNJUDGED).unwrap()).unwrap();
    collector.end(NOW + 3_603).unwrap();
    assert_eq!(number(&kept.disk), "4");
    let mut again = kept.begin(ALL);
    assert_eq!(again.counts().unjudged, Unjudged::default());
    kept.log([patched(5, twice)]);
    go_on(&mut again, NOW + 3_604);
    again.end(NOW + 3_605).unwrap();
    assert_eq!(number(&kept.disk), "5");
}

/// Somebody enters a namespace on a day.
fn entered(day: i64, namespace: &str) -> String {
    let time = jiff::Timestamp::from_second(NOW + day * 86_400).unwrap();
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"{day}-{namespace}","stage":"ResponseComplete","verb":"create","user":{{"username":"eve"}},"objectRef":{{"resource":"pods","subresource":"exec","namespace":"{namespace}","name":"p","apiVersion":"v1"}},"requestURI":"/api/v1/namespaces/{namespace}/pods/p/exec","responseStatus":{{"code":101}},"requestReceivedTimestamp":"{time}"}}"#
    )
}

/// What was learned is not learned anew after a restart, with everything that is done meanwhile taken for usual: also
/// where what it was learned from is too old, or too much, to be judged once more.
#[test]
fn what_callers_usually_do_is_known_after_a_restart() {
    let limits = Limits { seal_bytes: 1, ..ALL };
    let first = |kept: &Kept| {
        let findings = kept.findings();
        findings.into_iter().filter(|it| it.contains("detect/first-exec")).collect::<Vec<_>>()
    };
    // One ends in good order, and one is killed behind what it sealed.
    for is_killed in [false, true] {
        let kept = Kept::new();
        let mut collector = kept.begin(limits);
        kept.log([entered(-9, "web")]);
        go_on(&mut collector, NOW - 9 * 86_400);
        if !is_killed {
            collector.end(NOW - 9 * 86_400).unwrap();
        }
        drop(collector);
        let mut collector = kept.begin(limits);
        kept.log([entered(0, "web"), entered(0, "shop")]);
        go_on(&mut collector, NOW);
        let found = first(&kept);
        assert_eq!(found.len(), 1, "killed {is_killed}: {found:?}");
        assert!(found[0].contains("shop"), "{found:?}");
    }
    // What is not understood is said: for a day nothing is new.
    let kept = Kept::new();
    kept.log([entered(-9, "web")]);
    go_on(&mut kept.begin(limits), NOW - 9 * 86_400);
    kept.disk.replace(USUAL, Some(b"{".to_vec()));
    let mut collector = kept.begin(limits);
    kept.log([entered(0, "shop")]);
    go_on(&mut collector, NOW);
    assert!(first(&kept).is_empty());
    assert!(kept.findings().iter().any(|it| it.contains("audit/usual-forgotten")));
}
