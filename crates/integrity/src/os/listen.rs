//! Hears from the kernel what changes on whole file systems, and keeps what concerns directories that were
//! named to it. Needs root, and a kernel of 5.13 or newer.
//!
//! A handle leads to a directory by a table that is made beforehand: nothing is opened for an event, and
//! what concerns nobody costs one look into the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use fanotify_fid::Fanotify;
use fanotify_fid::consts::{
    FAN_CLASS_NOTIF, FAN_CLOEXEC, FAN_EVENT_ON_CHILD, FAN_MARK_ADD, FAN_MARK_FILESYSTEM,
    FAN_NONBLOCK, FAN_REPORT_DIR_FID, FAN_REPORT_FID, FAN_REPORT_NAME, FAN_REPORT_PIDFD,
    FAN_REPORT_TARGET_FID, FAN_UNLIMITED_MARKS,
};
use fanotify_fid::handle::{fsid_of_fd, handle_from_fd};

use crate::path::FilePath;
use crate::process;
use crate::records::{self, FileId, Writer, happened};

/// What is heard of.
const MASK: u64 = happened::MODIFY
    | happened::ATTRIB
    | happened::CLOSE_WRITE
    | happened::MOVED_FROM
    | happened::MOVED_TO
    | happened::CREATE
    | happened::DELETE
    | happened::ON_DIRECTORY;
/// What is read at once: the kernel opens a descriptor for each event of it, and these have to be few.
const BUFFER_BYTES: usize = 16 << 10;
/// So often is read in one go.
const MOST_READS: usize = 16;
/// So many processes may have done what is read in one go, and what one more read has.
const MOST_WRITERS: usize = 256;
/// No event is larger: where so much of the buffer is left, all that there was is in it.
const LARGEST_BYTES: usize = 4 << 10;
/// What happens to a name, and not to a file.
const OF_NAMES: u64 =
    happened::MOVED_FROM | happened::MOVED_TO | happened::CREATE | happened::DELETE;
/// So many directories are heard of without having been asked for.
const MOST_ADOPTED: usize = 200_000;

/// Says why nothing can be heard.
#[derive(Debug, thiserror::Error)]
pub enum ListenFault {
    /// The kernel gives no group, or reads none.
    #[error(
        "the kernel does not tell what changes ({why}): it takes root and a kernel of 5.13 or newer"
    )]
    Kernel {
        /// What it says.
        why: String,
    },
    /// A file system cannot be heard of.
    #[error("the file system of {path} does not tell what changes ({why})")]
    Mute {
        /// Where it is.
        path: FilePath,
        /// What the kernel says.
        why: String,
    },
}

/// Something that was heard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Noticed {
    /// Where.
    pub path: FilePath,
    /// What, as bits of [`happened`].
    pub mask: u64,
    /// The process that did it.
    pub process: i32,
    /// Whether that one was still there.
    pub writer: Writer,
}

/// What was heard at once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Heard {
    /// What happened, in order.
    pub noticed: Vec<Noticed>,
    /// Whether more happened than was heard: everything has to be looked at again.
    pub is_incomplete: bool,
}

/// For so long is waited at once: what is heard then happened since.
const WAIT: Duration = Duration::from_millis(20);

/// Listens.
#[derive(Debug)]
pub struct Listener {
    group: Fanotify,
    directories: BTreeMap<FileId, FilePath>,
    files: BTreeMap<FileId, FilePath>,
    ids: BTreeMap<FilePath, FileId>,
    narrow: BTreeSet<[u8; 8]>,
    /// What is made below these is heard of from the first moment on.
    adopts: BTreeSet<FilePath>,
    /// When there was nothing to be heard last: what is heard now happened since.
    silent: Instant,
    /// When all that was to be heard was: what is heard next happens after it.
    emptied: Option<Instant>,
    buffer: Vec<u8>,
    /// Whether the kernel says if who did something is still there.
    tells_writers: bool,
    /// Who did what was heard last, by number: the first that was still there.
    writers: BTreeMap<i32, OwnedFd>,
}

