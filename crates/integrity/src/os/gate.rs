//! Learns who every process is before its program begins: the kernel asks whether a file may be run, and is
//! always told that it may.
//!
//! Whoever runs a program waits for the answer. So the thread that answers reads a few lines of `/proc` and
//! does nothing else, whatever goes wrong is answered with yes, and one that does not answer takes the whole
//! process with it: the kernel lets everybody go on when nobody is there to be asked.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fanotify_fid::Fanotify;
use fanotify_fid::consts::{
    FAN_CLASS_CONTENT, FAN_CLOEXEC, FAN_MARK_ADD, FAN_MARK_FILESYSTEM, FAN_NONBLOCK,
    FAN_OPEN_EXEC_PERM, FAN_UNLIMITED_QUEUE,
};
use fanotify_fid::response::FanotifyResponse;

use super::processes::{self, Found};
use crate::process::{Opened, Process};

/// Where programs lie, one directory of each file system that a machine may have of its own.
const PROGRAMS: [&str; 11] = [
    "/",
    "/usr",
    "/usr/local",
    "/opt",
    "/var",
    "/var/lib",
    "/tmp",
    "/home",
    "/root",
    "/run",
    "/dev/shm",
];
/// How many processes are known.
const MOST: usize = 8_192;
/// How long one that runs a program may wait.
const LONGEST: Duration = Duration::from_secs(2);
/// So few are read at once that their open files are never too many: the kernel refuses what it cannot open.
const BUFFER_BYTES: usize = 64 * 24;

/// Says why nobody is asked before programs begin.
#[derive(Debug, thiserror::Error)]
#[error(
    "the kernel does not ask before a program begins ({why}): who has ended by the time that a change is heard is not known"
)]
pub struct GateFault {
    why: String,
}

/// Knows processes from their beginning.
#[derive(Debug)]
pub struct Gate {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// What times are told from.
    born: Instant,
    table: Mutex<Table>,
    ends: AtomicBool,
    /// When the thread began to answer, in milliseconds since `born`, and one more; 0 while it waits.
    busy: AtomicU64,
    asked: AtomicU64,
    nanoseconds: AtomicU64,
    longest: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    known: BTreeMap<i32, Begun>,
    /// The oldest first, each with when it began: a number may be another's since.
    order: VecDeque<(i32, u64)>,
}

#[derive(Debug)]
struct Begun {
    process: Process,
    opened: Opened,
    files: BTreeMap<String, (u64, u64)>,
    /// By when it had ended.
    ended: Option<Instant>,
}

impl Gate {
    /// Begins to be asked, on these file systems or those that programs usually lie on.
    ///
    /// # Errors
    /// The kernel does not ask.
    pub fn begin(on: Option<&[&Path]>) -> Result<Self, GateFault> {
        let fault = |error: fanotify_fid::FanotifyError| GateFault { why: error.to_string() };
        let flags = FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE;
        let group = Fanotify::init(flags, READ_ONLY).map_err(fault)?;
        let usual = PROGRAMS.map(Path::new);
        let born = Instant::now();
        let shared = Arc::new(Shared::new(born));
        let gate = Self { shared: Arc::clone(&shared) };
        let watched = Arc::clone(&shared);
        let group = Arc::new(group);
        let answering = Arc::clone(&group);
        // Both stand before the kernel begins to ask.
        std::thread::spawn(move || watch_over(&watched, born));
        std::thread::spawn(move || answer(&answering, &shared, born));
        let mut devices = Vec::new();
        for path in on.unwrap_or(&usual) {
            let Ok(about) = fs::metadata(path) else { continue };
            if !devices.contains(&about.dev()) {
                let flags = FAN_MARK_ADD | FAN_MARK_FILESYSTEM;
                group.mark(flags, FAN_OPEN_EXEC_PERM, *path).map_err(fault)?;
                devices.push(about.dev());
            }
        }
        Ok(gate)
    }

