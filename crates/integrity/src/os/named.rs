//! What the components of this machine name, as they run now: their arguments by `/proc`, and the files of the machine
//! that these lead to. What files hold is forgotten when the paths in them are known.
//!
//! A look at `/proc` may hang for as long as somebody likes, so it is made in a thread of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Dir, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use rustix::io::Errno;

use super::look::{Stamp, kind, stamp};
use crate::judge::Kind;
use crate::path::FilePath;
use crate::protected::Protected;
use crate::protected::live::{
    Mention, Mounts, Named, Read, Running, Sight, Standing, Want, named_by, program, standing, told,
};

/// A process that is no component becomes one within so long, or is found when all are looked at.
const YOUNG: Duration = Duration::from_secs(10);
/// How often all processes are looked at.
const ALL_EVERY: Duration = Duration::from_secs(60);
/// No sooner than after so long they are looked at again, whoever begins.
const AT_LEAST: Duration = Duration::from_secs(5);
/// A look that takes longer is told.
const SILENT: Duration = Duration::from_secs(10);
/// No configuration is larger, and no list of arguments.
const MOST_BYTES: u64 = 1 << 20;
const MOST_WORDS_BYTES: u64 = 128 << 10;
/// So much is read for one process.
const MOST_TEXT_BYTES: usize = 4 << 20;
/// So much is read of what is mounted.
const MOST_MOUNTS_BYTES: u64 = 8 << 20;
/// No directory of configuration has more names.
const MOST_NAMES: usize = 1_000;
/// Files name files, which name files: so often what they want is read.
const MOST_ROUNDS: usize = 8;

/// A path that a component names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Found {
    /// By what it is named, and by which process.
    pub by: String,
    /// What protects it,
    pub entry: Protected,
    /// and why nothing can.
    pub unprotected: Option<&'static str>,
}

/// A process that may be one of a component.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Speaker {
    /// The component.
    pub program: &'static str,
    /// What it runs, where that is a file of the machine: whether it is believed depends on that.
    pub exe: Option<FilePath>,
    /// Whether it could not be looked at what it names.
    pub is_unseen: bool,
    /// What it names.
    pub found: Vec<Found>,
    /// What could not be said of it.
    pub gaps: Vec<String>,
}

/// What came of a look.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Looked {
    /// Those who name something.
    pub speakers: Vec<Speaker>,
    /// Why nothing could be seen.
    pub blind: Option<String>,
}

/// Looks in a thread of its own, one look after another was asked for.
#[derive(Debug)]
pub(super) struct Lookout {
    ask: SyncSender<()>,
    answers: Receiver<Option<Looked>>,
    asked: Option<Instant>,
}

impl Lookout {
    pub(super) fn begin(mut live: Live) -> Self {
        let (ask, asked) = sync_channel(1);
        let (tell, answers) = sync_channel(1);
        let look = move || {
            while asked.recv().is_ok() && tell.send(live.look(Instant::now())).is_ok() {}
        };
        // Where there is no thread, nobody ever answers.
        let _ = thread::Builder::new().name("named".to_owned()).spawn(look);
        Self { ask, answers, asked: None }
    }

    /// Asks for a look, if none is under way, and gives what came of it within so long, or of the one before. Nothing,
    /// where nothing is another than it was.
    pub(super) fn answer(&mut self, longest: Duration) -> Option<Looked> {
        if self.asked.is_none() {
            // That nobody listens is seen by his silence.
            let _ = self.ask.try_send(());
            self.asked = Some(Instant::now());
        }
        let answer = self.answers.recv_timeout(longest).ok()?;
        self.asked = None;
        answer
    }

    /// Says whether a look takes too long.
    pub(super) fn is_silent(&self) -> bool {
        self.asked.is_some_and(|asked| asked.elapsed() >= SILENT)
    }
}

/// What runs here, and what was read for it.
#[derive(Debug)]
pub(super) struct Live {
    proc: PathBuf,
    root: PathBuf,
    /// When processes were seen first.
    seen: BTreeMap<i32, Instant>,
    /// The arguments of components.
    running: BTreeMap<i32, Vec<String>>,
    /// How files were that were read, and directories.
    read: BTreeMap<String, Option<Stamp>>,
    /// What is mounted where for the machine, while all are looked at.
    mounts: Option<Arc<Mounts>>,
    all: Option<Instant>,
}

