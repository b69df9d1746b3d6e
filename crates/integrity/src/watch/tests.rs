//! What looks at one file and one directory come to.

use ringfort_model::digest::Digest;
use ringfort_model::item::ItemId;
use ringfort_model::journal::{Phase, Record};
use ringfort_model::mode::{FileMode, Owner};

use super::*;
use crate::cgroup::Place;
use crate::judge::{Kind, Seen as FileSeen};
use crate::protected::{Expected, Hash, ModeRule, Presence, Protection};

const FILE: &str = "/etc/kubernetes/manifests/etcd.yaml";
const DIRECTORY: &str = "/etc/kubernetes/manifests";

fn hash(text: &str) -> Hash {
    Hash::Blake3(*blake3::hash(text.as_bytes()).as_bytes())
}

fn entry(path: &str, class: Class, expected: Option<&str>) -> Protected {
    Protected {
        path: path.parse().unwrap(),
        class,
        presence: Presence::Optional,
        severity: Severity::Critical,
        mode: (class == Class::Exact).then_some(ModeRule::Is(FileMode(0o600))),
        owner: None,
        expected: expected.map(|text| Expected { size: None, hash: hash(text) }),
    }
}

fn entries(expected: &str) -> Entries {
    let all = [
        entry(FILE, Class::Exact, Some(expected)),
        entry(DIRECTORY, Class::Listed, None),
        entry("/etc/shadow", Class::Exact, None),
        entry("/usr/local/bin/ringfort", Class::Exact, Some("ringfort 2")),
        entry("/var/log/a.log", Class::Growing, None),
    ];
    Entries::of(&all.into_iter().collect::<Protection>())
}

fn there(text: &str) -> Look {
    Look::There(seen(text))
}

fn seen(text: &str) -> FileSeen {
    FileSeen {
        kind: Kind::File,
        mode: FileMode(0o600),
        owner: Owner::ROOT,
        size: text.len() as u64,
        content: Content::Digest(hash(text)),
        number: 7,
        capabilities: Vec::new(),
    }
}

fn by(exe: &str, digest: &str) -> Heard {
    let process = Process {
        pid: 7,
        start: 1,
        exe: exe.to_owned(),
        digest: Some(hash(digest).text()),
        parent: 1,
        parents: Vec::new(),
        ended: false,
        place: Place::default(),
    };
    Heard { was_written: true, ..Heard::by(Who::Process(process)) }
}

fn journal(path: &str) -> Around {
    let mut around = Around::default();
    let record = Record {
        seq: 5,
        epoch: 1,
        item: ItemId::file(path),
        phase: Phase::Done,
        digest: Digest::of(b""),
    };
    around.add(&[record], 0);
    around
}

/// A watch of a machine on which everything was looked at once.
fn watch() -> Watch {
    let mut watch = Watch::begin(1, entries("pod"), BTreeMap::new());
    for (path, text) in [(FILE, "pod"), ("/etc/shadow", "root")] {
        let look = watch.look(
            &path.parse().unwrap(),
            &there(text),
            &Heard::by_a_look(),
            &Around::default(),
        );
        assert_eq!(look, Came::Nothing);
    }
    watch.was_looked_at();
    assert_eq!(watch.is_whole(), []);
    watch
}

fn look(watch: &mut Watch, path: &str, look: &Look, heard: &Heard) -> Option<Change> {
    look_with(watch, path, look, heard, &Around::default())
}

fn look_with(
    watch: &mut Watch,
    path: &str,
    look: &Look,
    heard: &Heard,
    around: &Around,
) -> Option<Change> {
    match watch.look(&path.parse().unwrap(), look, heard, around) {
        Came::Nothing => None,
        Came::Changed(change) => Some(*change),
        Came::Unknown(unknown) => panic!("{unknown:?}"),
    }
}

#[test]
fn a_change_is_told_once_against_the_baseline_and_again_when_it_is_right() {
    let mut watch = watch();
    let vi = by("/usr/bin/vi", "vi");
    let change = look(&mut watch, FILE, &there("evil"), &vi).unwrap();
    assert_eq!((change.why.clone(), change.is_right), (Why::Unexplained, false));
    assert_eq!(change.finding.severity, Severity::Critical);
    assert_eq!(change.who, vi.who);
    assert_eq!(look(&mut watch, FILE, &there("evil"), &Heard::by_a_look()), None);
    let back = look(&mut watch, FILE, &there("pod"), &vi).unwrap();
    assert_eq!(back.why, Why::Explained(Cause::Baseline { number: 1 }));
    assert!(back.is_right);
}

