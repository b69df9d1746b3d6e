//! Files that the agent puts back by itself, as soon as it has told that they were changed.
//!
//! Nothing is put back that a step of ringfort's explains, and nothing while an operator acts. What is put back is
//! told as a change of the agent's own; the change before it stays as unexplained as it was.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ringfort_model::integrity::{PutBack, REPAIR};
use serde::{Deserialize, Serialize};

use super::{Agent, NAMED, now};
use crate::change::{Change, Unknown};
use crate::journal::Told;
use crate::os::repair::{Contents, hold_off, stage, sweep};
use crate::path::FilePath;
use crate::process::Who;
use crate::protected::Expected;
use crate::records::Writer;
use crate::repair::{Decision, Repairs, Whole, step};
use crate::watch::{Came, Heard};
use crate::why::{Cause, Why};

/// So long is waited for an operator who acts, before it is looked again.
const PATIENCE: Duration = Duration::from_secs(1);
/// No list is larger.
const MOST_BYTES: u64 = 1 << 20;

/// What is put back, and what waits for it.
#[derive(Debug)]
pub(super) struct Repair {
    repairs: Repairs,
    contents: Contents,
    due: BTreeMap<FilePath, Due>,
    /// What was not put back, and why not.
    left: BTreeMap<FilePath, String>,
    /// The newest unexplained change of each.
    told: BTreeMap<FilePath, String>,
    /// When something was heard of what is looked at now.
    pub heard: Option<Instant>,
    put_back: u64,
    own: i32,
}

#[derive(Clone, Debug)]
struct Due {
    since: Instant,
    not_before: Instant,
}

/// How putting back goes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepairStatus {
    /// How many files are put back.
    pub listed: u64,
    /// How often one was, since the agent began.
    pub put_back: u64,
    /// What is not as it should be and was left so, the first few.
    pub left: Vec<Unknown>,
}

impl Repair {
    pub(super) fn new(contents: Contents) -> Self {
        let (repairs, due, left, told) = Default::default();
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        Self { repairs, contents, due, left, told, heard: None, put_back: 0, own }
    }

    /// Takes what was told before.
    pub(super) fn recall(&mut self, change: &Change) {
        if change.why == Why::Unexplained {
            self.told.insert(change.finding.path.clone(), change.id.clone());
        }
    }

    /// Says whether this is the agent itself, at a file that it puts back: it looks at that anyway.
    pub(super) fn is_own(&self, process: i32, path: &FilePath) -> bool {
        process == self.own && (self.repairs.has(path) || self.repairs.is_aside(path))
    }

    /// Says how it goes; nothing where nothing is put back.
    pub(super) fn status(&self) -> Option<RepairStatus> {
        let left = self.left.iter().take(NAMED);
        (self.repairs.count() > 0 || !self.left.is_empty()).then(|| RepairStatus {
            listed: self.repairs.count() as u64,
            put_back: self.put_back,
            left: left
                .map(|(path, why)| Unknown { path: path.clone(), why: why.clone() })
                .collect(),
        })
    }
}