/// A process of a component, as far as `/proc` says.
#[derive(Debug)]
struct Candidate {
    pid: i32,
    program: &'static str,
    exe: String,
    /// Whether that file was replaced, or is gone, since it was begun.
    is_replaced: bool,
    standing: Standing,
    words: Vec<String>,
}

impl Candidate {
    /// Says who it is.
    fn text(&self) -> String {
        let exe = told(&self.exe);
        match &self.standing {
            Standing::Machine { unit: Some(unit), .. } => {
                format!("pid {}, {exe}, {}", self.pid, told(unit))
            }
            Standing::Machine { unit: None, .. } => format!("pid {}, {exe}", self.pid),
            Standing::Pod(uid) => format!("pid {}, {exe} of static pod {uid}", self.pid),
        }
    }
}

impl Live {
    /// Begins with nothing known; processes are those that the root's own `/proc` shows.
    pub(super) fn new(root: &Path) -> Self {
        let (seen, running, read, mounts, all) = Default::default();
        Self { proc: root.join("proc"), root: root.to_owned(), seen, running, read, mounts, all }
    }

    /// Gives all that is named now; nothing, where nothing began and nothing that was read is another.
    pub(super) fn look(&mut self, now: Instant) -> Option<Looked> {
        let since = self.all.map(|all| now.saturating_duration_since(all));
        if since.is_some_and(|since| since < AT_LEAST) {
            return None;
        }
        let is_late = since.is_none_or(|since| since >= ALL_EVERY);
        // Both are asked: a process is young only for a while.
        let has_begun = self.has_begun(now);
        (is_late || has_begun || self.is_other()).then(|| {
            self.all = Some(now);
            self.derive()
        })
    }

    /// Says whether a component began that was not seen.
    fn has_begun(&mut self, now: Instant) -> bool {
        let Ok(pids) = pids(&self.proc) else { return false };
        self.seen.retain(|pid, _| pids.contains(pid));
        let mut any = false;
        for pid in pids {
            let first = *self.seen.entry(pid).or_insert(now);
            if now.saturating_duration_since(first) < YOUNG && !any {
                let found = candidate(&self.proc, pid);
                any = found.is_some_and(|it| self.running.get(&pid) != Some(&it.words));
            }
        }
        any
    }

    /// Says whether something that was read is another by now.
    fn is_other(&self) -> bool {
        let Ok(root) = open_root(&self.root) else { return false };
        self.read.iter().any(|(path, before)| stamp_of(&root, path) != *before)
    }

    fn derive(&mut self) -> Looked {
        self.read.clear();
        self.mounts = None;
        let (pids, root) = match (pids(&self.proc), open_root(&self.root)) {
            (Ok(pids), Ok(root)) => (pids, root),
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound => return Looked::default(),
            (Err(error), _) | (_, Err(error)) => {
                let blind = Some(format!("what runs here cannot be seen: {error}"));
                return Looked { speakers: Vec::new(), blind };
            }
        };
        let all: Vec<Candidate> =
            pids.iter().filter_map(|pid| candidate(&self.proc, *pid)).collect();
        self.running = all.iter().map(|it| (it.pid, it.words.clone())).collect();
        let speakers = all.into_iter().filter_map(|it| self.speaker(it, &root)).collect();
        Looked { speakers, blind: None }
    }