#[test]
fn what_nobody_knows_beforehand_is_compared_with_how_it_was() {
    let mut watch = watch();
    let change = look(&mut watch, "/etc/shadow", &there("evil"), &by("/bin/sh", "sh")).unwrap();
    let of: Vec<String> = change.finding.differences.iter().map(|it| it.of.to_string()).collect();
    assert_eq!(of, ["content"]);
    assert_eq!(change.before.unwrap().digest, Some(hash("root").text()));
    assert_eq!(change.why, Why::Unexplained);
    assert_eq!(look(&mut watch, "/etc/other", &there("x"), &by("/bin/sh", "sh")), None);
}

#[test]
fn what_comes_into_a_directory_is_told_and_what_came_and_went_too() {
    let mut watch = watch();
    let new = format!("{DIRECTORY}/evil.yaml");
    let sh = by("/bin/sh", "sh");
    assert!(look(&mut watch, &new, &there("x"), &sh).is_some());
    assert!(look(&mut watch, &new, &Look::Missing, &sh).is_some());
    let passing = look(&mut watch, &new, &Look::Missing, &sh).unwrap();
    assert_eq!(passing.finding.differences, []);
    assert_eq!(look(&mut watch, &new, &Look::Missing, &Heard::by_a_look()), None);
    // ringfort writes what its journal names aside, and nothing else.
    let mut around = journal(FILE);
    around.genuine.push("/usr/local/bin/ringfort".to_owned());
    let ringfort = by("/usr/local/bin/ringfort", "ringfort 2");
    let aside = format!("{DIRECTORY}/.etcd.yaml.ringfort.new");
    assert_eq!(look_with(&mut watch, &aside, &Look::Missing, &ringfort, &around), None);
    assert!(look_with(&mut watch, &new, &Look::Missing, &ringfort, &around).is_some());
}

#[test]
fn a_step_of_ringfort_explains_what_no_baseline_says_only_until_everything_was_looked_at() {
    let beside = format!("{DIRECTORY}/evil.yaml");
    for path in [FILE, &beside] {
        let mut watch = watch();
        let mut around = journal(path);
        around.genuine.push("/usr/local/bin/ringfort".to_owned());
        let ringfort = by("/usr/local/bin/ringfort", "ringfort 2");
        let mut change = look_with(&mut watch, path, &there("newer"), &ringfort, &around).unwrap();
        assert_eq!(change.why, Why::Explained(Cause::Converge { step: 5 }), "{path}");
        change.id = "a".to_owned();
        watch.recall(7, &Told::Change(Box::new(change)), true);
        // A baseline that comes meanwhile says it, and nothing is left to tell.
        let mut rebased = watch.clone();
        let mut all: Vec<Protected> = entries("newer").iter().collect();
        all.push(entry(&beside, Class::Exact, Some("newer")));
        rebased.rebase(2, Entries::of(&all.into_iter().collect::<Protection>()));
        let looked = look(&mut rebased, path, &there("newer"), &Heard::by_a_look());
        assert_eq!((looked, rebased.is_whole()), (None, Vec::new()), "{path}");
        // Without one it is unexplained, once, and no step explains it any more.
        assert_eq!(look(&mut watch, path, &there("newer"), &Heard::by_a_look()), None);
        let [told] = &watch.is_whole()[..] else { panic!("{path}") };
        assert_eq!((&told.why, told.finding.severity), (&Why::Unexplained, Severity::Critical));
        watch.hold(7, told);
        assert_eq!((watch.settle(&around), watch.is_whole()), (Vec::new(), Vec::new()), "{path}");
        assert_eq!(watch.open().count(), 1, "{path}");
    }
}

#[test]
fn that_no_step_is_under_way_does_not_make_new_what_was_not_looked_at_yet() {
    let mut watch = watch();
    let added = entry("/etc/added", Class::Watched, None);
    let all: Vec<Protected> = entries("pod").iter().chain([added]).collect();
    watch.rebase(2, Entries::of(&all.into_iter().collect::<Protection>()));
    assert_eq!(watch.is_whole(), []);
    assert_eq!(look(&mut watch, "/etc/added/a", &there("x"), &Heard::by_a_look()), None);
    watch.was_looked_at();
    assert!(look(&mut watch, "/etc/added/b", &there("x"), &Heard::by_a_look()).is_some());
}

