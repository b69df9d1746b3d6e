//! What is protected since something that runs names it, beside what the baseline says. Pure.

use std::collections::BTreeSet;

use super::{MOST_OPEN_NAMED, Watch, differs, governing};
use crate::change::{Change, Finding};
use crate::judge::{Aspect, Difference};
use crate::path::FilePath;
use crate::process::Who;
use crate::protected::{Class, Protected};
use crate::why::{Cause, Why};

/// So many paths are protected since something names them.
pub(crate) const MOST_NAMED: usize = 2_000;

/// When a component was seen to name something.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Sighting {
    /// When it was seen first: nobody says since when it does.
    First,
    /// It did not before.
    Later,
}

impl Sighting {
    /// Says what a path should be named by.
    fn expected(self) -> &'static str {
        match self {
            Self::First => "by nothing, since neither the baseline nor a package has it",
            Self::Later => "by nothing that runs here",
        }
    }

    /// Gives it of a change that something named a path.
    fn of(change: &Change) -> Self {
        let is_first = |it: &Difference| is_naming(it) && it.expected == Self::First.expected();
        match change.finding.differences.iter().any(is_first) {
            true => Self::First,
            false => Self::Later,
        }
    }
}

impl Watch {
    /// Protects from here on what is named and not protected yet, or less strictly, and gives the paths of that. What is
    /// there when it is first looked at is no change; of a directory that was listed before it was looked at.
    pub fn name(
        &mut self,
        all: impl IntoIterator<Item = Protected>,
        listed: &BTreeSet<FilePath>,
    ) -> Vec<FilePath> {
        self.has_names = true;
        let mut added = Vec::new();
        for entry in all {
            let path = entry.path.clone();
            let known = self.named.get(&path).map(|known| strictness(known.class));
            let is_stricter = known.is_none_or(|known| known < strictness(entry.class));
            let has_room = known.is_some() || self.named.len() < MOST_NAMED;
            if path == FilePath::root() || !is_stricter || !has_room || self.is_protected(&entry) {
                continue;
            }
            let is_seen = match entry.class {
                Class::Watched => listed.contains(&path),
                _ => self.known.contains_key(&path),
            };
            if !is_seen {
                self.fresh.insert(path.clone());
            }
            if entry.class == Class::Watched {
                // What lies in it is no less watched than the rest.
                self.named.retain(|it, entry| !it.is_within(&path) || !is_loose(entry));
            }
            self.named.insert(path.clone(), entry);
            added.push(path);
        }
        added
    }

    /// Whether something that is named is protected no less without that.
    fn is_protected(&self, entry: &Protected) -> bool {
        let path = &entry.path;
        let above =
            || governing(path, |at| self.named.get(at).filter(|it| it.path != *path).cloned());
        self.is_baselined(path) || (is_loose(entry) && above().is_some())
    }

    /// Gives the directories in which each entry counts since something names them.
    pub fn named_directories(&self) -> impl Iterator<Item = &FilePath> {
        let watched = self.named.values().filter(|entry| entry.class == Class::Watched);
        watched.map(|entry| &entry.path)
    }

    /// Says whether a path has an entry of its own only since something names it.
    pub fn is_named(&self, path: &FilePath) -> bool {
        self.named.contains_key(path)
    }

    /// Says whether it was told of a path that something began to name it, and there was no room to hold that.
    pub fn has_dropped_naming(&self) -> bool {
        self.has_dropped_naming
    }

    /// Gives the paths that are protected only since something names them.
    pub fn named(&self) -> impl Iterator<Item = &FilePath> {
        self.named.keys()
    }

    /// Says whether the baseline protects a path: by its own entry, or by one of a directory above it.
    pub fn is_baselined(&self, path: &FilePath) -> bool {
        governing(path, |at| self.entries.find(at)).is_some()
    }

    /// Says whether the baseline explains that something names a path. What was in a directory when this was first seen is
    /// taken as it is, so that only an entry of its own says that it belongs there; what comes to one later is told.
    pub fn explains(&self, path: &FilePath, sighting: Sighting) -> bool {
        match sighting {
            Sighting::First => self.entries.find(path).is_some(),
            Sighting::Later => self.is_baselined(path),
        }
    }