    /// Says what a process names; nothing, where it has ended, or is not what it is called.
    fn speaker(&mut self, candidate: Candidate, root: &OwnedFd) -> Option<Speaker> {
        let by = candidate.text();
        let is_of_machine = matches!(candidate.standing, Standing::Machine { .. });
        let exe = FilePath::new(candidate.exe.as_bytes()).ok().filter(|_| is_of_machine);
        let (program, is_unseen, found, gaps) = (candidate.program, false, Vec::new(), Vec::new());
        let mut speaker = Speaker { program, exe, is_unseen, found, gaps };
        if is_of_machine && !self.is_machines_own(&candidate, root) {
            if !candidate.is_replaced {
                return None;
            }
            let why = "it runs a file that is not there any more, until it is begun anew";
            speaker.gaps.push(format!("what {by} names cannot be said: {why}"));
            speaker.is_unseen = true;
            return Some(speaker);
        }
        let Candidate { pid, exe, standing, words, .. } = candidate;
        let view = match self.view(pid, &standing) {
            Ok(view) => view,
            Err(error) if is_gone(&error) => return None,
            Err(error) => {
                speaker.gaps.push(format!("which files {program} sees cannot be said: {error}"));
                speaker.is_unseen = true;
                return Some(speaker);
            }
        };
        let unit = match standing {
            Standing::Machine { unit, .. } => unit,
            Standing::Pod(_) => None,
        };
        let running = Running { program, exe: is_of_machine.then_some(exe), words, unit };
        let named = self.named(&running, &view, root);
        speaker.gaps.extend(named.gaps);
        for (path, mention) in named.paths {
            let own = std::str::from_utf8(path.as_bytes()).ok();
            let Some(place) = own.and_then(|own| view.place(own)) else {
                let (path, by) = (told(own.unwrap_or_default()), &mention.by);
                speaker.gaps.push(format!("{path}, which {by} names, is no file of the machine"));
                continue;
            };
            if own.is_some_and(|own| view.is_deleted(own)) && is_missing(root, &place) {
                let (path, by) = (told(&place), &mention.by);
                speaker.gaps.push(format!("{path}, which {by} names, was deleted meanwhile"));
            }
            let Some(all) = protecting(root, &self.root, &place, &mention) else {
                let (path, by) = (told(&place), &mention.by);
                speaker.gaps.push(format!("{path}, which {by} names: it is no path of a file"));
                continue;
            };
            for (entry, unprotected) in all {
                if let Some(why) = unprotected {
                    let (path, by) = (told(&place), &mention.by);
                    speaker.gaps.push(format!("{path}, which {by} names: {why}"));
                }
                let by = format!("{} ({by})", mention.by);
                speaker.found.push(Found { by, entry, unprotected });
            }
        }
        Some(speaker)
    }

    /// Says whether what a process runs is the file that the machine has at that path: in a container of somebody's
    /// another may lie there. Where an upgrade replaced the file, a process in its own unit still is the machine's.
    fn is_machines_own(&self, candidate: &Candidate, root: &OwnedFd) -> bool {
        let (pid, exe) = (candidate.pid, &candidate.exe);
        let is_in_own_unit = matches!(candidate.standing, Standing::Machine { is_own: true, .. });
        let is_upgraded = candidate.is_replaced && is_in_own_unit;
        if is_upgraded || self.namespace(pid) == self.namespace(1) {
            return true;
        }
        let running = fs::metadata(of(&self.proc, pid, "exe")).ok();
        let there = reach(root, exe, OFlags::PATH).ok().and_then(|file| fstat(&file).ok());
        running
            .zip(there)
            .is_some_and(|(it, there)| (it.dev(), it.ino()) == (there.st_dev, there.st_ino))
    }

    fn namespace(&self, pid: i32) -> Option<PathBuf> {
        fs::read_link(of(&self.proc, pid, "ns/mnt")).ok()
    }

    /// Says how a process sees the machine's files.
    fn view(&mut self, pid: i32, standing: &Standing) -> io::Result<View> {
        let is_seen_so = match (self.namespace(pid), self.namespace(1)) {
            (Some(own), Some(machine)) => own == machine,
            // Where nothing tells them apart, what is in no pod is the machine's.
            (own, _) => own.is_none() && matches!(standing, Standing::Machine { .. }),
        };
        if is_seen_so {
            return Ok(View::Machine);
        }
        let machine = match &self.mounts {
            Some(known) => Arc::clone(known),
            None => Arc::clone(self.mounts.insert(Arc::new(mounts(&self.proc, 1)?))),
        };
        Ok(View::Own(mounts(&self.proc, pid)?, machine))
    }