#[test]
fn what_is_wrong_stays_so_to_be_put_back_though_it_cannot_be_read() {
    let path = FILE.parse().unwrap();
    let sh = by("/bin/sh", "sh");
    let mut watch = watch();
    // Of its size nothing says that it is wrong.
    look(&mut watch, FILE, &unreadable("", 3), &sh).unwrap();
    assert!(!watch.is_judged(&path) && !watch.is_wrong(&path));
    // Its mode does, whatever it holds.
    let Look::There(open) = unreadable("", 3) else { panic!("it is there") };
    let open = Look::There(FileSeen { mode: FileMode(0o666), ..open });
    look(&mut watch, FILE, &open, &sh).unwrap();
    assert!(watch.is_judged(&path) && watch.is_wrong(&path));
    // Another change of it is told, and so is that it is right again.
    assert!(look(&mut watch, FILE, &there("evil"), &sh).is_some());
    let back = look(&mut watch, FILE, &there("pod"), &sh).unwrap();
    assert!(back.is_right && watch.is_judged(&path) && !watch.is_wrong(&path));
}

#[test]
fn what_others_write_whenever_they_like_is_told_only_when_it_is_another_kind_of_file() {
    const ENV: &str = "/boot/grub/grubenv";
    let all = [entry("/boot", Class::Watched, None), entry(ENV, Class::Kept, None)];
    // An agent from before looked at it as at anything there.
    let known = |text: &str| Known {
        state: Some(State::of(&seen(text))),
        is_wrong: false,
        is_unseen: false,
    };
    let before = BTreeMap::from([(ENV.parse().unwrap(), known("once"))]);
    let mut watch = Watch::begin(1, Entries::pack(all), before);
    let written = |mode| {
        Look::There(FileSeen { mode: FileMode(mode), content: Content::Unread, ..seen("more") })
    };
    let editor = by("/usr/bin/grub-editenv", "x");
    assert_eq!(look(&mut watch, ENV, &written(0o600), &editor), None);
    assert_eq!(look(&mut watch, ENV, &written(0o600), &Heard::by_a_look()), None);
    let change = look(&mut watch, ENV, &written(0o666), &editor).unwrap();
    assert_eq!(found(&change).iter().map(|it| it.0).collect::<Vec<_>>(), [Aspect::Mode]);
    assert!(look(&mut watch, ENV, &Look::Missing, &editor).is_some());
}

#[test]
fn a_file_that_was_written_and_is_as_it_was_is_told_with_who_did_it() {
    let mut watch = watch();
    let change = look(&mut watch, FILE, &there("pod"), &by("/bin/sh", "sh")).unwrap();
    assert_eq!(change.finding.differences, []);
    assert_eq!(look(&mut watch, FILE, &there("pod"), &Heard::by_a_look()), None);
}

#[test]
fn a_newer_baseline_explains_what_it_says_and_what_its_ringfort_did() {
    let mut watch = watch();
    let ringfort = by("/var/lib/ringfort/bin/ringfort", "ringfort 3");
    let around = journal("/etc/shadow");
    for (number, (path, text)) in
        [(FILE, "newer"), ("/etc/shadow", "renewed")].into_iter().enumerate()
    {
        let mut change = look_with(&mut watch, path, &there(text), &ringfort, &around).unwrap();
        assert_eq!(change.why, Why::Unexplained, "the baseline does not know this ringfort");
        change.id = number.to_string();
        watch.hold(7, &change);
    }
    assert_eq!(watch.settle(&around), []);
    let mut all: Vec<Protected> = entries("newer").iter().collect();
    let own = all.iter_mut().find(|it| it.path.as_bytes().ends_with(b"bin/ringfort")).unwrap();
    own.expected = Some(Expected { size: None, hash: hash("ringfort 3") });
    watch.rebase(2, Entries::pack(all));
    assert_eq!(look(&mut watch, FILE, &there("newer"), &Heard::by_a_look()), None);
    let settled = watch.settle(&around);
    let why = |cause| Why::Explained(cause);
    let expected = [
        Told::Settled { change: "0".to_owned(), why: why(Cause::Baseline { number: 2 }) },
        Told::Settled { change: "1".to_owned(), why: why(Cause::Converge { step: 5 }) },
    ];
    assert_eq!(settled, expected);
    assert_eq!(watch.open().count(), 0);
}

