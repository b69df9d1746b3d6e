//! What containers write into their own roots: heard of like everything else, and held against their images.
//!
//! Not each write through a stack of directories is told by every kernel. So a file that was made is looked at
//! again for a while, and everything is at each look at everything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::Agent;
use super::heard::{CHANGES, PLACES};
use crate::change::{Change, Unknown};
use crate::judge::Kind;
use crate::layers::What;
use crate::os::layers::{self, LayerFinding, Overlay};
use crate::os::listen::Noticed;
use crate::os::look::Stamp;
use crate::path::FilePath;
use crate::process::Who;
use crate::protected::Class;
use crate::records::happened;
use crate::state::State;
use crate::watch::Heard;
use crate::why::Why;

/// So much of one container is named.
const MOST_TOLD: usize = 100;
/// When a file that was made is looked at again, since nothing may be told of what is written to it.
const AGAIN: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(60),
];
/// So many files wait to be looked at again; the look at everything finds the others.
const MOST_AGAIN: usize = 10_000;
/// So many files wait that were there before anything was heard of them.
const MOST_QUEUED: usize = 200_000;
/// How long they are looked at before it is heard again.
const SLICE: Duration = Duration::from_millis(20);
/// What was told of is looked at again after so long, however often it is written to.
const CALM: Duration = Duration::from_secs(60);
/// So often it is seen whether the containers are others,
const SEE_EVERY: Duration = Duration::from_secs(1);
/// and at each turn for so long after a directory came or went.
const EAGER: Duration = Duration::from_secs(2);

/// The containers of the machine, and what was told of them.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// By the directory that takes what a container writes.
    overlays: BTreeMap<FilePath, Overlay>,
    stamps: [Option<Stamp>; 2],
    seen: Option<Instant>,
    eager_until: Option<Instant>,
    told: BTreeMap<FilePath, String>,
    again: BTreeMap<FilePath, Again>,
    /// What was there before anything was heard of it, still to be looked at.
    queue: VecDeque<(FilePath, Heard)>,
    /// What could not be seen, as long as it cannot be.
    unknown: Vec<Unknown>,
}

#[derive(Debug)]
struct Again {
    due: Instant,
    tries: usize,
    heard: Heard,
}

impl Layers {
    /// Takes what was told before.
    pub(super) fn recall(&mut self, change: &Change) {
        if let Some(drift) = &change.drift {
            let print = print(drift.what, change);
            self.told.insert(change.finding.path.clone(), print);
        }
    }

    /// Whether something is to be done soon.
    pub(super) fn is_busy(&self) -> bool {
        self.eager_until.is_some() || self.is_behind()
    }

    /// Whether something that was there is still to be looked at.
    pub(super) fn is_behind(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Gives the directories that containers write to.
    pub(super) fn all(&self) -> impl Iterator<Item = &FilePath> {
        self.overlays.keys()
    }

    /// How many containers there are.
    pub(super) fn count(&self) -> u64 {
        self.overlays.len() as u64
    }

    /// What could not be seen of containers.
    pub(super) fn unknown(&self) -> &[Unknown] {
        &self.unknown
    }

    /// Gives the directory of a container that a path lies in.
    pub(super) fn own(&self, path: &FilePath) -> Option<&FilePath> {
        let (own, _) = self.overlays.range(..=path.clone()).next_back()?;
        path.is_within(own).then_some(own)
    }

    fn told_of(&self, own: &FilePath) -> usize {
        let from = self.told.range(own.clone()..).take_while(|(path, _)| path.is_within(own));
        from.count()
    }
}

/// What tells one thing that was told of a path from another. Data is told of once, whatever it holds later.
fn print(what: What, change: &Change) -> String {
    let digest = change.after.as_ref().and_then(|state: &State| state.digest.clone());
    match digest {
        Some(digest) if change.finding.severity > LEAST => format!("{what:?} {digest}"),
        _ => format!("{what:?}"),
    }
}

const LEAST: ringfort_model::severity::Severity = ringfort_model::severity::Severity::Low;

impl Agent<'_> {
    /// Sees whether the containers are others, and looks again at what is due. Says whether anything was told.
    pub(super) fn see_layers(&mut self) -> bool {
        let now = Instant::now();
        self.layers.eager_until = self.layers.eager_until.filter(|until| now < *until);
        let is_due = self.layers.seen.is_none_or(|seen| now - seen >= SEE_EVERY);
        if is_due || self.layers.eager_until.is_some() {
            self.layers.seen = Some(now);
            self.root.begin_anew();
            let stamps = layers::stamps(&mut self.root);
            if stamps != self.layers.stamps {
                self.layers.stamps = stamps;
                self.take_containers();
            }
        }
        let is_due = |again: &Again| again.due <= now;
        let due: Vec<FilePath> =
            self.layers.again.iter().filter(|it| is_due(it.1)).map(|it| it.0.clone()).collect();
        let mut any = false;
        for path in due {
            let Some(again) = self.layers.again.remove(&path) else { continue };
            any |= self.visit_layer(&path, &again.heard);
            if again.tries + 1 < AGAIN.len() && self.root.kind(&path) == Some(Kind::File) {
                self.look_again(path, again.tries + 1, again.heard);
            }
        }
        self.go_on() | any
    }