impl Listener {
    /// Begins to listen, to nothing yet.
    ///
    /// # Errors
    /// The kernel gives no group.
    pub fn begin() -> Result<Self, ListenFault> {
        let names = FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME;
        let flags = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_MARKS | names;
        let begin = |more: u32| {
            Fanotify::new(flags | more).map(|group| (group, more & FAN_REPORT_PIDFD != 0))
        };
        // An older kernel does not say what the name was given to: who fills a new directory at once is not known.
        // A still older one does not say whether who did something has ended.
        let (group, tells_writers) = begin(FAN_REPORT_TARGET_FID | FAN_REPORT_PIDFD)
            .or_else(|_| begin(FAN_REPORT_PIDFD))
            .or_else(|_| begin(FAN_REPORT_TARGET_FID))
            .or_else(|_| begin(0))
            .map_err(|error| ListenFault::Kernel { why: error.to_string() })?;
        let (directories, files, ids, narrow, adopts) = Default::default();
        Ok(Self {
            group,
            directories,
            files,
            ids,
            narrow,
            adopts,
            silent: Instant::now(),
            emptied: None,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            tells_writers,
            writers: BTreeMap::new(),
        })
    }

    /// Says what cannot be known of who did something, where the kernel is too old.
    pub(super) fn limit(&self) -> Option<String> {
        let why = "the kernel does not say whether who changed something has ended (5.15 does): another that was given \
                   the number may be named";
        (!self.tells_writers).then(|| why.to_owned())
    }

    /// Listens to what happens in a directory, given as a place.
    ///
    /// # Errors
    /// Its file system tells nothing.
    pub fn add_directory(&mut self, path: &FilePath, place: &OwnedFd) -> Result<(), ListenFault> {
        let id = self.mark(path, place, MASK | FAN_EVENT_ON_CHILD)?;
        self.forget(path, &id);
        self.directories.insert(id, path.clone());
        Ok(())
    }

    /// Listens to what happens to a file, given as a place, by whatever name.
    ///
    /// # Errors
    /// Its file system tells nothing.
    pub fn add_file(&mut self, path: &FilePath, place: &OwnedFd) -> Result<(), ListenFault> {
        let id = self.mark(path, place, MASK & !OF_NAMES & !happened::ON_DIRECTORY)?;
        self.forget(path, &id);
        self.files.insert(id, path.clone());
        Ok(())
    }

    /// Says how many file systems tell of changes only directory by directory: what is done to a file there
    /// through a name outside of these is not heard. A stack of file systems is one.
    pub fn narrow(&self) -> usize {
        self.narrow.len()
    }

    /// Hears of directories that are made below these, without having been asked for each.
    pub(super) fn adopt(&mut self, all: BTreeSet<FilePath>) {
        self.adopts = all;
    }

    /// Forgets a directory with all that it held.
    pub(super) fn forget_within(&mut self, path: &FilePath) {
        let from = self.ids.range(path.clone()..).map(|(known, _)| known);
        let within = from.take_while(|it| it.as_bytes().starts_with(path.as_bytes()));
        let gone: Vec<FilePath> = within.filter(|it| it.is_within(path)).cloned().collect();
        for path in gone {
            let Some(id) = self.ids.remove(&path) else { continue };
            if self.directories.get(&id) == Some(&path) {
                self.directories.remove(&id);
            }
            if self.files.get(&id) == Some(&path) {
                self.files.remove(&id);
            }
        }
    }

    /// Takes a directory that an event put somewhere, where it lies below what is adopted.
    fn take_in(&mut self, mask: u64, file: Option<FileId>, path: &FilePath) {
        let is_put = mask & happened::ON_DIRECTORY != 0
            && mask & (happened::CREATE | happened::MOVED_TO) != 0;
        let Some(id) = file.filter(|_| is_put && self.ids.len() < MOST_ADOPTED) else { return };
        let above = self.adopts.range(..=path.clone()).next_back();
        if above.is_some_and(|above| path.is_within(above)) {
            self.forget(path, &id);
            self.directories.insert(id, path.clone());
        }
    }

    /// What lay at a path before is not there any more.
    fn forget(&mut self, path: &FilePath, id: &FileId) {
        let before = self.ids.insert(path.clone(), id.clone());
        let Some(before) = before.filter(|before| before != id) else { return };
        let is_it = |of: Option<&FilePath>| of == Some(path);
        if is_it(self.directories.get(&before)) {
            self.directories.remove(&before);
        }
        if is_it(self.files.get(&before)) {
            self.files.remove(&before);
        }
    }

