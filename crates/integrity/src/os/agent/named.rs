//! What running components name: protected as soon as a flag or a file that they read names it, and told where no
//! baseline has it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::round::Round;
use super::unwritten::JOURNAL;
use super::{Agent, WatchFault};
use crate::change::Unknown;
use crate::os::keep::NamedBefore;
use crate::os::named::{Found, Looked, Lookout, Speaker};
use crate::os::repair::hold_off;
use crate::path::FilePath;
use crate::protected::live::{MOST_PATHS, is_packaged};
use crate::watch::{Heard, MOST_NAMED};

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
}

/// A path that is still to be told.
#[derive(Clone, Debug)]
struct Waiting {
    since: Instant,
    /// The components, each with by what it names the path.
    by: BTreeMap<&'static str, String>,
}

/// Whether more is remembered than was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Remembers {
    More,
    AsBefore,
}

impl Naming {
    pub(super) fn new(lookout: Lookout, before: NamedBefore) -> Self {
        let (waits, now, gaps) = Default::default();
        Self { lookout, before, waits, now, told: (Instant::now(), 0), gaps }
    }

    /// What could not be said of what is named.
    pub(super) fn unknown(&self) -> Vec<Unknown> {
        let mut all: Vec<String> = self.gaps.iter().cloned().collect();
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
            |it: &Speaker| it.exe.as_ref().is_none_or(|exe| is_protected(exe) || is_packaged(exe));
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
        speakers
    }

    /// Takes what is named now. What a component names that was never seen before is taken as it is: it is no change.
    /// What a component began to name that no baseline has waits to be told, also when it ends to name it.
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
                self.before.paths.insert(speaker.program.to_owned(), BTreeSet::new());
                remembers = Remembers::More;
            }
        }
        for (program, Found { by, entry }) in all() {
            let path = &entry.path;
            if self.before.paths.get(program).is_some_and(|known| known.contains(path)) {
                continue;
            }
            if firsts.contains(program) || is_baselined(path) {
                self.remember(program, path);
                remembers = Remembers::More;
            } else if self.waits.len() < MOST_NAMED || self.waits.contains_key(path) {
                let waiting = Waiting { since: now, by: BTreeMap::new() };
                let waiting = self.waits.entry(path.clone()).or_insert(waiting);
                waiting.by.entry(program).or_insert_with(|| by.clone());
            }
        }
        remembers
    }

    fn remember(&mut self, program: &str, path: &FilePath) {
        let now = &self.now;
        let known = self.before.paths.entry(program.to_owned()).or_default();
        if known.len() >= MOST_REMEMBERED {
            known.retain(|path| now.contains(path));
        }
        known.insert(path.clone());
    }

    /// Gives what is to be told of what waits for so long.
    fn due(&mut self, least: Duration, now: Instant) -> Vec<(FilePath, Waiting)> {
        if now.saturating_duration_since(self.told.0) >= LONGEST {
            self.told = (now, 0);
        }
        let is_due = |it: &Waiting| now.saturating_duration_since(it.since) >= least;
        let due = self.waits.iter().filter(|(_, it)| is_due(it)).map(|(path, _)| path.clone());
        let due: Vec<FilePath> = due.take(MOST_TOLD.saturating_sub(self.told.1)).collect();
        self.told.1 += due.len();
        due.into_iter().filter_map(|path| self.waits.remove_entry(&path)).collect()
    }

    /// Says by what a path is named.
    fn text(&self, path: &FilePath, waiting: &Waiting) -> String {
        let by = waiting.by.values().cloned().collect::<Vec<_>>().join("; ");
        if self.now.contains(path) { by } else { format!("{by}; not any more") }
    }
}