    /// Looks for a moment at what was there before anything was heard of it.
    fn go_on(&mut self) -> bool {
        let (began, mut any) = (Instant::now(), false);
        while began.elapsed() < SLICE {
            let Some((path, heard)) = self.layers.queue.pop_front() else { break };
            // What was heard of since is looked at with who did it.
            if !self.dirty.contains_key(&path) {
                any |= self.visit_layer(&path, &heard);
            }
        }
        any
    }

    /// Takes the containers as they are now: hears of the roots of new ones, and forgets those that went.
    fn take_containers(&mut self) {
        self.listen_to(&layers::all_layers(), Kind::Directory);
        let (stacks, unknown) = layers::load(&mut self.root);
        self.layers.unknown = unknown;
        let before = std::mem::take(&mut self.layers.overlays);
        for stack in &stacks {
            match Overlay::of(&mut self.root, stack) {
                Ok(overlay) => drop(self.layers.overlays.insert(overlay.own().clone(), overlay)),
                Err(unknown) => self.layers.unknown.push(unknown),
            }
        }
        let own: BTreeSet<FilePath> = self.layers.all().cloned().collect();
        for gone in before.keys().filter(|path| !own.contains(*path)) {
            self.listener.forget_within(gone);
            self.layers.told.retain(|path, _| !path.is_within(gone));
            self.layers.again.retain(|path, _| !path.is_within(gone));
        }
        self.listener.adopt(own.clone());
        let why = "it was there before anything was heard of its container".to_owned();
        for new in own.into_iter().filter(|path| !before.contains_key(path)) {
            let heard = Heard::by(Who::Unknown(why.clone()));
            self.layers.queue.push_back((new, heard));
        }
    }

    /// Takes what was heard of the directories of layers. Says whether it concerns a container.
    pub(super) fn notice_layer(&mut self, one: &Noticed) -> bool {
        let is_placed = one.mask & happened::ON_DIRECTORY != 0 && one.mask & PLACES != 0;
        if one.path.parent().as_ref() == Some(&layers::all_layers()) && is_placed {
            self.layers.eager_until = Some(Instant::now() + EAGER);
            return true;
        }
        if self.layers.own(&one.path).is_none() {
            return false;
        }
        // What was told of is looked at again in a while, and not each time that it is written to.
        let is_told = self.layers.told.contains_key(&one.path);
        if is_told && one.mask & PLACES == 0 {
            if one.mask & CHANGES != 0 {
                let heard = Heard::by(self.who_did(one.process, one.writer));
                let due = Instant::now() + CALM;
                let again = Again { due, tries: AGAIN.len(), heard: heard.clone() };
                let entry = self.layers.again.entry(one.path.clone());
                entry.and_modify(|it| it.heard = heard).or_insert(again);
            }
            return true;
        }
        false
    }

    fn look_again(&mut self, path: FilePath, tries: usize, heard: Heard) {
        if self.layers.again.len() < MOST_AGAIN {
            let due = Instant::now() + AGAIN[tries.min(AGAIN.len() - 1)];
            self.layers.again.insert(path, Again { due, tries, heard });
        }
    }