    /// Gives a process as it was when it last began a program.
    pub(super) fn begun(&self, pid: i32) -> Option<Found> {
        let table = self.shared.table();
        let begun = table.known.get(&pid)?;
        let exe = begun.opened.program()?.to_owned();
        let file = begun.files.get(&exe).copied()?;
        Some(Found { process: Process { exe, ..begun.process.clone() }, file })
    }

    /// Says whether the last one that began a program under a number was seen to have ended by then.
    pub(super) fn had_ended(&self, pid: i32, by: Instant) -> bool {
        let table = self.shared.table();
        table.known.get(&pid).and_then(|begun| begun.ended).is_some_and(|ended| ended <= by)
    }

    /// Looks which of them have ended: what is done later is none of theirs, whoever has their numbers then.
    pub(super) fn see_ended(&self) {
        // Whoever begins a program waits while the table is held: nothing is asked of the kernel meanwhile.
        let mut numbers = self.shared.table().running();
        numbers.retain(|(pid, _)| !processes::is_taken(*pid));
        self.shared.table().end(&numbers, Instant::now());
    }

    /// Says whether a process went from one program to another since then.
    pub(super) fn is_between(&self, pid: i32, since: Instant) -> bool {
        let table = self.shared.table();
        let since = since.saturating_duration_since(self.shared.born);
        table.known.get(&pid).is_some_and(|begun| begun.opened.is_between(since))
    }

    /// Tells how often the kernel asked, and how long an answer took in the mean and at most.
    pub fn asked(&self) -> (u64, Duration, Duration) {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let (asked, all) = (read(&self.shared.asked), read(&self.shared.nanoseconds));
        let mean = Duration::from_nanos(all.checked_div(asked).unwrap_or_default());
        (asked, mean, Duration::from_nanos(read(&self.shared.longest)))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
    }
}

const READ_ONLY: u32 = 0;

/// Answers until the gate is dropped, or the kernel is silent; the group is closed then.
fn answer(group: &Fanotify, shared: &Shared, born: Instant) {
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    while !shared.ends.load(Ordering::Relaxed) {
        match group.wait_readable(Some(Duration::from_millis(200))) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(_) => {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
        }
        let since = u64::try_from(born.elapsed().as_millis()).unwrap_or(u64::MAX);
        shared.busy.store(since + 1, Ordering::Relaxed);
        // Nothing to read, or nothing that could be: who waits is asked about again.
        let events = group.read_fd_events(&mut buffer).unwrap_or_default();
        for event in &events {
            let began = Instant::now();
            let Some(file) = event.fd() else { continue };
            shared.learn(event.pid(), file);
            let _ = group.send_response(&FanotifyResponse::allow(file));
            let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            shared.asked.fetch_add(1, Ordering::Relaxed);
            shared.nanoseconds.fetch_add(took, Ordering::Relaxed);
            shared.longest.fetch_max(took, Ordering::Relaxed);
        }
        shared.busy.store(0, Ordering::Relaxed);
    }
}

/// Ends the process when somebody waits for an answer for too long.
fn watch_over(shared: &Shared, born: Instant) {
    while !shared.ends.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
        let since = shared.busy.load(Ordering::Relaxed);
        let busy = since > 0;
        let waited = born.elapsed().saturating_sub(Duration::from_millis(since.saturating_sub(1)));
        if busy && waited > LONGEST {
            eprintln!(
                "nobody was told for {} ms whether to run a program: this ends",
                waited.as_millis()
            );
            std::process::abort();
        }
    }
}

