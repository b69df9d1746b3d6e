//! What running components name: protected as soon as a flag or a file that they read names it, and told where no
//! baseline has it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::Agent;
use super::round::Round;
use crate::change::Unknown;
use crate::os::keep::NamedBefore;
use crate::os::named::{Found, Looked, Lookout, Speaker};
use crate::os::repair::hold_off;
use crate::packages::is_swept;
use crate::path::FilePath;
use crate::protected::Protected;
use crate::protected::live::MOST_PATHS;
use crate::watch::{MOST_NAMED, MOST_OPEN_NAMED, strictness};

/// So long is waited for what is named when an agent begins.
pub(super) const FIRST: Duration = Duration::from_secs(5);
/// So long is waited for an operator who acts: the baseline that says what he changed comes last.
const LONGEST: Duration = Duration::from_secs(3600);
/// So many paths are told in an hour that something began to name; further ones wait.
const MOST_TOLD: usize = 100;
/// So many paths are remembered of one component; of more, those that it names now.
const MOST_REMEMBERED: usize = 1_000;

/// What is named, and what of that was told.
#[derive(Debug)]
pub(super) struct Naming {
    lookout: Lookout,
    before: NamedBefore,
    /// What no baseline has and is still to be told.
    waits: BTreeMap<FilePath, Waiting>,
    /// What is named now.
    now: BTreeSet<FilePath>,
    /// How many were told, since when.
    told: (Instant, usize),
    gaps: BTreeSet<String>,
    /// What could not be told or held, for as long as the agent runs: nobody can say any more what it was.
    lasting: BTreeSet<String>,
}

/// A path that is still to be told.
#[derive(Clone, Debug)]
struct Waiting {
    since: Instant,
    /// The components, each with by what it names the path, as the strictest that it is named as.
    by: BTreeMap<&'static str, Found>,
}

/// Whether more is remembered than was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Remembers {
    More,
    AsBefore,
}

impl Naming {
    pub(super) fn new(lookout: Lookout, before: NamedBefore) -> Self {
        let (waits, now, gaps, lasting) = Default::default();
        Self { lookout, before, waits, now, told: (Instant::now(), 0), gaps, lasting }
    }

    /// What could not be said of what is named.
    pub(super) fn unknown(&self) -> Vec<Unknown> {
        let mut all: Vec<String> = self.gaps.union(&self.lasting).cloned().collect();
        if self.lookout.is_silent() {
            all.push("what runs here is not seen: /proc does not answer".to_owned());
        }
        if self.told.1 >= MOST_TOLD && !self.waits.is_empty() {
            let count = self.waits.len();
            all.push(format!(
                "{count} further paths that components began to name are not told yet"
            ));
        }
        all.into_iter().map(|why| Unknown { path: FilePath::root(), why }).collect()
    }

    /// Takes what was seen, and gives those who are believed: in static pods, and on the machine those whose program
    /// nobody changes unseen.
    fn believe(
        &mut self,
        looked: Looked,
        is_protected: impl Fn(&FilePath) -> bool,
    ) -> Vec<Speaker> {
        let is_believed =
            |it: &Speaker| it.exe.as_ref().is_none_or(|exe| is_protected(exe) || is_swept(exe));
        let mut speakers: Vec<Speaker> = looked.speakers.into_iter().filter(is_believed).collect();
        self.gaps = looked.blind.into_iter().collect();
        let mut paths: BTreeMap<&str, BTreeSet<FilePath>> = BTreeMap::new();
        for Speaker { program, found, gaps, .. } in &mut speakers {
            self.gaps.extend(std::mem::take(gaps));
            let known = paths.entry(*program).or_default();
            let before = found.len();
            found.retain(|it| {
                let path = &it.entry.path;
                let has_room = known.len() < MOST_PATHS || known.contains(path);
                if has_room {
                    known.insert(path.clone());
                }
                has_room
            });
            if found.len() < before {
                self.gaps.insert(format!("{program} names more than {MOST_PATHS} paths"));
            }
        }
        // What such a one names when it can be seen it need not have begun to.
        speakers.retain(|it| !it.is_unseen);
        speakers
    }

