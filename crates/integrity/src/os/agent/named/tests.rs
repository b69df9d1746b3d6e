//! What components name, as it waits to be told.

use std::path::Path;

use ringfort_model::severity::Severity;

use super::*;
use crate::os::named::Live;
use crate::protected::Presence;

fn found(path: &str) -> Found {
    let entry = Protected {
        path: path.parse().unwrap(),
        class: Class::Exact,
        presence: Presence::Optional,
        severity: Severity::High,
        mode: None,
        owner: None,
        expected: None,
    };
    Found { by: "a flag".to_owned(), entry, unprotected: None }
}

fn as_class(path: &str, class: Class) -> Found {
    let found = found(path);
    Found { entry: Protected { class, ..found.entry }, ..found }
}

fn speaker(program: &'static str, paths: &[&str]) -> Speaker {
    let found = paths.iter().map(|path| found(path)).collect();
    Speaker { program, exe: None, is_unseen: false, found, gaps: Vec::new() }
}

fn waiting(naming: &Naming) -> Vec<String> {
    naming.waits.keys().map(ToString::to_string).collect()
}

fn naming(before: &[(&str, &str)], is_lost: bool) -> Naming {
    let lookout = Lookout::begin(Live::new(Path::new("/none")));
    let before_that = NamedBefore { is_lost, ..NamedBefore::default() };
    let mut naming = Naming::new(lookout, before_that);
    before.iter().for_each(|(program, path)| naming.remember(program, &found(path).entry));
    naming
}

fn due(naming: &mut Naming, least: Duration, now: Instant) -> Vec<(FilePath, Waiting)> {
    naming.due(least, now, |_| true)
}

/// What the baseline has, with what came to a directory that it watches.
fn has(path: &FilePath, sighting: Sighting) -> bool {
    let path = path.to_string();
    path == "/baselined" || (path.starts_with("/watched/") && sighting == Sighting::Later)
}

fn has_none(_: &FilePath, _: Sighting) -> bool {
    false
}

fn take(naming: &mut Naming, speakers: &[Speaker]) -> Remembers {
    naming.take(speakers, (has, Packaged::Compared), Instant::now())
}

#[test]
fn what_a_component_begins_to_name_waits_and_what_it_always_named_does_not() {
    let mut first = naming(&[], false);
    let etcd = |paths: &[&str]| [speaker("etcd", paths)];
    let always = ["/usr/lib/a", "/baselined"];
    assert_eq!(take(&mut first, &etcd(&always)), Remembers::More);
    assert_eq!(waiting(&first), [""; 0], "a component that was never seen before");
    assert_eq!(take(&mut first, &etcd(&always)), Remembers::AsBefore);
    assert_eq!(take(&mut first, &etcd(&["/usr/lib/a", "/c"])), Remembers::AsBefore);
    assert_eq!(waiting(&first), ["/c"]);
    // It does not name it any more before it could be told: that it did is told.
    take(&mut first, &etcd(&["/usr/lib/a"]));
    let due = due(&mut first, Duration::ZERO, Instant::now());
    let [(path, waiting)] = &due[..] else { panic!("{due:?}") };
    assert_eq!(first.text(path, waiting), "a flag; not any more");
}

#[test]
fn what_a_component_names_at_first_sight_is_told_where_nothing_explains_it() {
    let mut naming = naming(&[("kubelet", "/x")], false);
    let all = vec![
        as_class("/usr/lib/cni", Class::Watched),
        as_class("/usr/lib/modules/1/modules.x/evil.toml", Class::Exact),
        as_class("/usr/lib/python3/__pycache__/evil.pyc", Class::Exact),
        as_class("/var/lib/containerd", Class::Kept),
        as_class("/var/lib/etcd", Class::Kept),
        as_class("/srv/data", Class::Kept),
        as_class("/srv/audit.log", Class::Growing),
        as_class("/baselined", Class::Exact),
        as_class("/watched/evil.toml", Class::Exact),
        as_class("/srv/evil.toml", Class::Exact),
        as_class("/srv/plugins", Class::Watched),
        Found { unprotected: Some("it lies where nothing stays"), ..found("/run/evil.toml") },
    ];
    let first = Speaker { found: all, ..speaker("containerd", &[]) };
    let told = [
        "/run/evil.toml",
        "/srv/data",
        "/srv/evil.toml",
        "/srv/plugins",
        "/usr/lib/modules/1/modules.x/evil.toml",
        "/usr/lib/python3/__pycache__/evil.pyc",
        "/var/lib/etcd",
        "/watched/evil.toml",
    ];
    // What lay in a watched directory waits on, though it is no longer the first sight.
    for _ in 0..2 {
        take(&mut naming, std::slice::from_ref(&first));
        assert_eq!(waiting(&naming), told);
    }
    // Another began to name it.
    take(&mut naming, &[first, speaker("kubelet", &["/srv/plugins"])]);
    let due = due(&mut naming, Duration::ZERO, Instant::now());
    let later = due.iter().filter(|(_, waiting)| waiting.sighting == Sighting::Later);
    let later: Vec<String> = later.map(|(path, _)| path.to_string()).collect();
    assert_eq!((due.len(), later), (told.len(), vec!["/srv/plugins".to_owned()]));
    let known = &naming.before.paths["containerd"];
    assert!(!known.contains_key(&"/watched/evil.toml".parse().unwrap()), "it is not told yet");
}