    /// Makes a change of it that something began to name a path, or did when it was seen first and nothing explains that,
    /// also where there is no room to protect it; it has no id yet. Nothing, where the baseline has it.
    pub fn naming(&self, named: &Protected, by: &str, sighting: Sighting) -> Option<Change> {
        let path = &named.path;
        if self.explains(path, sighting) {
            return None;
        }
        let entry = self.named.get(path).unwrap_or(named);
        let finding = Finding {
            path: path.clone(),
            class: entry.class,
            severity: entry.severity,
            differences: vec![differs(Aspect::Named, sighting.expected(), by)],
        };
        let after = self.known.get(path).and_then(|known| known.state.clone());
        let who = Who::Unknown("whoever changed the flag or the file that names it".to_owned());
        Some(Change {
            id: String::new(),
            finding,
            is_right: false,
            before: None,
            after,
            drift: None,
            who,
            why: Why::Unexplained,
        })
    }

    /// Whether a change that nothing explains can be held.
    pub(super) fn has_room_for(&self, change: &Change) -> bool {
        let of_names = || self.open().filter(|it| is_of_names(it)).count();
        self.has_open_room() && (!is_of_names(change) || of_names() < MOST_OPEN_NAMED)
    }

    /// Says what explains that something named a path: a baseline that has it by now.
    pub(super) fn explains_naming(&self, change: &Change) -> Option<Cause> {
        let is_said =
            is_of_names(change) && self.explains(&change.finding.path, Sighting::of(change));
        is_said.then_some(Cause::Baseline { number: self.number })
    }
}

/// How much of something is looked at.
pub(crate) fn strictness(class: Class) -> u8 {
    match class {
        Class::Kept => 0,
        Class::Growing => 1,
        Class::Exact => 2,
        _ => 3,
    }
}

/// Whether it does not matter what something holds.
fn is_loose(entry: &Protected) -> bool {
    strictness(entry.class) < strictness(Class::Exact)
}

/// Whether a change is that something began to name a path.
pub(super) fn is_of_names(change: &Change) -> bool {
    change.finding.differences.iter().any(is_naming)
}