#[test]
fn a_file_that_another_baseline_wants_otherwise_is_told_though_nobody_changed_it() {
    let mut watch = watch();
    watch.rebase(2, entries("newer"));
    let change = look(&mut watch, FILE, &there("pod"), &Heard::by_a_look()).unwrap();
    assert_eq!(change.finding.differences.len(), 1);
    assert_eq!(look(&mut watch, FILE, &there("pod"), &Heard::by_a_look()), None);
}

fn log(number: u64, size: u64) -> Look {
    Look::There(FileSeen { number, size, content: Content::Unread, ..seen("") })
}

const LOG: &str = "/var/log/a.log";

fn by_its_server(was_renamed_away: bool) -> Heard {
    let Who::Process(process) = by("/usr/local/bin/kube-apiserver", "x").who else {
        panic!("it is one")
    };
    let place = Place { container: Some("c1".to_owned()), ..Place::default() };
    let who = Who::Process(Process { place, ..process });
    Heard { was_written: true, was_renamed_away, ..Heard::by(who) }
}

/// A watch that has seen a log.
fn watch_of_a_log() -> Watch {
    let mut watch = Watch::begin(1, entries("pod"), BTreeMap::new());
    assert_eq!(look(&mut watch, LOG, &log(1, 50), &Heard::by_a_look()), None);
    watch.was_looked_at();
    watch
}

#[test]
fn a_log_may_grow_and_is_begun_anew_by_its_own_server() {
    let mut watch = watch_of_a_log();
    assert_eq!(look(&mut watch, LOG, &log(1, 90), &Heard::by_a_look()), None);
    assert_eq!(look(&mut watch, LOG, &log(1, 95), &by_its_server(false)), None);
    let rotation = Why::Explained(Cause::Rotation);
    let change = look(&mut watch, LOG, &log(2, 0), &by_its_server(true)).unwrap();
    assert_eq!(change.why, rotation);
    // It may be looked at between both steps.
    let gone = look(&mut watch, LOG, &Look::Missing, &by_its_server(true)).unwrap();
    let new = look(&mut watch, LOG, &log(3, 0), &by_its_server(false)).unwrap();
    assert_eq!((gone.why, new.why), (rotation.clone(), rotation));
}

#[test]
fn a_log_that_is_cut_exchanged_taken_away_or_written_by_another_is_told() {
    let mv = Heard { was_renamed_away: true, ..by("/usr/bin/vi", "vi") };
    let sh = by("/bin/sh", "sh");
    let told = |looked: Look, heard: &Heard| {
        let mut watch = watch_of_a_log();
        let change = look(&mut watch, LOG, &looked, heard).unwrap();
        assert_eq!(change.why, Why::Unexplained, "{change:?}");
        let of = change.finding.differences.iter().map(|it| format!("{}: {}", it.of, it.found));
        of.collect::<Vec<_>>()
    };
    assert_eq!(told(log(1, 49), &sh), ["content: 49 bytes"]);
    assert_eq!(told(log(1, 49), &Heard::by_a_look()), ["content: 49 bytes"]);
    assert_eq!(told(log(2, 99), &mv), ["content: another file"]);
    assert_eq!(told(Look::Missing, &mv), ["presence: missing"]);
    assert_eq!(told(log(1, 50), &sh), ["content: written by another"]);
    assert_eq!(told(log(1, 80), &sh), ["content: written by another"]);
    assert_eq!(told(log(1, 10), &by_its_server(false)), ["content: 10 bytes"]);
}

fn unreadable(text: &str, size: u64) -> Look {
    let content = Content::Unreadable("it changed each time while it was read".to_owned());
    Look::There(FileSeen { size, content, ..seen(text) })
}

fn found(change: &Change) -> Vec<(Aspect, &str)> {
    change.finding.differences.iter().map(|it| (it.of, it.found.as_str())).collect()
}

