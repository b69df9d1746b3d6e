//! What was heard and is not looked at yet: changes of one path in quick succession are one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Agent, WatchFault};
use crate::judge::Kind;
use crate::os::listen::{Heard as HeardAll, Noticed};
use crate::os::processes::{self, Found};
use crate::path::FilePath;
use crate::process::{self, Known, Process, Who};
use crate::protected::Class;
use crate::records::{Writer, happened};
use crate::watch::Heard;
use crate::why::is_its_server;

/// A path is looked at when nothing was heard of it for so long,
const QUIET: Duration = Duration::from_millis(15);
/// or so long after something was.
const LATEST: Duration = Duration::from_millis(60);
/// A file of so many bytes that was looked at a moment ago and is written to on and on is not read each time:
const LARGE_BYTES: u64 = 16 << 20;
/// it is when he closes it, when nothing was heard of it for so long,
const SETTLED: Duration = Duration::from_millis(500);
/// or so long after something was.
const BOUND: Duration = Duration::from_secs(10);
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
    /// Whether somebody has it open and goes on writing to it, as far as was heard.
    is_written: bool,
}

impl Dirty {
    /// Begins with what was heard of something above it.
    pub(super) fn of(heard: Heard) -> Self {
        let now = Instant::now();
        Self { first: now, last: now, heard, is_changer: true, is_written: false }
    }

    /// Says whether it is to be looked at now; of a large file that was looked at a moment ago only when it is whole.
    fn is_due(&self, is_large: bool) -> bool {
        let (quiet, latest) =
            if is_large && self.is_written { (SETTLED, BOUND) } else { (QUIET, LATEST) };
        self.last.elapsed() >= quiet || self.first.elapsed() >= latest
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
        // All of a number that were there are one process: it is asked for whether it still is.
        let mut known = BTreeMap::new();
        for one in noticed {
            self.notice(one, &mut known);
        }
        self.listener.let_go();
        if is_incomplete || self.dirty.len() > MOST_DIRTY {
            self.dirty.clear();
            self.look_after_a_storm();
        }
        Ok(())
    }

    fn notice(&mut self, one: Noticed, known: &mut BTreeMap<(i32, Writer), Who>) {
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
        let (process, writer) = (one.process, one.writer);
        let is_only_written = one.mask & (CHANGES & !happened::MODIFY) == 0;
        if is_log && is_only_written && self.is_server(process, writer) {
            return;
        }
        let who = known.entry((process, writer)).or_insert_with(|| self.who_did(process, writer));
        let who = who.clone();
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
        let fresh = Dirty { first: now, last: now, heard, is_changer, is_written: false };
        let dirty = self.dirty.entry(one.path).or_insert(fresh);
        dirty.last = now;
        // The last one who changed something is whose state is there; who only closes it is not.
        // A server that goes on writing does not hide who else wrote to its log.
        let stays = is_log && dirty.is_changer && !is_its_server(&dirty.heard.who);
        if (is_changer || !dirty.is_changer) && !stays {
            dirty.heard.who = who;
            dirty.is_changer |= is_changer;
        }
        // What is moved, taken away or closed is not written any further for now.
        let is_over = one.mask & (PLACES | happened::CLOSE_WRITE) != 0;
        dirty.is_written = !is_over && (dirty.is_written || one.mask & happened::MODIFY != 0);
        // What is written through memory is heard of when it is closed.
        let writes = if is_log { WRITES | happened::CLOSE_WRITE } else { WRITES };
        dirty.heard.was_written |= one.mask & writes != 0;
        dirty.heard.was_renamed_away |= one.mask & happened::MOVED_FROM != 0;
        dirty.heard.came_whole |= one.mask & happened::MOVED_TO != 0;
    }