impl Agent<'_> {
    /// Sees whether something else is named than was, and waits for that no longer than so. Says whether anything was
    /// told.
    pub(super) fn see_named(&mut self, longest: Duration) -> Result<bool, WatchFault> {
        // Where no more can be held, it waits to be told.
        if !self.keep.has_room() {
            return Ok(false);
        }
        if let Some(looked) = self.naming.lookout.answer(longest) {
            self.take_named(looked);
        }
        self.tell_named()
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

    pub(super) fn remember_named(&mut self) {
        let done = self.keep.named(&self.naming.before);
        self.unwritten.note("named", done);
    }

    /// Everything was looked at: what comes to a named directory from here on is new, also to an agent that begins anew,
    /// if that knows what was there.
    pub(super) fn note_listed(&mut self) {
        if self.unwritten.is("known") || self.unwritten.is(JOURNAL) {
            return;
        }
        let before = &self.naming.before;
        let is_known = |path: &&FilePath| before.paths.values().any(|paths| paths.contains(*path));
        let listed = self.watch.named_directories().chain(before.listed.iter().filter(is_known));
        let listed: BTreeSet<FilePath> = listed.cloned().collect();
        if listed != before.listed {
            self.naming.before.listed = listed;
            self.remember_named();
        }
    }

    /// Tells what something began to name and no baseline has. Not while an operator acts: the baseline that has it
    /// comes last.
    fn tell_named(&mut self) -> Result<bool, WatchFault> {
        if self.naming.waits.is_empty() {
            return Ok(false);
        }
        // From here on no operator begins. Where nobody can say whether one acts, nothing is put off.
        let held = hold_off(&self.settings.lock);
        let least = if matches!(held, Ok(None)) { LONGEST } else { Duration::ZERO };
        let due = self.naming.due(least, Instant::now());
        if due.is_empty() {
            return Ok(false);
        }
        self.read_baseline()?;
        let mut any = false;
        for (path, waiting) in due {
            // A change has how it is.
            if !self.watch.known().contains_key(&path) {
                any |= self.visit(&path, &Heard::by_a_look())?;
            }
            let by = self.naming.text(&path, &waiting);
            if let Some(change) = self.watch.naming(&path, &by) {
                self.tell_change(Box::new(change))?;
                any = true;
            }
            waiting.by.keys().for_each(|program| self.naming.remember(program, &path));
        }
        // What is remembered is not told again: it has to be told by then.
        self.sync()?;
        if !self.unwritten.is(JOURNAL) {
            self.remember_named();
        }
        drop(held);
        Ok(any)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ringfort_model::severity::Severity;

    use super::*;
    use crate::os::named::Live;
    use crate::protected::{Class, Presence, Protected};

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
        Speaker { program, exe: None, found, gaps: Vec::new() }
    }

    fn waiting(naming: &Naming) -> Vec<String> {
        naming.waits.keys().map(ToString::to_string).collect()
    }

    fn naming(before: &[(&str, &str)], is_lost: bool) -> Naming {
        let lookout = Lookout::begin(Live::new(Path::new("/none")));
        let before_that = NamedBefore { is_lost, ..NamedBefore::default() };
        let mut naming = Naming::new(lookout, before_that);
        before.iter().for_each(|(program, path)| naming.remember(program, &path.parse().unwrap()));
        naming
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
        let [(path, waiting)] = &first.due(Duration::ZERO, Instant::now())[..] else { panic!() };
        assert_eq!(first.text(path, waiting), "a flag; not any more");
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
        let due = naming.due(Duration::ZERO, Instant::now());
        let [(path, waiting)] = &due[..] else { panic!("{due:?}") };
        assert_eq!(naming.text(path, waiting), "a flag; a flag");
        assert!(naming.due(Duration::ZERO, Instant::now()).is_empty());
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
        assert_eq!(naming.due(Duration::ZERO, now).len(), MOST_TOLD);
        assert!(naming.due(Duration::ZERO, now).is_empty());
        assert!(naming.unknown().iter().any(|it| it.why.contains("156 further paths")));
        assert_eq!(naming.due(Duration::ZERO, now + LONGEST).len(), MOST_TOLD);
        (0..2 * MOST_REMEMBERED).for_each(|number| {
            naming.remember("etcd", &format!("/old/{number}").parse().unwrap());
        });
        many[..MOST_PATHS].iter().for_each(|path| naming.remember("etcd", &path.parse().unwrap()));
        let known = &naming.before.paths["etcd"];
        assert!(known.len() <= MOST_REMEMBERED + MOST_PATHS, "{}", known.len());
        assert!(many[..MOST_PATHS].iter().all(|path| known.contains(&path.parse().unwrap())));
    }

    #[test]
    fn what_is_named_while_an_operator_acts_waits_for_its_own_time() {
        let mut naming = naming(&[("etcd", "/a")], false);
        let began = Instant::now();
        naming.take(&[speaker("etcd", &["/b"])], |_| false, began);
        naming.take(&[speaker("etcd", &["/b", "/c"])], |_| false, began + LONGEST);
        let due = naming.due(LONGEST, began + LONGEST);
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