#[test]
fn what_was_written_and_cannot_be_read_is_told_once_and_what_it_held_stays_known() {
    for path in [FILE, "/etc/shadow"] {
        let mut watch = watch();
        let size = if path == FILE { 3 } else { 4 };
        let sh = by("/bin/sh", "sh");
        let parsed = path.parse().unwrap();
        let quiet = |watch: &mut Watch, heard: &Heard| {
            let came = watch.look(&parsed, &unreadable("", size), heard, &Around::default());
            assert!(matches!(came, Came::Unknown(_)), "{path}: {came:?}");
        };
        quiet(&mut watch, &Heard::by_a_look());
        let change = look(&mut watch, path, &unreadable("", size), &sh).unwrap();
        let why = "it changed each time while it was read";
        assert_eq!(found(&change), [(Aspect::Content, why)], "{path}");
        assert_eq!((&change.why, change.is_right), (&Why::Unexplained, false), "{path}");
        quiet(&mut watch, &sh);
        quiet(&mut watch, &Heard::by_a_look());
        // Another content of the same size is seen as soon as it can be.
        let other = if path == FILE { "pox" } else { "evil" };
        let change = look(&mut watch, path, &there(other), &Heard::by_a_look()).unwrap();
        assert_eq!(change.finding.differences[0].of, Aspect::Content, "{path}");
        // And after a restart as well.
        let mut again = Watch::begin(1, entries("pod"), watch.known().clone());
        assert_eq!(look(&mut again, path, &there(other), &Heard::by_a_look()), None);
    }
}

#[test]
fn of_what_cannot_be_read_all_that_was_seen_is_judged() {
    let sh = by("/bin/sh", "sh");
    let mut watch = watch();
    let looked = unreadable("", 5 << 30);
    let change = look(&mut watch, "/etc/shadow", &looked, &Heard::by_a_look()).unwrap();
    assert_eq!(change.finding.differences[0].found, format!("{} bytes", 5_u64 << 30));
    let Look::There(open) = unreadable("", 3) else { panic!("it is there") };
    let open = Look::There(FileSeen { mode: FileMode(0o666), ..open });
    let change = look(&mut watch, FILE, &open, &sh).unwrap();
    let of: Vec<_> = found(&change).into_iter().map(|it| it.0).collect();
    assert_eq!(of, [Aspect::Mode, Aspect::Content]);
    let forbidden = Protected { presence: Presence::Forbidden, ..entry("/f", Class::Exact, None) };
    let mut watch = Watch::begin(1, Entries::pack([forbidden]), BTreeMap::new());
    let change = look(&mut watch, "/f", &unreadable("", 1), &Heard::by_a_look()).unwrap();
    assert_eq!(change.finding.differences[0].of, Aspect::Presence);
}

#[test]
fn a_directory_on_the_way_that_was_exchanged_takes_away_what_lay_below() {
    let astray = Look::Astray("ENOTDIR".to_owned());
    let mut watch = watch();
    let path = "/etc/shadow".parse().unwrap();
    let change = look(&mut watch, "/etc/shadow", &astray, &by("/bin/sh", "sh")).unwrap();
    let expected = [(Aspect::Presence, "missing"), (Aspect::Content, "ENOTDIR")];
    assert_eq!((found(&change), change.after.clone()), (expected.to_vec(), None));
    let came = watch.look(&path, &astray, &Heard::by_a_look(), &Around::default());
    assert!(matches!(came, Came::Unknown(_)), "it is told once: {came:?}");
    let back = look(&mut watch, "/etc/shadow", &there("root"), &Heard::by_a_look()).unwrap();
    assert_eq!(back.finding.differences[0].of, Aspect::Presence);
}

#[test]
fn what_was_written_in_a_watched_directory_and_is_as_it_was_is_told() {
    let directory = entry("/usr/bin", Class::Watched, None);
    let all = [directory, entry("/usr/bin/dpkg", Class::Exact, Some("dpkg"))];
    let mut watch = Watch::begin(1, Entries::pack(all), BTreeMap::new());
    let path = "/usr/bin/less";
    assert_eq!(look(&mut watch, path, &there("x"), &Heard::by_a_look()), None);
    watch.was_looked_at();
    let change = look(&mut watch, path, &there("x"), &by("/bin/sh", "sh")).unwrap();
    assert_eq!((found(&change), &change.why), (Vec::new(), &Why::Unexplained));
    assert_eq!(look(&mut watch, path, &there("x"), &Heard::by_a_look()), None);
    let touched = Heard { was_written: false, ..by("/bin/sh", "sh") };
    assert_eq!(look(&mut watch, path, &there("x"), &touched), None);
    // A package manager that brings the same again is nothing to tell.
    let around = Around { genuine: vec!["/usr/bin/dpkg".to_owned()], ..Around::default() };
    let dpkg = by("/usr/bin/dpkg", "dpkg");
    assert_eq!(look_with(&mut watch, path, &there("x"), &dpkg, &around), None);
}