    /// Reads for a process what it wants, as often as it wants something.
    fn named(&mut self, running: &Running, view: &View, root: &OwnedFd) -> Named {
        let mut sight = Sight::default();
        for _ in 0..MOST_ROUNDS {
            let named = named_by(running, &sight);
            if named.wants.is_empty() {
                return named;
            }
            for want in named.wants {
                self.read(want, &mut sight, view, root);
            }
        }
        let mut named = named_by(running, &sight);
        let why = format!("files that {} names lead to further ones, on and on", running.program);
        named.gaps.insert(why);
        named
    }

    fn read(&mut self, want: Want, sight: &mut Sight, view: &View, root: &OwnedFd) {
        let (Want::Text(path) | Want::Names(path)) = &want;
        let place = view.place(path);
        if let Some(place) = &place {
            // Before it is read, and as it was read first: what changes meanwhile is seen next time.
            self.read.entry(place.clone()).or_insert_with(|| stamp_of(root, place));
        }
        match want {
            Want::Text(path) => {
                let before: usize = sight.texts.values().map(length).sum();
                let read = match place {
                    None => Read::Absent,
                    Some(_) if before > MOST_TEXT_BYTES => {
                        Read::Unreadable(format!("no more than {MOST_TEXT_BYTES} bytes are read"))
                    }
                    Some(place) => text(root, &place),
                };
                sight.texts.insert(path, read);
            }
            Want::Names(path) => {
                let listed = place.map_or(Ok(Vec::new()), |place| names(root, &place));
                sight.names.insert(path, listed);
            }
        }
    }
}

fn length(read: &Read) -> usize {
    match read {
        Read::Text(text) => text.len(),
        Read::Absent | Read::Unreadable(_) => 0,
    }
}

fn of(proc: &Path, pid: i32, name: &str) -> PathBuf {
    proc.join(pid.to_string()).join(name)
}

/// Reads what is mounted where for a process. A name that is no text spoils no other.
fn mounts(proc: &Path, pid: i32) -> io::Result<Mounts> {
    let mut bytes = Vec::new();
    let file = File::open(of(proc, pid, "mountinfo"))?;
    file.take(MOST_MOUNTS_BYTES).read_to_end(&mut bytes)?;
    Ok(Mounts::read(&String::from_utf8_lossy(&bytes)))
}

/// How a process sees the machine's files.
enum View {
    /// As the machine does.
    Machine,
    /// By mounts of its own, beside those of the machine.
    Own(Mounts, Arc<Mounts>),
}

impl View {
    /// Gives where a file of a process lies on the machine, if it is one of the machine's.
    fn place(&self, path: &str) -> Option<String> {
        match self {
            Self::Machine => Some(path.to_owned()),
            Self::Own(own, machine) => own.place(path, machine),
        }
    }

    /// Says whether what a process sees at a path was deleted, or replaced, since it was mounted there.
    fn is_deleted(&self, path: &str) -> bool {
        match self {
            Self::Machine => false,
            Self::Own(own, _) => own.is_deleted(path),
        }
    }
}

/// What protects a path that is named, and what it leads to where it is a link, each with why nothing can. Nothing, where it
/// is no path.
fn protecting(
    root: &OwnedFd,
    top: &Path,
    place: &str,
    mention: &Mention,
) -> Option<Vec<(Protected, Option<&'static str>)>> {
    let kind_of = |file: &OwnedFd| fstat(file).ok().map(|stat| kind(&stat));
    let (above, name) = place.rsplit_once('/').unwrap_or(("", place));
    let above = if above.is_empty() { "/" } else { above };
    // Links on the way to it are followed: what is protected is looked at along none.
    let above = reach(root, above, OFlags::PATH).ok().and_then(|file| end(top, &file));
    let own = match above {
        Some(above) if !name.is_empty() => above.join(name.as_bytes()),
        _ => FilePath::new(place),
    };
    let own_kind = reach(root, place, OFlags::PATH | OFlags::NOFOLLOW);
    let own_kind = own_kind.ok().as_ref().and_then(kind_of);
    let own = own.ok()?;
    let mut all = vec![mention.protects(own.clone(), own_kind)];
    if let Ok(file) = reach(root, place, OFlags::PATH)
        && let Some(end) = end(top, &file).filter(|end| *end != own)
    {
        all.push(mention.protects(end, kind_of(&file)));
    }
    Some(all)
}

