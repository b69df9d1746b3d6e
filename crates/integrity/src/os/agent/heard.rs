//! What was heard and is not looked at yet: changes of one path in quick succession are one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Agent, WatchFault, now};
use crate::judge::Kind;
use crate::os::listen::{Heard as HeardAll, Noticed};
use crate::os::processes::{self, Found};
use crate::path::FilePath;
use crate::process::{self, Known, Process, Who};
use crate::protected::Class;
use crate::records::happened;
use crate::watch::Heard;
use crate::why::is_its_server;

/// A path is looked at when nothing was heard of it for so long,
const QUIET: Duration = Duration::from_millis(15);
/// or so long after something was.
const LATEST: Duration = Duration::from_millis(60);
/// Paths that wait to be looked at; beyond that everything is looked at instead.
const MOST_DIRTY: usize = 50_000;

/// A path of which something was heard.
#[derive(Debug)]
pub(super) struct Dirty {
    first: Instant,
    last: Instant,
    heard: Heard,
    /// Whether the one who is named changed something, and did not only close it.
    is_changer: bool,
}

impl Dirty {
    /// Begins with what was heard of something above it.
    pub(super) fn of(heard: Heard) -> Self {
        let now = Instant::now();
        Self { first: now, last: now, heard, is_changer: true }
    }
}

pub(super) const CHANGES: u64 = happened::MODIFY
    | happened::ATTRIB
    | happened::MOVED_FROM
    | happened::MOVED_TO
    | happened::CREATE
    | happened::DELETE;
const WRITES: u64 = happened::MODIFY | happened::MOVED_TO | happened::CREATE;
pub(super) const PLACES: u64 =
    happened::MOVED_FROM | happened::MOVED_TO | happened::CREATE | happened::DELETE;

impl Agent<'_> {
    /// Hears for a while.
    pub(super) fn hear(&mut self, longest: Duration) -> Result<(), WatchFault> {
        let HeardAll { noticed, is_incomplete } = self.listener.hear(longest)?;
        // A number belongs to one process for as long as it takes to hear a few thousand changes.
        let mut known = BTreeMap::new();
        for one in noticed {
            self.notice(one, &mut known);
        }
        if is_incomplete || self.dirty.len() > MOST_DIRTY {
            self.dirty.clear();
            self.look_after_a_storm();
        }
        self.heard_at = now();
        Ok(())
    }

    fn notice(&mut self, one: Noticed, known: &mut BTreeMap<i32, Who>) {
        if self.notice_layer(&one) || self.repair.is_own(one.process, &one.path) {
            return;
        }
        let is_directory = one.mask & happened::ON_DIRECTORY != 0;
        let is_placed = is_directory && one.mask & PLACES != 0;
        let governed = self.watch.governs(&one.path);
        let holds = is_placed && self.watch.known_within(&one.path).next().is_some();
        let is_layer = self.layers.own(&one.path).is_some();
        if governed.is_none() && !holds && !is_layer {
            return;
        }
        let is_log = governed
            .as_ref()
            .is_some_and(|(entry, is_own)| *is_own && entry.class == Class::Growing);
        if is_log && one.mask & (CHANGES & !happened::MODIFY) == 0 && self.is_server(one.process) {
            return;
        }
        let who = known.entry(one.process).or_insert_with(|| self.who_did(one.process)).clone();
        if is_placed {
            self.root.begin_anew();
            // What is put into it from here on is heard of.
            self.listen_to(&one.path, Kind::Directory);
        }
        if holds {
            // All that lies below is elsewhere, or something else.
            self.look_below(&one.path, &Heard::by(who.clone()));
        }
        if governed.is_none() && !is_layer {
            return;
        }
        let (now, is_changer) = (Instant::now(), one.mask & CHANGES != 0);
        let heard = Heard::by(who.clone());
        let fresh = Dirty { first: now, last: now, heard, is_changer };
        let dirty = self.dirty.entry(one.path).or_insert(fresh);
        dirty.last = now;
        // The last one who changed something is whose state is there; who only closes it is not.
        // A server that goes on writing does not hide who else wrote to its log.
        let stays = is_log && dirty.is_changer && !is_its_server(&dirty.heard.who);
        if (is_changer || !dirty.is_changer) && !stays {
            dirty.heard.who = who;
            dirty.is_changer |= is_changer;
        }
        // What is written through memory is heard of when it is closed.
        let writes = if is_log { WRITES | happened::CLOSE_WRITE } else { WRITES };
        dirty.heard.was_written |= one.mask & writes != 0;
        dirty.heard.was_renamed_away |= one.mask & happened::MOVED_FROM != 0;
        dirty.heard.came_whole |= one.mask & happened::MOVED_TO != 0;
    }

    /// Says whether a process is the server that writes a log: it writes often, and is not looked at each time. One
    /// that has ended is the one that was seen to be it.
    fn is_server(&mut self, pid: i32) -> bool {
        let start = processes::begun(pid).map(|begun| begun.start);
        let is_known =
            |(known, began): (i32, u64)| known == pid && start.is_none_or(|start| start == began);
        if self.server.is_some_and(is_known) {
            return true;
        }
        let is_it = is_its_server(&self.who_did(pid));
        if is_it {
            self.server = start.map(|start| (pid, start));
        }
        is_it
    }

    /// Says who has a number, while that can still be said.
    pub(super) fn who_did(&mut self, pid: i32) -> Who {
        if pid <= 0 {
            let why = "it is no process of this machine: another that shares its kernel, or the kernel itself";
            return Who::Unknown(why.to_owned());
        }
        let begun = self.gate.as_ref().and_then(|gate| gate.begun(pid));
        let now = processes::now(pid);
        let mut told = |found: Option<Found>| -> Option<Process> {
            let found = found?;
            let like = self.watch.digest_of_program(&found.process.exe);
            let digest = self.digests.of(&found, like.as_deref());
            Some(Process { digest, ..found.process })
        };
        let now = told(now);
        // Only where nobody is there any more it matters what was begun.
        let begun = if now.is_some() {
            begun.map(|found| Process {
                digest: now.as_ref().and_then(|it| it.digest.clone()),
                ..found.process
            })
        } else {
            told(begun)
        };
        let since = self.listener.since();
        let is_between = self.gate.as_ref().is_some_and(|gate| gate.is_between(pid, since));
        process::who(Known { begun, now, is_between })
    }

    /// Looks at what has been quiet for a while. Says whether anything was told.
    pub(super) fn look_at_dirty(&mut self) -> Result<bool, WatchFault> {
        let is_due =
            |dirty: &Dirty| dirty.last.elapsed() >= QUIET || dirty.first.elapsed() >= LATEST;
        let due: Vec<FilePath> =
            self.dirty.iter().filter(|(_, it)| is_due(it)).map(|(path, _)| path.clone()).collect();
        let mut any = false;
        for path in due {
            let Some(dirty) = self.dirty.remove(&path) else { continue };
            self.repair.heard = Some(dirty.first);
            any |= self.visit(&path, &dirty.heard)?;
            self.repair.heard = None;
        }
        Ok(any)
    }
}