/// Whether a difference is in what names a path, and not in what is there.
pub(super) fn is_naming(difference: &Difference) -> bool {
    difference.of == Aspect::Named
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use ringfort_model::mode::{FileMode, Owner};
    use ringfort_model::severity::Severity;

    use super::{MOST_NAMED, Sighting};
    use crate::baseline::Entries;
    use crate::change::Change;
    use crate::journal::Told;
    use crate::judge::{Content, Kind, Look, Seen};
    use crate::path::FilePath;
    use crate::protected::{Class, Hash, Presence, Protected, Protection};
    use crate::watch::{Came, Heard, MOST_OPEN_NAMED, Watch};
    use crate::why::Around;

    const NAMED: &str = "/srv/audit/policy.yaml";

    fn entry(path: &str, class: Class) -> Protected {
        Protected {
            path: path.parse().unwrap(),
            class,
            presence: Presence::Optional,
            severity: Severity::High,
            mode: None,
            owner: None,
            expected: None,
        }
    }

    fn baseline(paths: &[&str]) -> Entries {
        let all = paths.iter().map(|path| entry(path, Class::Watched));
        Entries::of(&all.collect::<Protection>())
    }

    fn there(text: &str) -> Look {
        Look::There(Seen {
            kind: Kind::File,
            mode: FileMode(0o600),
            owner: Owner::ROOT,
            size: text.len() as u64,
            content: Content::Digest(Hash::Blake3(*blake3::hash(text.as_bytes()).as_bytes())),
            number: 7,
            capabilities: Vec::new(),
        })
    }

    fn look(watch: &mut Watch, text: &str) -> Came {
        look_at(watch, NAMED, &there(text))
    }

    fn look_at(watch: &mut Watch, path: &str, look: &Look) -> Came {
        watch.look(&path.parse().unwrap(), look, &Heard::by_a_look(), &Around::default())
    }

    fn name(watch: &mut Watch, all: &[(&str, Class)]) -> Vec<FilePath> {
        watch.name(all.iter().map(|(path, class)| entry(path, *class)), &BTreeSet::new())
    }

    fn directory() -> Look {
        let Look::There(seen) = there("") else { panic!("it is there") };
        Look::There(Seen { kind: Kind::Directory, content: Content::Unread, ..seen })
    }

    #[test]
    fn what_is_named_is_protected_from_then_on() {
        let mut watch = Watch::begin(1, baseline(&["/etc/kubernetes"]), BTreeMap::new());
        watch.was_looked_at();
        assert_eq!(look(&mut watch, "a"), Came::Nothing);
        let added =
            name(&mut watch, &[(NAMED, Class::Exact), ("/etc/kubernetes/a.yaml", Class::Exact)]);
        assert_eq!(added, [NAMED.parse().unwrap()], "the baseline has the other one");
        assert!(name(&mut watch, &[(NAMED, Class::Exact)]).is_empty());
        assert_eq!(look(&mut watch, "a"), Came::Nothing, "it is taken as it is");
        assert!(matches!(look(&mut watch, "b"), Came::Changed(_)));
        // An agent that begins anew remembers it, and hears of what changed meanwhile.
        let mut again = Watch::begin(1, baseline(&["/etc/kubernetes"]), watch.known().clone());
        name(&mut again, &[(NAMED, Class::Exact)]);
        assert!(matches!(look(&mut again, "c"), Came::Changed(_)));
    }

    #[test]
    fn that_something_began_to_name_it_is_told_and_settled_by_a_baseline_that_has_it() {
        let mut watch = Watch::begin(1, baseline(&["/etc/kubernetes"]), BTreeMap::new());
        name(&mut watch, &[(NAMED, Class::Exact)]);
        assert_eq!(look(&mut watch, "a"), Came::Nothing);
        let path: FilePath = NAMED.parse().unwrap();
        let named = entry(NAMED, Class::Exact);
        let by = "--audit-policy-file of kube-apiserver";
        let mut change = watch.naming(&named, by, Sighting::Later).unwrap();
        let said = |change: &Change| change.finding.differences[0].expected.clone();
        assert_eq!(said(&change), "by nothing that runs here");
        let first = watch.naming(&named, by, Sighting::First).unwrap();
        assert!(said(&first).contains("neither the baseline nor a package"), "{}", said(&first));
        assert!(change.finding.differences[0].found.contains("--audit-policy-file"));
        assert!(change.after.is_some());
        change.id = "a".to_owned();
        watch.hold(7, &change);
        assert!(watch.settle(&Around::default()).is_empty());
        // Nothing is wrong with the file itself, also when the journal says it anew.
        watch.recall(7, &Told::Change(Box::new(change)), false);
        assert!(!watch.is_wrong(&path));
        watch.rebase(2, baseline(&["/etc/kubernetes", "/srv/audit"]));
        assert!(matches!(&watch.settle(&Around::default())[..], [Told::Settled { .. }]));
        assert_eq!(watch.named().count(), 0, "the baseline decides about it");
        assert!(watch.naming(&named, "x", Sighting::Later).is_none());
    }

    /// Whoever was root for a moment puts it where the baseline watches and knows no entries beforehand.
    #[test]
    fn what_lay_in_a_watched_directory_at_first_sight_is_explained_by_an_entry_of_its_own_alone() {
        let mut watch = Watch::begin(1, baseline(&["/srv/audit"]), BTreeMap::new());
        let named = entry(NAMED, Class::Exact);
        assert!(watch.naming(&named, "x", Sighting::Later).is_none(), "that it came is told");
        let change = watch.naming(&named, "x", Sighting::First).unwrap();
        watch.hold(7, &Change { id: "a".to_owned(), ..change });
        assert!(watch.settle(&Around::default()).is_empty());
        watch.rebase(2, baseline(&["/srv/audit", NAMED]));
        assert!(matches!(&watch.settle(&Around::default())[..], [Told::Settled { .. }]));
        assert!(watch.naming(&named, "x", Sighting::First).is_none());
    }

    #[test]
    fn what_is_put_into_a_named_directory_is_told_once_that_was_listed_also_by_another_agent() {
        let mut watch = Watch::begin(1, baseline(&["/etc/a"]), BTreeMap::new());
        watch.was_looked_at();
        name(&mut watch, &[("/srv/d", Class::Watched)]);
        assert_eq!(look_at(&mut watch, "/srv/d", &directory()), Came::Nothing);
        assert_eq!(look_at(&mut watch, "/srv/d/old", &there("a")), Came::Nothing);
        // What is heard to come was not there, also before all was listed.
        let heard = Heard { was_written: true, ..Heard::by_a_look() };
        let came =
            watch.look(&"/srv/d/new".parse().unwrap(), &there("a"), &heard, &Around::default());
        assert!(matches!(came, Came::Changed(_)));
        watch.was_looked_at();
        assert!(matches!(look_at(&mut watch, "/srv/d/late", &there("a")), Came::Changed(_)));
        // Another agent knows that it was listed, or takes all that it finds.
        let again = |listed: &[&str], path: &str| {
            let mut again = Watch::begin(1, baseline(&["/etc/a"]), watch.known().clone());
            let listed = listed.iter().map(|path| path.parse().unwrap()).collect();
            again.name([entry("/srv/d", Class::Watched)], &listed);
            look_at(&mut again, path, &there("b"))
        };
        assert!(matches!(again(&["/srv/d"], "/srv/d/meanwhile"), Came::Changed(_)));
        assert_eq!(again(&[], "/srv/d/meanwhile"), Came::Nothing);
        assert!(matches!(again(&[], "/srv/d/old"), Came::Changed(_)));
    }

    #[test]
    fn what_is_named_hides_nothing_that_a_baseline_protects() {
        let mut watch = Watch::begin(1, baseline(&["/etc/cron.d"]), BTreeMap::new());
        watch.was_looked_at();
        name(
            &mut watch,
            &[("/etc", Class::Watched), ("/", Class::Watched), ("/etc/cron.d/x", Class::Kept)],
        );
        assert!(matches!(look_at(&mut watch, "/etc/cron.d/evil", &there("a")), Came::Changed(_)));
        assert!(matches!(look_at(&mut watch, "/etc/cron.d/x/y", &there("a")), Came::Changed(_)));
        assert_eq!(watch.named().count(), 1, "the root is none that can be named");
    }

    #[test]
    fn the_strictest_of_those_who_name_a_path_counts_whoever_comes_first() {
        let class = |watch: &Watch, path: &str| {
            watch.governs(&path.parse().unwrap()).map(|(entry, _)| entry.class)
        };
        let all = [
            ("/srv/a", Class::Kept),
            ("/srv/a", Class::Watched),
            ("/srv/b", Class::Growing),
            ("/srv/b", Class::Exact),
            ("/srv/a/log", Class::Growing),
            ("/srv/a/data", Class::Kept),
        ];
        let reversed: Vec<_> = all.iter().rev().copied().collect();
        for all in [&all[..], &reversed] {
            let mut watch = Watch::begin(1, baseline(&["/etc"]), BTreeMap::new());
            name(&mut watch, all);
            assert_eq!(class(&watch, "/srv/a/x"), Some(Class::Watched));
            assert_eq!(class(&watch, "/srv/a/log"), Some(Class::Watched));
            assert_eq!(class(&watch, "/srv/a/data/x"), Some(Class::Watched));
            assert_eq!(class(&watch, "/srv/b"), Some(Class::Exact));
        }
    }

    #[test]
    fn what_is_named_takes_no_more_room_than_its_own() {
        let mut watch = Watch::begin(1, baseline(&["/etc"]), BTreeMap::new());
        let all: Vec<String> = (0..=MOST_NAMED).map(|number| format!("/srv/{number}")).collect();
        let all: Vec<_> = all.iter().map(|path| (path.as_str(), Class::Exact)).collect();
        assert_eq!(name(&mut watch, &all).len(), MOST_NAMED);
        // That something began to name what there is no room for is told as well.
        for (number, (path, class)) in all.iter().enumerate() {
            let change = watch.naming(&entry(path, *class), "x", Sighting::Later).unwrap();
            watch.hold(7, &Change { id: (*path).to_owned(), ..change });
            assert_eq!(watch.has_dropped_naming(), number >= MOST_OPEN_NAMED, "{number}");
        }
        let open = watch.open().count();
        assert_eq!(open, MOST_OPEN_NAMED);
        watch.was_looked_at();
        let came = look_at(&mut watch, "/etc/evil", &there("a"));
        let Came::Changed(mut other) = came.clone() else { panic!("{came:?}") };
        other.id = "other".to_owned();
        watch.hold(7, &other);
        assert_eq!(watch.open().count(), open + 1, "others have theirs");
    }

    #[test]
    fn a_link_that_is_named_is_no_finding_and_another_one_is() {
        let mut watch = Watch::begin(1, baseline(&["/etc"]), BTreeMap::new());
        watch.was_looked_at();
        name(&mut watch, &[(NAMED, Class::Exact)]);
        let link = |text: &str| {
            let Look::There(seen) = there(text) else { panic!("it is there") };
            Look::There(Seen { kind: Kind::Link, ..seen })
        };
        assert_eq!(look_at(&mut watch, NAMED, &link("a")), Came::Nothing);
        assert!(matches!(look_at(&mut watch, NAMED, &link("b")), Came::Changed(_)));
    }

    #[test]
    fn what_is_known_outlasts_a_baseline_that_comes_before_it_is_known_what_is_named() {
        let mut watch = Watch::begin(1, baseline(&["/etc"]), BTreeMap::new());
        name(&mut watch, &[(NAMED, Class::Exact)]);
        look(&mut watch, "a");
        let mut again = Watch::begin(1, baseline(&["/etc"]), watch.known().clone());
        again.rebase(2, baseline(&["/etc"]));
        name(&mut again, &[(NAMED, Class::Exact)]);
        assert!(matches!(look(&mut again, "b"), Came::Changed(_)));
    }
}