/// Gives the path that an open file has below a root.
fn end(top: &Path, file: &OwnedFd) -> Option<FilePath> {
    let whole = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let below = whole.strip_prefix(fs::canonicalize(top).ok()?).ok()?;
    FilePath::new(Path::new("/").join(below).into_os_string().into_encoded_bytes()).ok()
}

fn open_root(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(CWD, path, flags, Mode::empty())?)
}

fn reach(root: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT)
}

fn is_missing(root: &OwnedFd, path: &str) -> bool {
    matches!(reach(root, path, OFlags::PATH), Err(Errno::NOENT | Errno::NOTDIR))
}

fn stamp_of(root: &OwnedFd, path: &str) -> Option<Stamp> {
    let file = reach(root, path, OFlags::PATH).ok()?;
    fstat(&file).ok().map(|stat| stamp(&stat))
}

fn text(root: &OwnedFd, path: &str) -> Read {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let is_file = |file: &OwnedFd| fstat(file).is_ok_and(|stat| kind(&stat) == Kind::File);
    // Only a file is opened to be read: to open something else may do something.
    let file = match reach(root, path, OFlags::PATH) {
        Ok(place) if is_file(&place) => reach(root, path, flags),
        Ok(_) => return Read::Unreadable("it is no file".to_owned()),
        Err(error) => Err(error),
    };
    let mut bytes = Vec::new();
    let read = file
        .map_err(io::Error::from)
        .and_then(|file| File::from(file).take(MOST_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if is_absent(&error) => Read::Absent,
        Err(error) => Read::Unreadable(error.to_string()),
        Ok(_) if bytes.len() as u64 > MOST_BYTES => {
            Read::Unreadable(format!("it has more than {MOST_BYTES} bytes"))
        }
        Ok(_) => String::from_utf8(bytes)
            .map_or_else(|_| Read::Unreadable("it is no text".to_owned()), Read::Text),
    }
}

fn names(root: &OwnedFd, path: &str) -> Result<Vec<String>, String> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let entries = match reach(root, path, flags).and_then(Dir::new) {
        Ok(entries) => entries,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| error.to_string())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "." || name == ".." {
            continue;
        }
        if names.len() == MOST_NAMES {
            return Err(format!("it has more than {MOST_NAMES} names"));
        }
        names.push(name);
    }
    names.sort();
    Ok(names)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether a process has ended meanwhile.
fn is_gone(error: &io::Error) -> bool {
    is_absent(error) || error.raw_os_error() == Some(Errno::SRCH.raw_os_error())
}

fn pids(proc: &Path) -> io::Result<BTreeSet<i32>> {
    let names = fs::read_dir(proc)?.flatten().map(|entry| entry.file_name());
    Ok(names.filter_map(|name| name.to_str()?.parse().ok()).collect())
}

/// Gives a process whose program has a component's name, and that may be that component. What it says of itself is
/// read of no other.
fn candidate(proc: &Path, pid: i32) -> Option<Candidate> {
    let exe = fs::read_link(of(proc, pid, "exe")).ok()?;
    let exe = exe.to_str()?;
    // Its file was replaced since it was begun.
    let replaced = exe.strip_suffix(" (deleted)");
    let (exe, is_replaced) = (replaced.unwrap_or(exe), replaced.is_some());
    let name = exe.rsplit('/').next()?;
    let program = program(name)?;
    let text = |name: &str| fs::read_to_string(of(proc, pid, name)).unwrap_or_default();
    let standing = standing(program, &text("status"), &text("cgroup"))?;
    let mut bytes = Vec::new();
    let file = File::open(of(proc, pid, "cmdline")).ok()?;
    file.take(MOST_WORDS_BYTES).read_to_end(&mut bytes).ok()?;
    let line = String::from_utf8_lossy(&bytes);
    let mut words: Vec<String> =
        line.strip_suffix('\0').unwrap_or(&line).split('\0').map(str::to_owned).collect();
    if bytes.len() as u64 == MOST_WORDS_BYTES {
        // Nobody can read such a word, and that is told.
        words.push("-".repeat(3));
    }
    Some(Candidate { pid, program, exe: exe.to_owned(), is_replaced, standing, words })
}

#[cfg(test)]
#[path = "named/tests.rs"]
mod tests;