/// The databases of others are not read.
#[test]
fn where_nothing_is_compared_with_packages_none_of_them_explains_anything() {
    let speakers = [speaker("kubelet", &["/usr/lib/k8s.yaml", "/baselined"])];
    let all = [(Packaged::Compared, vec![]), (Packaged::Unknown, vec!["/usr/lib/k8s.yaml"])];
    for (packaged, told) in all {
        let mut naming = naming(&[], false);
        naming.take(&speakers, (has, packaged), Instant::now());
        assert_eq!(waiting(&naming), told, "{packaged:?}");
    }
}

/// Each run of an operator's ends it and begins it anew.
#[test]
fn an_agent_that_ends_before_it_told_the_first_sight_says_so_the_next_time() {
    let mut first = naming(&[], false);
    take(&mut first, &[speaker("etcd", &["/srv/a"]), speaker("kubelet", &["/usr/lib/b"])]);
    let kept: Vec<&str> = first.before.first.iter().map(String::as_str).collect();
    assert_eq!(kept, ["etcd"], "of the other all is explained");
    let lookout = Lookout::begin(Live::new(Path::new("/none")));
    let mut again = Naming::new(lookout, first.before.clone());
    // The agent begins before anything else.
    take(&mut again, &[]);
    take(&mut again, &[speaker("etcd", &["/srv/a"])]);
    take(&mut again, &[speaker("etcd", &["/srv/a", "/srv/late"])]);
    let told = due(&mut again, Duration::ZERO, Instant::now());
    let sightings: Vec<Sighting> = told.iter().map(|(_, waiting)| waiting.sighting).collect();
    assert_eq!(sightings, [Sighting::First, Sighting::Later]);
    assert!(again.forget_firsts() && again.before.first.is_empty());
}

#[test]
fn what_was_named_is_told_once_more_where_it_is_named_as_something_stricter() {
    let of = |path: &str, class| {
        [Speaker { found: vec![as_class(path, class)], ..speaker("kubelet", &[]) }]
    };
    let data = "/var/lib/kubelet";
    let mut first = naming(&[], false);
    take(&mut first, &of(data, Class::Kept));
    assert_eq!(waiting(&first), [""; 0]);
    take(&mut first, &of(data, Class::Watched));
    assert_eq!(waiting(&first), [data]);
    for (path, told) in due(&mut first, Duration::ZERO, Instant::now()) {
        assert_eq!(told.by["kubelet"].entry.class, Class::Watched);
        first.remember("kubelet", &told.by["kubelet"].entry);
        assert_eq!(first.before.paths["kubelet"][&path], Class::Watched);
    }
    for class in [Class::Kept, Class::Watched] {
        assert_eq!(take(&mut first, &of(data, class)), Remembers::AsBefore);
    }
    assert_eq!(waiting(&first), [""; 0], "it was told");
    // The same holds of a log that is named as a file.
    let mut second = naming(&[], false);
    take(&mut second, &of("/x", Class::Growing));
    take(&mut second, &of("/x", Class::Exact));
    assert_eq!(waiting(&second), ["/x"]);
}

#[test]
fn what_was_not_looked_at_yet_waits() {
    let mut naming = naming(&[("etcd", "/a")], false);
    take(&mut naming, &[speaker("etcd", &["/b", "/c"])]);
    let due = naming.due(Duration::ZERO, Instant::now(), |path| path.to_string() == "/c");
    assert_eq!(due.len(), 1);
    assert_eq!(waiting(&naming), ["/b"]);
    assert_eq!(naming.told.1, 1);
}