#[test]
fn capabilities_are_told_unless_an_older_agent_did_not_look_at_them() {
    let able = Look::There(FileSeen { capabilities: vec![1, 2], ..seen("root") });
    let mut watch = watch();
    let before = watch.known().clone();
    let change = look(&mut watch, "/etc/shadow", &able, &by("/bin/sh", "sh")).unwrap();
    assert_eq!(found(&change), [(Aspect::Capabilities, "0102")]);
    let mut older = Watch::begin(1, entries("pod"), before);
    older.learn_capabilities();
    assert_eq!(look(&mut older, "/etc/shadow", &able, &Heard::by_a_look()), None);
    assert!(look(&mut older, "/etc/shadow", &there("root"), &Heard::by_a_look()).is_some());
}

#[test]
fn what_was_open_stays_so_without_the_line_that_told_it() {
    let mut before = watch();
    let mut change = look(&mut before, FILE, &there("evil"), &by("/bin/sh", "sh")).unwrap();
    change.id = "a".to_owned();
    before.hold(5, &change);
    let open: Vec<Open> = before.open_since().cloned().collect();
    assert_eq!(open, [Open { at: 5, change }]);
    let mut watch = watch();
    watch.reopen(open);
    assert_eq!(watch.open().count(), 1);
    watch.recall(9, &Told::Settled { change: "a".to_owned(), why: Why::Unexplained }, true);
    assert_eq!(watch.open().count(), 0);
}

#[test]
fn what_was_recalled_is_not_told_again() {
    let mut before = watch();
    let mut change = look(&mut before, FILE, &there("evil"), &by("/bin/sh", "sh")).unwrap();
    change.id = "a".to_owned();
    let mut watch = watch();
    watch.recall(7, &Told::Change(Box::new(change)), false);
    assert_eq!(watch.open().count(), 1);
    assert_eq!(look(&mut watch, FILE, &there("evil"), &Heard::by_a_look()), None);
    watch.recall(7, &Told::Settled { change: "a".to_owned(), why: Why::Unexplained }, false);
    assert_eq!(watch.open().count(), 0);
}

#[test]
fn what_could_not_be_seen_is_no_change_and_unknown() {
    let mut watch = watch();
    let path = FILE.parse().unwrap();
    let unread = Look::Unreadable("permission denied".to_owned());
    let came = watch.look(&path, &unread, &Heard::by_a_look(), &Around::default());
    assert!(matches!(came, Came::Unknown(_)), "{came:?}");
    assert_eq!(look(&mut watch, FILE, &there("pod"), &Heard::by_a_look()), None);
}

#[test]
fn what_was_not_as_its_package_brought_it_stays_open_until_it_is() {
    let mut watch = watch();
    let packaged = |path: &str, class| Change {
        id: path.to_owned(),
        finding: Finding {
            path: path.parse().unwrap(),
            class,
            severity: Severity::High,
            differences: Vec::new(),
        },
        is_right: false,
        before: None,
        after: None,
        drift: None,
        who: Who::Unknown(String::new()),
        why: Why::Unexplained,
    };
    let known = watch.known().clone();
    for (path, class) in [("/usr/a", Class::Packaged), ("/usr/b", Class::Packaged)] {
        watch.recall(7, &Told::Change(Box::new(packaged(path, class))), false);
    }
    watch.hold(7, &packaged(FILE, Class::Exact));
    assert_eq!(watch.known(), &known, "what is compared with packages is not watched for it");
    let settled = watch.settle_packaged(|path| path.as_bytes() != b"/usr/b");
    let explained = Why::Explained(Cause::Package);
    assert_eq!(settled, [Told::Settled { change: "/usr/a".to_owned(), why: explained }]);
    let open: Vec<_> = watch.open().map(|change| change.id.as_str()).collect();
    assert_eq!(open, [FILE, "/usr/b"]);
}
