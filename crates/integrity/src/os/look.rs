//! Looks at files below a root. Nothing is followed, nothing but regular files is opened for reading, and
//! no file, however large, is read without end.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use md5::{Digest as _, Md5};
use ringfort_model::digest::Hasher;
use ringfort_model::mode::{FileMode, Owner};
use rustix::fs::{Dir, FileType, Mode, OFlags, Stat, fstat, getxattr, open, openat, readlinkat};
use rustix::io::Errno;

use crate::judge::{Content, Kind, Look, Seen};
use crate::path::FilePath;
use crate::protected::{Expected, Hash};

/// The most that is read of a file.
const MOST_BYTES: u64 = 4 << 30;
/// How often a file that changes while it is read is read anew.
const TRIES: usize = 3;
/// Directories that are held open on the way to a file.
const DEEPEST: usize = 512;
const BUFFER_BYTES: usize = 128 << 10;
const BITS_OF_MODE: u32 = 0o7777;
/// The kernel's own form of a file's capabilities is shorter.
const CAPABILITIES_BYTES: usize = 64;

/// How fast may be read.
#[derive(Debug)]
pub struct Pace {
    bytes_per_second: Option<u64>,
    began: Instant,
    bytes: u64,
}

impl Pace {
    /// Reads as fast as it goes.
    pub fn free() -> Self {
        Self { bytes_per_second: None, began: Instant::now(), bytes: 0 }
    }

    /// Reads so many bytes a second at most.
    pub fn bounded(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: Some(bytes_per_second.max(1)), ..Self::free() }
    }

    /// Counts bytes, and waits where they came too fast.
    fn spend(&mut self, bytes: u64) {
        self.bytes += bytes;
        let Some(rate) = self.bytes_per_second else { return };
        let due = Duration::from_secs_f64(self.bytes as f64 / rate as f64);
        std::thread::sleep(due.saturating_sub(self.began.elapsed()));
    }
}

/// The root of a machine's files: its own, or a disk that was mounted somewhere.
#[derive(Debug)]
pub struct Root {
    top: OwnedFd,
    /// Directories on the way to what was looked at last, with their names.
    way: Vec<(Vec<u8>, OwnedFd)>,
    pace: Pace,
    buffer: Vec<u8>,
    bytes: u64,
    tick: fn(),
}

/// How much is read between two ticks.
const TICK_BYTES: u64 = 16 << 20;