#[test]
fn what_waits_longest_is_told_first_and_what_finds_no_room_is_said() {
    let mut naming = naming(&[("etcd", "/0"), ("kubelet", "/0")], false);
    let began = Instant::now();
    naming.take(&[speaker("etcd", &["/srv/evil"])], (has_none, Packaged::Compared), began);
    let many: Vec<String> = (0..MOST_NAMED).map(|number| format!("/a/{number:04}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let later = began + Duration::from_secs(1);
    naming.take(&[speaker("kubelet", &many[1..])], (has_none, Packaged::Compared), later);
    assert!(naming.unknown().is_empty(), "{:?}", naming.unknown());
    naming.take(&[speaker("kubelet", &many)], (has_none, Packaged::Compared), later);
    naming.take(&[speaker("kubelet", &[])], (has_none, Packaged::Compared), later);
    let told = due(&mut naming, Duration::ZERO, later);
    assert_eq!((told[0].0.to_string(), told.len()), ("/srv/evil".to_owned(), MOST_TOLD));
    let is_said = |it: &Unknown| it.why.contains("not all of them may be told");
    assert!(naming.unknown().iter().any(is_said), "{:?}", naming.unknown());
}

#[test]
fn a_component_that_named_nothing_was_seen_all_the_same() {
    let mut first = naming(&[], false);
    take(&mut first, &[speaker("kube-proxy", &[])]);
    take(&mut first, &[speaker("kube-proxy", &["/a"])]);
    assert_eq!(waiting(&first), ["/a"]);
}

#[test]
fn an_agent_that_begins_anew_tells_what_was_named_meanwhile_and_all_where_it_forgot() {
    let mut again = naming(&[("kubelet", "/a")], false);
    take(&mut again, &[speaker("kubelet", &["/a", "/b"])]);
    assert_eq!(waiting(&again), ["/b"]);
    let mut lost = naming(&[], true);
    // The agent begins before anything else.
    take(&mut lost, &[]);
    take(&mut lost, &[speaker("kubelet", &["/a", "/b"])]);
    assert_eq!(waiting(&lost), ["/a", "/b"]);
}

#[test]
fn a_path_that_two_begin_to_name_is_told_once_with_both() {
    let mut naming = naming(&[("kubelet", "/a"), ("etcd", "/a")], false);
    take(&mut naming, &[speaker("kubelet", &["/b"]), speaker("etcd", &["/b"])]);
    let told = due(&mut naming, Duration::ZERO, Instant::now());
    let [(path, waiting)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(naming.text(path, waiting), "a flag; a flag");
    assert!(due(&mut naming, Duration::ZERO, Instant::now()).is_empty());
}

#[test]
fn one_who_names_many_is_told_slowly_and_nothing_is_forgotten_for_it() {
    let many: Vec<String> = (0..300).map(|number| format!("/many/{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut naming = naming(&[("etcd", "/a")], false);
    let looked = Looked { speakers: vec![speaker("etcd", &many)], blind: None };
    let speakers = naming.believe(looked, |_| false);
    assert_eq!(speakers[0].found.len(), MOST_PATHS);
    assert!(naming.unknown()[0].why.contains("more than"), "{:?}", naming.unknown());
    take(&mut naming, &speakers);
    let now = Instant::now();
    assert_eq!(due(&mut naming, Duration::ZERO, now).len(), MOST_TOLD);
    assert!(due(&mut naming, Duration::ZERO, now).is_empty());
    assert!(naming.unknown().iter().any(|it| it.why.contains("156 further paths")));
    assert_eq!(due(&mut naming, Duration::ZERO, now + LONGEST).len(), MOST_TOLD);
    (0..2 * MOST_REMEMBERED).for_each(|number| {
        naming.remember("etcd", &found(&format!("/old/{number}")).entry);
    });
    many[..MOST_PATHS].iter().for_each(|path| naming.remember("etcd", &found(path).entry));
    let known = &naming.before.paths["etcd"];
    assert!(known.len() <= MOST_REMEMBERED + MOST_PATHS, "{}", known.len());
    assert!(many[..MOST_PATHS].iter().all(|path| known.contains_key(&path.parse().unwrap())));
}

#[test]
fn what_is_named_while_an_operator_acts_waits_for_its_own_time() {
    let mut naming = naming(&[("etcd", "/a")], false);
    let began = Instant::now();
    naming.take(&[speaker("etcd", &["/b"])], (has_none, Packaged::Compared), began);
    naming.take(&[speaker("etcd", &["/b", "/c"])], (has_none, Packaged::Compared), began + LONGEST);
    let due = due(&mut naming, LONGEST, began + LONGEST);
    assert_eq!(due.iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>(), ["/b"]);
}

#[test]
fn a_program_that_anybody_may_exchange_is_not_believed() {
    let of = |exe: Option<&str>| {
        let exe = exe.map(|exe| exe.parse().unwrap());
        let speakers = vec![Speaker { exe, ..speaker("etcd", &["/a"]) }];
        let looked = Looked { speakers, blind: None };
        let is_protected = |exe: &FilePath| exe.to_string() == "/usr/local/bin/etcd";
        naming(&[], false).believe(looked, is_protected).len()
    };
    assert_eq!(of(Some("/usr/local/bin/etcd")), 1);
    assert_eq!(of(Some("/usr/bin/etcd")), 1);
    assert_eq!(of(Some("/usr/lib/modules/1/modules.x/etcd")), 0);
    assert_eq!(of(Some("/tmp/etcd")), 0);
    assert_eq!(of(None), 1, "in a static pod");
}