    /// Takes what is named now. What a component names that was never seen before is taken as it is: it is no change.
    /// What a component began to name that no baseline has waits to be told, also when it ends to name it; so does what it
    /// began to name as something stricter, of which not all was looked at before.
    fn take(
        &mut self,
        speakers: &[Speaker],
        is_baselined: impl Fn(&FilePath) -> bool,
        now: Instant,
    ) -> Remembers {
        let is_first = |it: &&Speaker| !self.before.paths.contains_key(it.program);
        let firsts = speakers.iter().filter(|_| !self.before.is_lost).filter(is_first);
        let firsts: BTreeSet<&str> = firsts.map(|it| it.program).collect();
        let all =
            || speakers.iter().flat_map(|it| it.found.iter().map(move |found| (it.program, found)));
        self.now = all().map(|(_, found)| found.entry.path.clone()).collect();
        let mut remembers = Remembers::AsBefore;
        for speaker in speakers {
            // Also one that names nothing yet: what it names later it began to name.
            if !self.before.paths.contains_key(speaker.program) {
                self.before.paths.insert(speaker.program.to_owned(), BTreeMap::new());
                remembers = Remembers::More;
            }
        }
        for (program, found) in all() {
            let path = &found.entry.path;
            let known = self.before.paths.get(program).and_then(|known| known.get(path));
            if known.is_some_and(|known| strictness(*known) >= strictness(found.entry.class)) {
                continue;
            }
            if firsts.contains(program) || is_baselined(path) {
                self.remember(program, &found.entry);
                remembers = Remembers::More;
            } else {
                self.wait(program, found, now);
            }
        }
        remembers
    }

    /// Takes what is to be told, if there is room for it.
    fn wait(&mut self, program: &'static str, found: &Found, now: Instant) {
        let path = &found.entry.path;
        if self.waits.len() >= MOST_NAMED && !self.waits.contains_key(path) {
            let why = format!("components began to name more than {MOST_NAMED} paths at once");
            self.lasting.insert(format!("{why}: not all of them may be told"));
            return;
        }
        let waiting = Waiting { since: now, by: BTreeMap::new() };
        let waiting = self.waits.entry(path.clone()).or_insert(waiting);
        let by = waiting.by.entry(program).or_insert_with(|| found.clone());
        if strictness(by.entry.class) < strictness(found.entry.class) {
            *by = found.clone();
        }
    }

    fn remember(&mut self, program: &str, entry: &Protected) {
        let now = &self.now;
        let known = self.before.paths.entry(program.to_owned()).or_default();
        if known.len() >= MOST_REMEMBERED {
            known.retain(|path, _| now.contains(path));
        }
        let class = known.entry(entry.path.clone()).or_insert(entry.class);
        if strictness(*class) < strictness(entry.class) {
            *class = entry.class;
        }
    }

    /// Gives what is to be told of what waits for so long and was looked at: what waits longest first, so that whoever
    /// makes many be named puts off no other.
    fn due(
        &mut self,
        least: Duration,
        now: Instant,
        is_seen: impl Fn(&FilePath) -> bool,
    ) -> Vec<(FilePath, Waiting)> {
        if now.saturating_duration_since(self.told.0) >= LONGEST {
            self.told = (now, 0);
        }
        let is_due = |it: &Waiting| now.saturating_duration_since(it.since) >= least;
        let due = self.waits.iter().filter(|(path, it)| is_due(it) && is_seen(path));
        let mut due: Vec<(Instant, FilePath)> =
            due.map(|(path, it)| (it.since, path.clone())).collect();
        due.sort();
        due.truncate(MOST_TOLD.saturating_sub(self.told.1));
        self.told.1 += due.len();
        due.into_iter().filter_map(|(_, path)| self.waits.remove_entry(&path)).collect()
    }