impl Agent<'_> {
    /// Takes the list of what is put back, if the baseline has its digest: what lies there, or what was kept of it.
    pub(super) fn take_list(&mut self) {
        self.repair.repairs.clear();
        self.repair.due.clear();
        self.repair.left.clear();
        let path = list();
        let Some(expected) = self.watch.entries().find(&path).and_then(|entry| entry.expected)
        else {
            return;
        };
        let kept = || self.repair.contents.small(&expected);
        let is_signed = |bytes: &Vec<u8>| is_of(bytes, &expected);
        let bytes = self.root.read(&path, MOST_BYTES).ok().filter(is_signed).or_else(kept);
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(list) = text.and_then(|text| PutBack::read(&text)) else {
            let why =
                "nothing is put back: the list of that is not what the baseline says".to_owned();
            self.leave(&path, why);
            return;
        };
        self.repair.repairs.list(&list);
        let all: Vec<FilePath> = self.repair.repairs.all().cloned().collect();
        all.iter().for_each(|path| sweep(&mut self.root, path));
        let entries = self.watch.entries();
        let expected = all.iter().filter_map(|path| entries.find(path)?.expected);
        self.repair.contents.forget_all_but(expected);
    }

    /// Gives the newest step of ringfort's on a file that is put back.
    pub(super) fn newest_step(&mut self, path: &FilePath) -> u64 {
        if !self.repair.repairs.has(path) {
            return 0;
        }
        self.read_steps();
        step(&self.around.steps, path)
    }

    /// Sees after a look whether a file is to be put back, or may be kept as it is for that. Of a step that came after
    /// the newest before the look it is not known whether it changes the file.
    pub(super) fn consider(&mut self, path: &FilePath, newest: u64) {
        let is_list = *path == list() && self.watch.entries().find(path).is_some();
        if !self.repair.repairs.has(path) && !is_list {
            return;
        }
        if self.watch.is_wrong(path) {
            let since = self.repair.heard.unwrap_or_else(Instant::now);
            let due = Due { since, not_before: since };
            self.repair.due.entry(path.clone()).or_insert(due);
            return;
        }
        self.repair.due.remove(path);
        let Some(entry) = self.watch.entries().find(path) else { return };
        let is_right = self.watch.known().get(path).is_some_and(|known| known.state.is_some());
        let Some(Whole { expected, .. }) = Whole::of(&entry).filter(|_| is_right) else {
            return;
        };
        if is_list && self.repair.repairs.count() == 0 {
            self.take_list();
        }
        self.repair.repairs.is_right(path, newest);
        self.repair.left.remove(path);
        // What could not be kept is told when it is missed.
        let _ = self.repair.contents.keep(&mut self.root, path, &expected);
    }

    /// Takes note of a change that somebody has to answer for.
    pub(super) fn note_told(&mut self, change: &Change) {
        if self.repair.repairs.has(&change.finding.path) {
            self.repair.recall(change);
        }
    }

    /// Puts back what is due. Says whether anything was told.
    pub(super) fn put_back(&mut self) -> bool {
        let now = Instant::now();
        let is_due = |due: &Due| due.not_before <= now;
        let due: Vec<FilePath> =
            self.repair.due.iter().filter(|it| is_due(it.1)).map(|it| it.0.clone()).collect();
        let mut any = false;
        for path in due {
            let Some(due) = self.repair.due.remove(&path) else { continue };
            any |= match self.try_to_put_back(&path) {
                Tried::Done => self.see_put_back(&path, &due),
                Tried::Waits => {
                    let not_before = Instant::now() + PATIENCE;
                    self.repair.due.insert(path, Due { not_before, ..due });
                    false
                }
                Tried::Left(why) => self.leave(&path, why),
            };
        }
        any
    }

    fn try_to_put_back(&mut self, path: &FilePath) -> Tried {
        let whole = match self.decide(path) {
            Ok(whole) => whole,
            Err(tried) => return tried,
        };
        (self.hooks.alive)();
        let staged = match stage(&mut self.root, path, &whole, &self.repair.contents) {
            Ok(staged) => staged,
            Err(why) => return Tried::Left(why),
        };
        // From here on no operator begins. What one did until now is known.
        let held = match hold_off(&self.settings.lock) {
            Ok(Some(held)) => held,
            Ok(None) => return Tried::Waits,
            Err(why) => return Tried::Left(why),
        };
        match self.decide_now(path) {
            Ok(again) if again == whole => {}
            Ok(_) => return Tried::Waits,
            Err(tried) => return tried,
        }
        if let Err(error) = (self.hooks.misread)(&self.repair.repairs.readers(path)) {
            return Tried::Left(format!("it cannot be noted who may have read it: {error}"));
        }
        let placed = staged.place();
        drop(held);
        placed.map_or_else(Tried::Left, |()| Tried::Done)
    }

    /// Decides, unless an operator acts.
    fn decide(&mut self, path: &FilePath) -> Result<Whole, Tried> {
        match hold_off(&self.settings.lock) {
            Ok(Some(_)) => self.decide_now(path),
            Ok(None) => Err(Tried::Waits),
            Err(why) => Err(Tried::Left(why)),
        }
    }

    fn decide_now(&mut self, path: &FilePath) -> Result<Whole, Tried> {
        self.read_steps();
        if let Some(why) = &self.steps_unread {
            return Err(Tried::Left(format!("whether ringfort changed it is not known: {why}")));
        }
        let (entries, steps) = (self.watch.entries(), &self.around.steps);
        match self.repair.repairs.decide(path, entries, steps, now()) {
            Decision::PutBack(whole) => Ok(whole),
            Decision::Leave(why) => Err(Tried::Left(why)),
        }
    }

    /// Looks at what was put back, and tells it with what it was put back for.
    fn see_put_back(&mut self, path: &FilePath, due: &Due) -> bool {
        // As it was read while no operator could begin.
        let newest = step(&self.around.steps, path);
        let milliseconds = u64::try_from(due.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.repair.repairs.note(path, now());
        self.repair.put_back += 1;
        self.repair.left.remove(path);
        self.dirty.remove(path);
        self.root.begin_anew();
        if let Some(kind) = self.root.kind(path) {
            self.listen_to(path, kind);
        }
        let look = self.look_only(path);
        let heard =
            Heard { was_written: true, ..Heard::by(self.who_did(self.repair.own, Writer::Untold)) };
        let Came::Changed(mut change) = self.watch.look(path, &look, &heard, &self.around) else {
            return false;
        };
        if change.is_right {
            let change_before = self.repair.told.get(path).cloned();
            let cause = Cause::Repair { change: change_before, milliseconds };
            change.why = Why::Explained(cause);
        } else {
            let why = "it was changed again while it was put back".to_owned();
            change.who = Who::Unknown(why);
        }
        self.tell_change(change);
        self.consider(path, newest);
        true
    }

    /// Tells once why a file is not put back.
    fn leave(&mut self, path: &FilePath, why: String) -> bool {
        let before = self.repair.left.insert(path.clone(), why.clone());
        if before.as_ref() == Some(&why) {
            return false;
        }
        let change = self.repair.told.get(path).cloned();
        self.tell(Told::Left { path: path.clone(), change, why });
        true
    }
}

enum Tried {
    Done,
    /// Somebody acts.
    Waits,
    Left(String),
}

fn list() -> FilePath {
    FilePath::new(REPAIR).expect("it is written as one")
}

fn is_of(bytes: &[u8], expected: &Expected) -> bool {
    crate::protected::Hash::Blake3(*blake3::hash(bytes).as_bytes()) == expected.hash
}