impl Root {
    /// Opens a root.
    ///
    /// # Errors
    /// It is no directory that can be read.
    pub fn open(path: &Path, pace: Pace) -> io::Result<Self> {
        let top = open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self {
            top,
            way: Vec::new(),
            pace,
            buffer: vec![0; BUFFER_BYTES],
            bytes: 0,
            tick: || (),
        })
    }

    /// Has somebody told again and again that it goes on, however long a file is.
    pub(crate) fn tell(&mut self, tick: fn()) {
        self.tick = tick;
    }

    /// Tells how many bytes were read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Goes to what it looks at next from the top: a directory on the way may be another by now.
    pub(crate) fn begin_anew(&mut self) {
        self.way.clear();
    }

    /// Opens something as a place, not to be read.
    pub(crate) fn place(&mut self, path: &FilePath) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Some(parent) = path.parent() else {
            return Ok(openat(&self.top, ".", flags, Mode::empty())?);
        };
        let directory = self.walk(&parent)?;
        Ok(openat(directory, path.name(), flags, Mode::empty())?)
    }

    /// Goes to a directory, one part after the other, along no link.
    fn walk(&mut self, path: &FilePath) -> io::Result<BorrowedFd<'_>> {
        let same = |(part, (name, _)): &(&[u8], &(Vec<u8>, OwnedFd))| part == name;
        let known = path.parts().zip(&self.way).take_while(same).count();
        self.way.truncate(known);
        for part in path.parts().skip(known) {
            if self.way.len() == DEEPEST {
                let why = format!("it lies more than {DEEPEST} directories deep");
                return Err(io::Error::other(why));
            }
            let above = self.way.last().map_or(&self.top, |(_, directory)| directory);
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let directory = openat(above, part, flags, Mode::empty())?;
            self.way.push((part.to_vec(), directory));
        }
        Ok(self.way.last().map_or(&self.top, |(_, directory)| directory).as_fd())
    }

    /// Names what a directory holds, in order.
    pub(crate) fn list(&mut self, path: &FilePath) -> io::Result<Vec<Vec<u8>>> {
        let place = self.place(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = openat(place, ".", flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in Dir::new(directory)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Says what is at a path, if anything is.
    pub(crate) fn kind(&mut self, path: &FilePath) -> Option<Kind> {
        let place = self.place(path).ok()?;
        fstat(&place).ok().map(|stat| kind(&stat))
    }

    /// Says where a link leads; nothing, where no link is.
    pub(crate) fn target(&mut self, path: &FilePath) -> Option<Vec<u8>> {
        let place = self.place(path).ok()?;
        readlinkat(place, c"", Vec::new()).ok().map(|target| target.into_bytes())
    }

    /// Reads a small file whole. It is no link, and holds no more than so many bytes.
    pub(crate) fn read(&mut self, path: &FilePath, most_bytes: u64) -> io::Result<Vec<u8>> {
        let place = self.place(path)?;
        let stat = fstat(&place)?;
        let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if kind(&stat) != Kind::File || size > most_bytes {
            let why = format!("it is no file of at most {most_bytes} bytes");
            return Err(io::Error::other(why));
        }
        let mut bytes = Vec::new();
        self.each(&place, size, |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    /// Gives what differs when something at a path was changed between two looks; nothing, where nothing is.
    pub(crate) fn stamp(&mut self, path: &FilePath) -> Option<Stamp> {
        let place = self.place(path).ok()?;
        fstat(&place).ok().map(|stat| stamp(&stat))
    }

    /// Looks at a path, and reads a file as far as that shows whether it is the expected one.
    pub(crate) fn look(&mut self, path: &FilePath, expected: Option<Expected>) -> Look {
        let place = match self.place(path) {
            Ok(place) => place,
            Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => {
                return Look::Missing;
            }
            Err(error) if is_astray(&error) => {
                return Look::Astray(format!(
                    "something on the way to it is no directory: {error}"
                ));
            }
            Err(error) => return Look::Unreadable(error.to_string()),
        };
        for tried in 1..=TRIES {
            match self.look_once(&place, expected) {
                Ok((seen, true)) => return Look::There(seen),
                Ok((seen, false)) if tried == TRIES => {
                    let why = "it changed each time while it was read".to_owned();
                    return Look::There(Seen { content: Content::Unreadable(why), ..seen });
                }
                Ok(_) => {}
                Err(error) => return Look::Unreadable(error.to_string()),
            }
        }
        Look::Unreadable("it was not looked at".to_owned())
    }

    /// Looks once, and says whether it stayed as it was meanwhile.
    fn look_once(
        &mut self,
        place: &OwnedFd,
        expected: Option<Expected>,
    ) -> io::Result<(Seen, bool)> {
        let before = fstat(place)?;
        let kind = kind(&before);
        let size = u64::try_from(before.st_size).unwrap_or_default();
        let content = match (kind, expected) {
            (Kind::File, Some(expected)) if expected.size.is_none_or(|it| it == size) => {
                self.content(place, size, expected.hash)
            }
            (Kind::Link, _) => link(place),
            _ => Content::Unread,
        };
        let capabilities = match (kind, expected) {
            (Kind::File, Some(_)) => capabilities(place)?,
            _ => Vec::new(),
        };
        let after = fstat(place)?;
        let is_read = kind == Kind::File && content != Content::Unread;
        let is_steady = !is_read || stamp(&before) == stamp(&after);
        let mode = FileMode(after.st_mode & BITS_OF_MODE);
        let owner = Owner { uid: after.st_uid, gid: after.st_gid };
        let size = u64::try_from(after.st_size).unwrap_or_default();
        let number = after.st_ino;
        Ok((Seen { kind, mode, owner, size, content, number, capabilities }, is_steady))
    }

    /// Reads a regular file. It is opened through the place that was looked at, so that it is the same
    /// file and no pipe or device that took its name. The digest is of the same kind as the one it is for.
    fn content(&mut self, place: &OwnedFd, size: u64, kind: Hash) -> Content {
        if size > MOST_BYTES {
            return Content::Unreadable(format!(
                "it has {size} bytes, and no more than {MOST_BYTES} are read of a file"
            ));
        }
        let digest = match kind {
            Hash::Blake3(_) => self.blake3(place, size),
            Hash::Sha256(_) => self.sha256(place, size),
            Hash::Md5(_) => self.md5(place, size),
        };
        digest.map_or_else(|error| Content::Unreadable(error.to_string()), Content::Digest)
    }

    fn sha256(&mut self, place: &OwnedFd, size: u64) -> io::Result<Hash> {
        let mut hasher = Hasher::default();
        self.each(place, size, |piece| hasher.add(piece))?;
        let digest = hasher.finish();
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let pair = digest.as_str().get(2 * at..2 * at + 2).unwrap_or_default();
            *byte = u8::from_str_radix(pair, 16).map_err(io::Error::other)?;
        }
        Ok(Hash::Sha256(bytes))
    }

    fn md5(&mut self, place: &OwnedFd, size: u64) -> io::Result<Hash> {
        let mut hasher = Md5::new();
        self.each(place, size, |piece| hasher.update(piece))?;
        Ok(Hash::Md5(hasher.finalize().into()))
    }

    fn blake3(&mut self, place: &OwnedFd, size: u64) -> io::Result<Hash> {
        let mut hasher = blake3::Hasher::new();
        self.each(place, size, |piece| {
            hasher.update(piece);
        })?;
        Ok(Hash::Blake3(*hasher.finalize().as_bytes()))
    }

    fn each(&mut self, place: &OwnedFd, size: u64, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = open(format!("/proc/self/fd/{}", place.as_raw_fd()), flags, Mode::empty())?;
        let mut file = File::from(opened);
        let mut left = size;
        while left > 0 {
            let most = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = file.read(&mut self.buffer[..most])?;
            if count == 0 {
                break;
            }
            take(&self.buffer[..count]);
            left -= count as u64;
            let before = self.bytes / TICK_BYTES;
            self.bytes += count as u64;
            if self.bytes / TICK_BYTES > before {
                (self.tick)();
            }
            self.pace.spend(count as u64);
        }
        Ok(())
    }
}

/// Whether an error says that something on the way to a path is no directory.
fn is_astray(error: &io::Error) -> bool {
    let said = error.raw_os_error();
    [Errno::NOTDIR, Errno::LOOP].iter().any(|errno| said == Some(errno.raw_os_error()))
}

/// Reads the capabilities that a file gives; none are empty.
fn capabilities(place: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut value = vec![0; CAPABILITIES_BYTES];
    let at = format!("/proc/self/fd/{}", place.as_raw_fd());
    match getxattr(at, "security.capability", &mut value[..]) {
        Ok(length) => {
            value.truncate(length);
            Ok(value)
        }
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Where a link leads, as a digest.
fn link(place: &OwnedFd) -> Content {
    match readlinkat(place, c"", Vec::new()) {
        Ok(target) => Content::Digest(Hash::Blake3(*blake3::hash(target.as_bytes()).as_bytes())),
        Err(error) => Content::Unreadable(error.to_string()),
    }
}

/// What differs when a file was changed between two looks: its number, its size, and when it changed. Clocks of file
/// systems go on in steps, in which a file may be exchanged for another of its size.
pub(crate) type Stamp = (u64, i64, i64, u64, i64, u64);

pub(super) fn stamp(stat: &Stat) -> Stamp {
    let (written, changed) = (stat.st_mtime, stat.st_ctime);
    let (written_nsec, changed_nsec) = (stat.st_mtime_nsec, stat.st_ctime_nsec);
    (stat.st_ino, stat.st_size, written, written_nsec, changed, changed_nsec)
}

pub(super) fn kind(stat: &Stat) -> Kind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        _ => Kind::Device,
    }
}