    /// Says by what a path is named.
    fn text(&self, path: &FilePath, waiting: &Waiting) -> String {
        let by = waiting.by.values().map(|found| found.by.clone()).collect::<Vec<_>>().join("; ");
        if self.now.contains(path) { by } else { format!("{by}; not any more") }
    }
}

impl Agent<'_> {
    /// Sees whether something else is named than was, and waits for that no longer than so. Says whether anything was
    /// told.
    pub(super) fn see_named(&mut self, longest: Duration) -> bool {
        // Where no more can be held, it waits to be told.
        if !self.keep.has_room() {
            return false;
        }
        if let Some(looked) = self.naming.lookout.answer(longest) {
            self.take_named(looked);
        }
        let told = self.tell_named();
        if self.watch.has_dropped_naming() {
            let most = MOST_OPEN_NAMED;
            let why = format!("no more than {most} paths that components began to name are held");
            self.naming.lasting.insert(format!("{why} as unexplained: the journal has all"));
        }
        told
    }

    fn take_named(&mut self, looked: Looked) {
        let watch = &self.watch;
        let speakers = self.naming.believe(looked, |exe| watch.is_baselined(exe));
        let remembers =
            self.naming.take(&speakers, |path| watch.is_baselined(path), Instant::now());
        let all = speakers.into_iter().flat_map(|it| it.found).map(|found| found.entry);
        let added = self.watch.name(all, &self.naming.before.listed);
        if self.watch.named().count() >= MOST_NAMED {
            let why = format!("no more than {MOST_NAMED} paths are protected since they are named");
            self.naming.gaps.insert(why);
        }
        // What lies in a directory is looked at as well, and what leads to it is heard of.
        let is_under_way = self.round.as_mut().is_some_and(|round| round.takes(&added));
        match is_under_way {
            _ if added.is_empty() => {}
            true => self.listen_above(),
            false => self.begin_round(Round::at_once()),
        }
        if remembers == Remembers::More {
            self.remember_named();
        }
    }

    /// Writes down what was named. That is not told again, so the journal has to have what was told by then; until it
    /// has, this is tried again.
    pub(super) fn remember_named(&mut self) {
        self.unwritten.after_journal("named", || self.keep.named(&self.naming.before));
    }

    /// Everything was looked at: what comes to a named directory from here on is new, also to an agent that begins anew,
    /// if that knows what was there.
    pub(super) fn note_listed(&mut self) {
        if self.unwritten.is("known") {
            return;
        }
        let before = &self.naming.before;
        let is_known =
            |path: &&FilePath| before.paths.values().any(|paths| paths.contains_key(*path));
        let listed = self.watch.named_directories().chain(before.listed.iter().filter(is_known));
        let listed: BTreeSet<FilePath> = listed.cloned().collect();
        if listed != before.listed {
            self.naming.before.listed = listed;
            self.remember_named();
        }
    }

    /// Says whether the look at everything that takes a path in was there. What it does not come to is not waited for.
    fn is_seen(&self, path: &FilePath) -> bool {
        let is_looked_at =
            || self.watch.known().contains_key(path) || self.unknown.contains_key(path);
        self.round.is_none() || !self.watch.is_named(path) || is_looked_at()
    }

    /// Tells what something began to name and no baseline has. Not while an operator acts: the baseline that has it
    /// comes last. A change has how it is, so what is named is looked at first, a little at a time as everything is: no
    /// operator is held off for that.
    fn tell_named(&mut self) -> bool {
        let waits = self.naming.waits.keys();
        let seen: BTreeSet<FilePath> = waits.filter(|path| self.is_seen(path)).cloned().collect();
        if seen.is_empty() {
            return false;
        }
        // From here on no operator begins. Where nobody can say whether one acts, nothing is put off.
        let held = hold_off(&self.settings.lock);
        let least = if matches!(held, Ok(None)) { LONGEST } else { Duration::ZERO };
        let due = self.naming.due(least, Instant::now(), |path| seen.contains(path));
        if due.is_empty() {
            return false;
        }
        self.read_baseline();
        let mut any = false;
        for (path, waiting) in due {
            let by = self.naming.text(&path, &waiting);
            let entries = waiting.by.values().map(|found| &found.entry);
            let strictest = entries.max_by_key(|entry| strictness(entry.class));
            if let Some(change) = strictest.and_then(|it| self.watch.naming(it, &by)) {
                self.tell_change(Box::new(change));
                any = true;
            }
            for (program, found) in &waiting.by {
                self.naming.remember(program, &found.entry);
            }
        }
        self.sync();
        self.remember_named();
        drop(held);
        any
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ringfort_model::severity::Severity;

    use super::*;
    use crate::os::named::Live;
    use crate::protected::{Class, Presence};

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
        Found { by: "a flag".to_owned(), entry }
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

    fn take(naming: &mut Naming, speakers: &[Speaker]) -> Remembers {
        naming.take(speakers, |path| path.to_string() == "/baselined", Instant::now())
    }

    #[test]
    fn what_a_component_begins_to_name_waits_and_what_it_always_named_does_not() {
        let mut first = naming(&[], false);
        let etcd = |paths: &[&str]| [speaker("etcd", paths)];
        assert_eq!(take(&mut first, &etcd(&["/a", "/b"])), Remembers::More);
        assert_eq!(waiting(&first), [""; 0], "a component that was never seen before");
        assert_eq!(take(&mut first, &etcd(&["/a", "/b"])), Remembers::AsBefore);
        assert_eq!(take(&mut first, &etcd(&["/a", "/c", "/baselined"])), Remembers::More);
        assert_eq!(waiting(&first), ["/c"]);
        // It does not name it any more before it could be told: that it did is told.
        take(&mut first, &etcd(&["/a"]));
        let due = due(&mut first, Duration::ZERO, Instant::now());
        let [(path, waiting)] = &due[..] else { panic!("{due:?}") };
        assert_eq!(first.text(path, waiting), "a flag; not any more");
    }

    #[test]
    fn what_was_named_is_told_once_more_where_it_is_named_as_something_stricter() {
        let of = |path: &str, class| {
            let Found { by, entry } = found(path);
            let found = vec![Found { by, entry: Protected { class, ..entry } }];
            [Speaker { found, ..speaker("kubelet", &[]) }]
        };
        let mut first = naming(&[], false);
        take(&mut first, &of("/srv/data", Class::Kept));
        assert_eq!(waiting(&first), [""; 0]);
        take(&mut first, &of("/srv/data", Class::Watched));
        assert_eq!(waiting(&first), ["/srv/data"]);
        for (path, told) in due(&mut first, Duration::ZERO, Instant::now()) {
            assert_eq!(told.by["kubelet"].entry.class, Class::Watched);
            first.remember("kubelet", &told.by["kubelet"].entry);
            assert_eq!(first.before.paths["kubelet"][&path], Class::Watched);
        }
        for class in [Class::Kept, Class::Watched] {
            assert_eq!(take(&mut first, &of("/srv/data", class)), Remembers::AsBefore);
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
        naming.take(&[speaker("etcd", &["/srv/evil"])], |_| false, began);
        let many: Vec<String> = (0..MOST_NAMED).map(|number| format!("/a/{number:04}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let later = began + Duration::from_secs(1);
        naming.take(&[speaker("kubelet", &many[1..])], |_| false, later);
        assert!(naming.unknown().is_empty(), "{:?}", naming.unknown());
        naming.take(&[speaker("kubelet", &many)], |_| false, later);
        naming.take(&[speaker("kubelet", &[])], |_| false, later);
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
        naming.take(&[speaker("etcd", &["/b"])], |_| false, began);
        naming.take(&[speaker("etcd", &["/b", "/c"])], |_| false, began + LONGEST);
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
        assert_eq!(of(Some("/tmp/etcd")), 0);
        assert_eq!(of(None), 1, "in a static pod");
    }
}