    /// Looks at something in a container's own directory, and goes into it where it is one.
    pub(super) fn visit_layer(&mut self, path: &FilePath, heard: &Heard) -> bool {
        let Some(own) = self.layers.own(path).cloned() else { return false };
        self.root.begin_anew();
        if self.root.kind(path) == Some(Kind::Directory) {
            self.listen_to(path, Kind::Directory);
        }
        let Some(overlay) = self.layers.overlays.get_mut(&own) else { return false };
        let looked = match overlay.look(&mut self.root, path) {
            Ok(looked) => looked,
            Err(why) => {
                self.unknown.insert(path.clone(), why);
                return false;
            }
        };
        let stack = overlay.stack().clone();
        if looked.kind == Some(Kind::Directory) {
            self.go_into_layer(path, heard);
        }
        if looked.kind == Some(Kind::File) && heard.was_written {
            self.look_again(path.clone(), 0, Heard::by(made_by(&heard.who)));
        }
        if *path != own && !looked.found.iter().any(|it| it.path == *path) {
            self.layers.told.remove(path);
        }
        let mut any = false;
        for found in looked.found {
            any |= self.tell_drift(&own, LayerFinding::of(&stack, found), heard);
        }
        any
    }

    fn go_into_layer(&mut self, path: &FilePath, heard: &Heard) {
        let names = match self.root.list(path) {
            Ok(names) => names,
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => {
                self.unknown.insert(path.clone(), error.to_string());
                return;
            }
        };
        let is_by_a_look = *heard == Heard::by_a_look();
        let why = match &heard.who {
            Who::Unknown(why) => why.clone(),
            Who::Process(_) => "it was there before anything was heard of its directory".to_owned(),
        };
        let of_child = Heard::by(Who::Unknown(why));
        for child in names.iter().filter_map(|name| path.join(name).ok()) {
            match &mut self.round {
                Some(round) if is_by_a_look => round.push(child),
                _ if self.layers.queue.len() < MOST_QUEUED => {
                    self.layers.queue.push_back((child, of_child.clone()));
                }
                _ => {
                    let why = format!("more than {MOST_QUEUED} files are to be looked at");
                    self.unknown.insert(path.clone(), why);
                }
            }
        }
    }

    fn tell_drift(&mut self, own: &FilePath, found: LayerFinding, heard: &Heard) -> bool {
        let mut change = changed(found, heard.who.clone());
        let path = change.finding.path.clone();
        let Some(drift) = &mut change.drift else { return false };
        let what = drift.what;
        let new = print(what, &change);
        if self.layers.told.get(&path) == Some(&new) {
            return false;
        }
        // The root itself stands for all that is not named.
        if !self.layers.told.contains_key(&path) && self.layers.told_of(own) >= MOST_TOLD {
            if self.layers.told.contains_key(own) {
                return false;
            }
            change = more(change, own);
        }
        let drift = change.drift.as_ref().map(|it| it.what);
        let new = print(drift.unwrap_or(what), &change);
        self.layers.told.insert(change.finding.path.clone(), new);
        self.tell_change(Box::new(change));
        true
    }
}

/// Whoever made a file need not be who wrote to it since: not every kernel tells that.
fn made_by(who: &Who) -> Who {
    let Who::Process(process) = who else { return who.clone() };
    let (exe, pid) = (&process.exe, process.pid);
    Who::Unknown(format!(
        "it was made by {exe} (process {pid}), and who wrote to it since was not told"
    ))
}

fn changed(found: LayerFinding, who: Who) -> Change {
    let LayerFinding { finding, drift, before, after } = found;
    let (id, drift, why) = (String::new(), Some(drift), Why::Unexplained);
    Change { id, finding, is_right: false, before, after, drift, who, why }
}

/// Says of a container that more of it is not as its image has it.
fn more(change: Change, own: &FilePath) -> Change {
    let drift = change.drift.map(|drift| crate::layers::Drift {
        what: What::More,
        path: FilePath::root(),
        ..drift
    });
    let finding = crate::change::Finding {
        path: own.clone(),
        class: Class::Layer,
        severity: ringfort_model::severity::Severity::High,
        differences: change.finding.differences,
    };
    let why =
        format!("more than {MOST_TOLD} files of this container are not as its image has them");
    let who = Who::Unknown(why);
    Change { finding, before: None, after: None, drift, who, ..change }
}
