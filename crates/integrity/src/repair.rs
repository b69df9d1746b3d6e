//! Which files an agent puts back by itself, and when it leaves one as it is. Pure.
//!
//! What a file holds comes from what was kept of it, and has to have the digest of the signed baseline. A list that
//! the same baseline has the digest of says which files these are.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::integrity::{BASELINE, PutBack};
use ringfort_model::item::ItemId;
use ringfort_model::mode::{FileMode, Owner};

use crate::baseline::Entries;
use crate::path::FilePath;
use crate::protected::{Class, Expected, ModeRule, Presence, Protected};

/// A file is put back so often,
const MOST: usize = 3;
/// within so many seconds, and then left.
const WITHIN_SECONDS: u64 = 3600;
/// Follows the name of a file, behind a dot, as long as it is written beside the one that it takes the place of.
/// ringfort's own steps have another: neither takes the other's away.
const ASIDE: &str = ".ringfort.back";

/// What a file should be, all of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Whole {
    /// Its mode.
    pub mode: FileMode,
    /// Whose it is.
    pub owner: Owner,
    /// What it holds.
    pub expected: Expected,
}

impl Whole {
    /// Takes an entry that says all of a file; nothing where it leaves something open.
    pub fn of(entry: &Protected) -> Option<Self> {
        let is_file = entry.class == Class::Exact && entry.presence == Presence::Required;
        match (entry.mode, entry.owner, entry.expected) {
            (Some(ModeRule::Is(mode)), Some(owner), Some(expected)) if is_file => {
                Some(Self { mode, owner, expected })
            }
            _ => None,
        }
    }
}

/// What is to be done about a file that is not as the baseline says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// It is put back.
    PutBack(Whole),
    /// It stays as it is, for this reason.
    Leave(String),
}

/// The files that are put back, and what was done about each.
#[derive(Clone, Debug, Default)]
pub struct Repairs {
    listed: BTreeMap<FilePath, BTreeSet<ItemId>>,
    aside: BTreeSet<FilePath>,
    /// When each was put back, in seconds since 1970.
    times: BTreeMap<FilePath, Vec<u64>>,
    /// The newest step of ringfort's on each by the time that it was right.
    settled: BTreeMap<FilePath, u64>,
}

impl Repairs {
    /// Takes the list of another baseline. Whoever brought that has seen what was going on: all counts begin anew.
    pub fn list(&mut self, list: &PutBack) {
        let path = |(path, readers): (&String, &BTreeSet<ItemId>)| {
            Some((path.parse::<FilePath>().ok()?, readers.clone()))
        };
        self.listed = list.0.iter().filter_map(path).collect();
        self.aside = self.listed.keys().filter_map(aside).collect();
        self.times.clear();
    }

    /// Puts nothing back any more.
    pub fn clear(&mut self) {
        self.list(&PutBack::default());
    }

    /// Tells how many files are put back.
    pub fn count(&self) -> usize {
        self.listed.len()
    }

    /// Gives them.
    pub fn all(&self) -> impl Iterator<Item = &FilePath> {
        self.listed.keys()
    }

    /// Says whether a file is one of them.
    pub fn has(&self, path: &FilePath) -> bool {
        self.listed.contains_key(path)
    }

    /// Says whether a path is one that a file is written at before it takes its place.
    pub fn is_aside(&self, path: &FilePath) -> bool {
        self.aside.contains(path)
    }

    /// Gives what reads a file only at its start.
    pub fn readers(&self, path: &FilePath) -> BTreeSet<ItemId> {
        self.listed.get(path).cloned().unwrap_or_default()
    }

    /// A file was seen as it should be, when this was the newest step on it.
    pub fn is_right(&mut self, path: &FilePath, newest: u64) {
        if self.has(path) {
            self.settled.insert(path.clone(), newest);
        }
    }

    /// A file was put back.
    pub fn note(&mut self, path: &FilePath, at: u64) {
        let times = self.times.entry(path.clone()).or_default();
        times.push(at);
        let surplus = times.len().saturating_sub(MOST);
        times.drain(..surplus);
    }

    /// Says what is to be done about a file that is not as it should be and that nothing explains.
    ///
    /// A step of ringfort's that came after the file was right is an `up` that has not brought its baseline
    /// yet: the older content must not come back.
    pub fn decide(
        &self,
        path: &FilePath,
        entries: &Entries,
        steps: &BTreeMap<ItemId, u64>,
        now: u64,
    ) -> Decision {
        let leave = |why: &str| Decision::Leave(why.to_owned());
        let Some(whole) = entries.find(path).as_ref().and_then(Whole::of) else {
            return leave("the baseline does not say all of it");
        };
        let signed = || steps.get(&ItemId::file(BASELINE)).copied().unwrap_or_default();
        let settled = self.settled.get(path).copied().unwrap_or_else(signed);
        if step(steps, path) > settled {
            return leave("a step of ringfort up came after the baseline: up goes on with it");
        }
        let is_recent = |at: &&u64| now.saturating_sub(**at) < WITHIN_SECONDS;
        let times = self.times.get(path).map_or(0, |all| all.iter().filter(is_recent).count());
        if times >= MOST {
            let why = format!(
                "GIVEN UP: it was put back {MOST} times within an hour, and somebody changes it again each time"
            );
            return Decision::Leave(why);
        }
        Decision::PutBack(whole)
    }
}