impl Shared {
    fn new(born: Instant) -> Self {
        let (table, ends, busy, asked, nanoseconds, longest) = Default::default();
        Self { born, table, ends, busy, asked, nanoseconds, longest }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, pid: i32, file: BorrowedFd<'_>) {
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        // Without a number it is a process of another machine that shares this kernel.
        if pid <= 0 || pid == own {
            return;
        }
        let at = format!("/proc/self/fd/{}", file.as_raw_fd());
        let (Ok(path), Ok(about)) = (fs::read_link(&at), fs::metadata(&at)) else { return };
        let path = path.to_string_lossy().into_owned();
        let Some(stat) = processes::begun(pid) else { return };
        let mut table = self.table();
        let is_same = table
            .known
            .get(&pid)
            .is_some_and(|known| known.process.start == stat.start && known.ended.is_none());
        if !is_same {
            let parents = table.parents(stat.parent);
            let process = Process {
                pid,
                start: stat.start,
                exe: String::new(),
                digest: None,
                parent: stat.parent,
                parents,
                ended: false,
                place: processes::place(pid),
            };
            let (opened, files) = (Opened::default(), BTreeMap::new());
            table.insert(pid, Begun { process, opened, files, ended: None });
        }
        if let Some(known) = table.known.get_mut(&pid) {
            known.opened.push(path.clone(), self.born.elapsed());
            if known.files.len() > 16 {
                known.files.clear();
            }
            known.files.insert(path, (about.dev(), about.ino()));
        }
    }
}

impl Table {
    fn insert(&mut self, pid: i32, begun: Begun) {
        self.order.push_back((pid, begun.process.start));
        self.known.insert(pid, begun);
        while self.order.len() > MOST {
            let Some((oldest, start)) = self.order.pop_front() else { break };
            if self.known.get(&oldest).is_some_and(|it| it.process.start == start) {
                self.known.remove(&oldest);
            }
        }
    }

    /// Those that were not seen to have ended, each with when it began.
    fn running(&self) -> Vec<(i32, u64)> {
        let running = self.known.values().filter(|it| it.ended.is_none());
        running.map(|it| (it.process.pid, it.process.start)).collect()
    }

    /// Notes that these had ended by then, but for those whose number another was given since.
    fn end(&mut self, numbers: &[(i32, u64)], by: Instant) {
        for (pid, start) in numbers {
            let known = self.known.get_mut(pid).filter(|it| it.process.start == *start);
            if let Some(known) = known {
                known.ended = Some(by);
            }
        }
    }

    fn parents(&self, parent: i32) -> Vec<String> {
        let known = self.known.get(&parent);
        match known.and_then(|known| Some((known.opened.program()?, &known.process.parents))) {
            Some((exe, above)) => {
                let above = above.iter().map(String::as_str);
                std::iter::once(exe).chain(above).take(4).map(str::to_owned).collect()
            }
            None => processes::parents(parent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Place;

    fn begun(pid: i32, start: u64) -> Begun {
        let process = Process {
            pid,
            start,
            exe: String::new(),
            digest: None,
            parent: 1,
            parents: Vec::new(),
            ended: false,
            place: Place::default(),
        };
        Begun { process, opened: Opened::default(), files: BTreeMap::new(), ended: None }
    }

    #[test]
    fn who_was_given_a_number_is_neither_ended_nor_forgotten_for_who_had_it() {
        let mut table = Table::default();
        table.insert(7, begun(7, 1));
        table.insert(8, begun(8, 2));
        let numbers = table.running();
        assert_eq!(numbers, [(7, 1), (8, 2)]);
        table.insert(7, begun(7, 3));
        let by = Instant::now();
        table.end(&numbers, by);
        assert_eq!(table.running(), [(7, 3)]);
        assert_eq!(table.known[&8].ended, Some(by));
        // It leaves room for one more: the oldest goes, which had the number before.
        let more = i32::try_from(MOST).unwrap() - 2;
        (0..more).for_each(|number| table.insert(100 + number, begun(100 + number, 4)));
        assert!(table.known.contains_key(&7) && table.known.contains_key(&8));
        table.insert(9, begun(9, 5));
        assert!(table.known.contains_key(&7) && !table.known.contains_key(&8));
        assert!(table.order.len() <= MOST);
    }
}