    /// Listens to the file system of a place, or where that cannot be to the place alone, of which this much can
    /// be heard. Gives what the kernel will call the place by.
    fn mark(
        &mut self,
        path: &FilePath,
        place: &OwnedFd,
        alone: u64,
    ) -> Result<FileId, ListenFault> {
        let mute = |why: String| ListenFault::Mute { path: path.clone(), why };
        let (first, second) = fsid_of_fd(place).map_err(|error| mute(error.to_string()))?;
        let handle = handle_from_fd(place).map_err(|error| mute(error.to_string()))?;
        let at = format!("/proc/self/fd/{}", place.as_raw_fd());
        let mut fsid = [0; 8];
        fsid[..4].copy_from_slice(&first.to_ne_bytes());
        fsid[4..].copy_from_slice(&second.to_ne_bytes());
        let whole = FAN_MARK_ADD | FAN_MARK_FILESYSTEM;
        if let Err(error) = self.group.mark(whole, MASK, &at) {
            let alone = self.group.mark(FAN_MARK_ADD, alone, &at);
            alone.map_err(|_| mute(error.to_string()))?;
            self.narrow.insert(fsid);
        }
        Ok(FileId { fsid, handle })
    }

    /// Waits until something is to be heard, at most so long, and gives what concerns the directories and
    /// files that were added.
    ///
    /// # Errors
    /// The kernel tells nothing any more.
    pub fn hear(&mut self, longest: Duration) -> Result<Heard, ListenFault> {
        let kernel = |why: String| ListenFault::Kernel { why };
        let mut heard = Heard::default();
        self.let_go();
        self.silent = self.emptied.take().unwrap_or(self.silent);
        let began = Instant::now();
        loop {
            let (at, wait) = (Instant::now(), WAIT.min(longest.saturating_sub(began.elapsed())));
            let is_there = self.group.wait_readable(Some(wait));
            if is_there.map_err(|error| kernel(error.to_string()))? {
                break;
            }
            self.silent = at;
            if began.elapsed() >= longest {
                return Ok(heard);
            }
        }
        for _ in 0..MOST_READS {
            let before = Instant::now();
            let read = self.read()?;
            self.emptied = (self.buffer.len() + LARGEST_BYTES <= BUFFER_BYTES).then_some(before);
            self.take(read, &mut heard);
            if self.emptied.is_some() || self.writers.len() >= MOST_WRITERS {
                break;
            }
        }
        Ok(heard)
    }

    /// Reads once; what there is nothing of is read as nothing. Of each number the first descriptor is kept: whoever
    /// it is of has the number from then on, for as long as it has it.
    fn read(&mut self) -> Result<records::Read, ListenFault> {
        let events = match self.group.read_events_reported(&mut self.buffer) {
            Ok((events, _)) => events,
            Err(error) if error.is_would_block() => Vec::new(),
            Err(error) => return Err(ListenFault::Kernel { why: error.to_string() }),
        };
        for mut event in events {
            if let Some(writer) = event.take_pidfd().into_fd() {
                // Where there is one already, this one is closed.
                self.writers.entry(event.pid()).or_insert(writer);
            }
        }
        Ok(records::read(&self.buffer))
    }

    /// Takes of what was read what concerns what was added.
    fn take(&mut self, read: records::Read, heard: &mut Heard) {
        heard.is_incomplete |= read.broken.is_some();
        for event in read.events {
            heard.is_incomplete |= event.mask & happened::OVERFLOW != 0;
            let (mask, process, writer) = (event.mask, event.process, event.writer);
            let file = event.file.clone();
            let Some(path) = self.place(event) else { continue };
            self.take_in(mask, file, &path);
            heard.noticed.push(Noticed { path, mask, process, writer });
        }
    }

    /// Says whether one who was there when what was heard last was read has its number still: then nobody else had
    /// it meanwhile.
    pub(super) fn is_there(&self, process: i32) -> bool {
        let writer = self.writers.get(&process);
        let about = |writer: &OwnedFd| {
            fs::read_to_string(format!("/proc/self/fdinfo/{}", writer.as_raw_fd()))
        };
        writer.map(about).is_some_and(|about| about.is_ok_and(|about| process::has_number(&about)))
    }

    /// Closes the descriptors of those who did what was heard last.
    pub(super) fn let_go(&mut self) {
        self.writers.clear();
    }

    /// Tells since when what was heard last happened.
    pub(super) fn since(&self) -> Instant {
        self.silent
    }

    /// Where an event was: by the directory and its name there, or by the file where the name is one that
    /// nobody added.
    fn place(&self, event: records::Event) -> Option<FilePath> {
        let by_name = event.entry.and_then(|(directory, name)| {
            let directory = self.directories.get(&directory)?;
            if name == b"." { Some(directory.clone()) } else { directory.join(&name).ok() }
        });
        // That another name was given to a file or taken from it changes nothing of it.
        by_name.or_else(|| {
            let file = event.file.filter(|_| event.mask & !OF_NAMES & MASK != 0)?;
            self.files.get(&file).cloned()
        })
    }
}