    /// Says whether a process is the server that writes a log: it writes often, and is not looked at each time. One
    /// that has ended is the one that was seen to be it.
    fn is_server(&mut self, pid: i32, writer: Writer) -> bool {
        let start = processes::begun(pid).map(|begun| begun.start);
        let is_known = |(known, began): (i32, u64)| {
            // Who has ended is not the one who has the number.
            let is_it = |start: u64| start == began && writer != Writer::Gone;
            known == pid && start.is_none_or(is_it)
        };
        if self.server.is_some_and(is_known) {
            return true;
        }
        let is_it = is_its_server(&self.who_did(pid, writer));
        if is_it {
            self.server = start.map(|start| (pid, start));
        }
        is_it
    }

    /// Says who has a number, while that can still be said.
    pub(super) fn who_did(&mut self, pid: i32, writer: Writer) -> Who {
        if pid <= 0 {
            let why = "it is no process of this machine: another that shares its kernel, or the kernel itself";
            return Who::Unknown(why.to_owned());
        }
        let mut known = self.known(pid, writer);
        // Was it there all the while, all that was read is of it. Else it has ended since, and what was read may be
        // of another.
        if writer == Writer::There && !self.listener.is_there(pid) {
            known = self.known(pid, Writer::Gone);
        }
        self.named(process::who(known))
    }

    /// Reads what is known of a number now.
    fn known(&mut self, pid: i32, writer: Writer) -> Known {
        let gate = self.gate.as_ref();
        let begun = gate.and_then(|gate| gate.begun(pid));
        let now = processes::now(pid);
        let holder = now.as_ref().map(|it| it.process.start);
        let holder = holder.or_else(|| Some(processes::begun(pid)?.start));
        let since = self.listener.since();
        let is_between = gate.is_some_and(|gate| gate.is_between(pid, since));
        let had_ended = gate.is_some_and(|gate| gate.had_ended(pid, since));
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
        Known { writer, begun, had_ended, now, holder, is_between }
    }

    /// Adds which pod it was, by its names: its container may be gone when somebody asks.
    fn named(&mut self, who: Who) -> Who {
        match who {
            Who::Process(mut process) => {
                let now = Instant::now();
                let workload = self.workloads.of(&mut self.root, &process.place, now);
                process.place.workload = workload.map(Box::new);
                Who::Process(process)
            }
            Who::Unknown(_) => who,
        }
    }

    /// Looks at what has been quiet for a while. Says whether anything was told.
    pub(super) fn look_at_dirty(&mut self) -> bool {
        self.large.retain(|_, looked| looked.elapsed() < BOUND);
        let is_due = |(path, it): &(&FilePath, &Dirty)| it.is_due(self.large.contains_key(*path));
        let due: Vec<FilePath> =
            self.dirty.iter().filter(is_due).map(|(path, _)| path.clone()).collect();
        let mut any = false;
        for path in due {
            let Some(dirty) = self.dirty.remove(&path) else { continue };
            self.repair.heard = Some(dirty.first);
            any |= self.visit(&path, &dirty.heard);
            self.repair.heard = None;
            if self.is_large(&path) {
                self.large.insert(path, Instant::now());
            }
        }
        any
    }

    /// Says whether a file is so large that it is not read again while it is written. Logs are not read at all.
    fn is_large(&self, path: &FilePath) -> bool {
        let state = self.watch.known().get(path).and_then(|known| known.state.as_ref());
        state.is_some_and(|state| state.size >= LARGE_BYTES && state.number.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_not_read_each_time_while_it_is_written() {
        let ago =
            |milliseconds| Instant::now().checked_sub(Duration::from_millis(milliseconds)).unwrap();
        let check = |first, last, is_written, expected: [bool; 2]| {
            let of = Dirty::of(Heard::by_a_look());
            let dirty = Dirty { first: ago(first), last: ago(last), is_written, ..of };
            let is_due = [false, true].map(|is_large| dirty.is_due(is_large));
            assert_eq!(is_due, expected, "{first} {last} {is_written}");
        };
        check(2_000, 0, true, [true, false]);
        check(2_000, 600, true, [true, true]);
        check(11_000, 0, true, [true, true]);
        // Whoever wrote to it has closed it.
        check(2_000, 0, false, [true, true]);
    }
}