/// Gives the path that a file is written at before it takes its place.
pub fn aside(path: &FilePath) -> Option<FilePath> {
    let name = [b".".as_slice(), path.name(), ASIDE.as_bytes()].concat();
    path.parent()?.join(&name).ok()
}

/// Gives the newest of ringfort's own steps on a file; 0 where there was none.
pub fn step(steps: &BTreeMap<ItemId, u64>, path: &FilePath) -> u64 {
    steps.get(&ItemId::file(path.to_string())).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ringfort_model::severity::Severity;

    use super::*;
    use crate::protected::{Hash, Protection};

    const FILE: &str = "/etc/kubernetes/kubelet.conf";

    fn entry() -> Protected {
        Protected {
            path: FILE.parse().unwrap(),
            class: Class::Exact,
            presence: Presence::Required,
            severity: Severity::High,
            mode: Some(ModeRule::Is(FileMode(0o600))),
            owner: Some(Owner::ROOT),
            expected: Some(Expected { size: Some(1), hash: Hash::Blake3([1; 32]) }),
        }
    }

    fn entries(entry: Protected) -> Entries {
        Entries::of(&[entry].into_iter().collect::<Protection>())
    }

    fn repairs() -> Repairs {
        let mut repairs = Repairs::default();
        let list = [(FILE.to_owned(), [ItemId::unit("kubelet.service")].into())];
        repairs.list(&PutBack(list.into()));
        repairs
    }

    /// The newest step on the file, and on the baseline.
    fn steps(file: u64, baseline: u64) -> BTreeMap<ItemId, u64> {
        [(ItemId::file(FILE), file), (ItemId::file(BASELINE), baseline)].into()
    }

    fn is_put_back(repairs: &Repairs, steps: &BTreeMap<ItemId, u64>, now: u64) -> bool {
        let decision = repairs.decide(&FILE.parse().unwrap(), &entries(entry()), steps, now);
        matches!(decision, Decision::PutBack(_))
    }

    #[test]
    fn a_file_is_put_back_unless_ringfort_is_at_it() {
        let mut repairs = repairs();
        let path: FilePath = FILE.parse().unwrap();
        assert!(is_put_back(&repairs, &BTreeMap::new(), 0));
        assert!(is_put_back(&repairs, &steps(5, 6), 0), "the baseline came after the file");
        assert!(!is_put_back(&repairs, &steps(7, 6), 0), "up was cut off before its baseline");
        repairs.is_right(&path, 7);
        assert!(is_put_back(&repairs, &steps(7, 6), 0), "up put it back, as the baseline says");
        assert!(!is_put_back(&repairs, &steps(8, 6), 0));
        assert!(repairs.has(&path) && repairs.readers(&path).len() == 1);
        assert_eq!(
            aside(&path).unwrap().to_string(),
            "/etc/kubernetes/.kubelet.conf.ringfort.back"
        );
        assert!(repairs.is_aside(&aside(&path).unwrap()));
    }

    #[test]
    fn who_changes_a_file_again_and_again_is_left_with_it_and_that_is_said() {
        let mut repairs = repairs();
        let path: FilePath = FILE.parse().unwrap();
        for at in [100, 200, 300] {
            assert!(is_put_back(&repairs, &BTreeMap::new(), at));
            repairs.note(&path, at);
        }
        let Decision::Leave(why) = repairs.decide(&path, &entries(entry()), &BTreeMap::new(), 301)
        else {
            panic!("it is put back for ever")
        };
        assert!(why.contains("GIVEN UP"), "{why}");
        assert!(!is_put_back(&repairs, &BTreeMap::new(), 100 + WITHIN_SECONDS - 1));
        assert!(is_put_back(&repairs, &BTreeMap::new(), 100 + WITHIN_SECONDS));
        repairs.list(&PutBack([(FILE.to_owned(), BTreeSet::new())].into()));
        assert!(is_put_back(&repairs, &BTreeMap::new(), 301), "another baseline begins anew");
    }

    #[test]
    fn what_the_baseline_leaves_open_is_not_made_up() {
        let repairs = repairs();
        let check = |change: fn(&mut Protected)| {
            let mut other = entry();
            change(&mut other);
            let path = FILE.parse().unwrap();
            let decision = repairs.decide(&path, &entries(other), &BTreeMap::new(), 0);
            assert!(matches!(decision, Decision::Leave(_)), "{decision:?}");
        };
        check(|it| it.mode = None);
        check(|it| it.mode = Some(ModeRule::AtMost(FileMode(0o644))));
        check(|it| it.owner = None);
        check(|it| it.expected = None);
        check(|it| it.class = Class::Kept);
        check(|it| it.presence = Presence::Optional);
        check(|it| it.path = "/etc/other".parse().unwrap());
    }
}
