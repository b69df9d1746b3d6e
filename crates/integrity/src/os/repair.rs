//! Puts a file in place of a changed one: whole or not at all, along no link, never more open than it should be.
//!
//! What it holds was kept when the file was right, or lies in the store of what a bundle brought. Only what has
//! the digest of the baseline is ever put in place.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ringfort_model::digest::Hasher;
use rustix::fs::{
    AtFlags, FlockOperation, Gid, Mode, OFlags, Uid, fchmod, fchown, flock, fstat, fsync, openat,
    renameat, unlinkat,
};
use rustix::io::Errno;

use super::look::{Root, kind};
use crate::judge::Kind;
use crate::path::FilePath;
use crate::protected::{Expected, Hash};
use crate::repair::{Whole, aside};

/// No text that ringfort writes is larger.
const MOST_BYTES: u64 = 16 << 20;
const PIECE_BYTES: usize = 128 << 10;
/// Others may write where they should not be able to.
const OTHERS_WRITE: u32 = 0o022;

/// What files held when they were right.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    kept: PathBuf,
    store: PathBuf,
}

impl Contents {
    /// Begins with what was kept below an agent's own directory, and the store of what bundles brought.
    pub(super) fn at(state: &Path, store: &Path) -> Self {
        Self { kept: state.join("contents"), store: store.to_owned() }
    }

    /// Keeps what a file holds, if that has the digest. What a bundle brought lies in the store already.
    pub(super) fn keep(
        &self,
        root: &mut Root,
        path: &FilePath,
        expected: &Expected,
    ) -> io::Result<()> {
        let Hash::Blake3(digest) = expected.hash else { return Ok(()) };
        let place = self.kept.join(hex(&digest));
        if place.exists() {
            return Ok(());
        }
        let bytes = root.read(path, MOST_BYTES)?;
        if *blake3::hash(&bytes).as_bytes() != digest {
            return Err(io::Error::other("it is another by now"));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.kept)?;
        let aside = self.kept.join("new");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(aside, place)
    }

    /// Reads what was kept of a small file.
    pub(super) fn small(&self, expected: &Expected) -> Option<Vec<u8>> {
        let Hash::Blake3(digest) = expected.hash else { return None };
        let bytes = fs::read(self.kept.join(hex(&digest))).ok()?;
        (*blake3::hash(&bytes).as_bytes() == digest).then_some(bytes)
    }

    /// Throws away what no file should hold any more.
    pub(super) fn forget_all_but(&self, expected: impl Iterator<Item = Expected>) {
        let wanted: Vec<String> = expected
            .filter_map(|it| match it.hash {
                Hash::Blake3(digest) => Some(hex(&digest)),
                _ => None,
            })
            .collect();
        for entry in fs::read_dir(&self.kept).into_iter().flatten().flatten() {
            if !wanted.iter().any(|name| entry.file_name().as_os_str() == name.as_str()) {
                // What stays takes room and is never used.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Names where the content of a digest may lie.
    fn sources(&self, expected: &Expected) -> Vec<PathBuf> {
        match expected.hash {
            Hash::Blake3(digest) => vec![self.kept.join(hex(&digest))],
            // A machine's own ringfort was never brought to the store: it is the one that runs.
            Hash::Sha256(digest) => {
                vec![self.store.join(hex(&digest)), PathBuf::from("/proc/self/exe")]
            }
            Hash::Md5(_) => Vec::new(),
        }
    }

    /// Writes what has the digest; nothing of it counts before all of it was read.
    fn copy(&self, expected: &Expected, to: &File) -> io::Result<bool> {
        for source in self.sources(expected) {
            let Ok(mut from) = open(&source) else { continue };
            to.set_len(0)?;
            let mut to = to;
            io::Seek::rewind(&mut to)?;
            let mut hashing = Hashing::of(expected.hash);
            let (mut piece, mut size) = (vec![0; PIECE_BYTES], 0);
            loop {
                let count = from.read(&mut piece)?;
                if count == 0 {
                    break;
                }
                hashing.add(&piece[..count]);
                to.write_all(&piece[..count])?;
                size += count as u64;
            }
            let is_size = expected.size.is_none_or(|expected| expected == size);
            if is_size && hashing.is(expected.hash) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A file that waits beside the place where it belongs. Dropped before it is placed, it is taken away.
#[derive(Debug)]
pub(super) struct Staged {
    directory: OwnedFd,
    aside: Vec<u8>,
    name: Vec<u8>,
    is_placed: bool,
}

/// Writes a file beside its place.
///
/// # Errors
/// Why it cannot be put back.
pub(super) fn stage(
    root: &mut Root,
    path: &FilePath,
    whole: &Whole,
    contents: &Contents,
) -> Result<Staged, String> {
    let directory = guarded(root, path)?;
    let aside = aside(path).ok_or("it has no directory")?;
    let said = |error: Errno| error.to_string();
    let (aside, name) = (aside.name().to_vec(), path.name().to_vec());
    let staged = Staged { directory, aside, name, is_placed: false };
    staged.clear().map_err(said)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file =
        openat(&staged.directory, staged.aside.as_slice(), flags, Mode::from_raw_mode(0o600));
    let file = File::from(file.map_err(said)?);
    let is_it = contents.copy(&whole.expected, &file).map_err(|error| error.to_string())?;
    if !is_it {
        return Err("nothing here has the digest that the baseline says: ringfort up puts it back"
            .to_owned());
    }
    let owner = whole.owner;
    // Given away last: whoever is not the owner may change no mode. A mode that is lost by it is seen at the look.
    fchmod(&file, Mode::from_raw_mode(whole.mode.0)).map_err(said)?;
    fchown(&file, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid))).map_err(said)?;
    file.sync_all().map_err(|error| error.to_string())?;
    Ok(staged)
}

impl Staged {
    /// Puts it in its place: at one moment the changed file is there, at the next this one.
    pub(super) fn place(mut self) -> Result<(), String> {
        let said = |error: Errno| error.to_string();
        let at = &self.directory;
        renameat(at, self.aside.as_slice(), at, self.name.as_slice()).map_err(said)?;
        self.is_placed = true;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(at, ".", flags, Mode::empty()).and_then(fsync).map_err(said)
    }

    fn clear(&self) -> Result<(), Errno> {
        match unlinkat(&self.directory, self.aside.as_slice(), AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            other => other,
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_placed {
            // What stays is thrown away when the agent begins, and when the same file is put back again.
            let _ = self.clear();
        }
    }
}

/// Takes away what an agent that was ended left beside a file.
pub(super) fn sweep(root: &mut Root, path: &FilePath) {
    let Some(aside) = aside(path).filter(|aside| root.kind(aside) == Some(Kind::File)) else {
        return;
    };
    if let Ok(directory) = guarded(root, path) {
        let _ = unlinkat(directory, aside.name(), AtFlags::empty());
    }
}

/// Opens the directory of a file, if nobody but root can exchange it or what leads to it.
fn guarded(root: &mut Root, path: &FilePath) -> Result<OwnedFd, String> {
    let own = rustix::process::geteuid().as_raw();
    let directory = path.parent().ok_or("it has no directory")?;
    root.begin_anew();
    let mut at = Some(directory.clone());
    while let Some(one) = at {
        let place = root.place(&one).map_err(|error| format!("{one}: {error}"))?;
        let about = fstat(&place).map_err(|error| format!("{one}: {error}"))?;
        if kind(&about) != Kind::Directory {
            return Err(format!("{one} is no directory any more"));
        }
        if about.st_uid != own || about.st_mode & OTHERS_WRITE != 0 {
            return Err(format!(
                "others than root can write to {one}, and exchange what is put there"
            ));
        }
        at = one.parent();
    }
    root.place(&directory).map_err(|error| error.to_string())
}

/// No operator acts on the machine, and none begins as long as it lives.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, never read")] Option<File>);

/// Keeps operators from beginning, for the moment that it is held; nothing where one acts. Without a file to lock
/// there was never one.
///
/// # Errors
/// It cannot be seen whether somebody acts.
pub(super) fn hold_off(lock: &Path) -> Result<Option<Lock>, String> {
    let said = |error: io::Error| format!("{}: {error}", lock.display());
    let file = match File::open(lock) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Lock(None))),
        other => other.map_err(said)?,
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Some(Lock(Some(file)))),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(said(error.into())),
    }
}

enum Hashing {
    Blake3(Box<blake3::Hasher>),
    Sha256(Hasher),
}

impl Hashing {
    fn of(hash: Hash) -> Self {
        match hash {
            Hash::Sha256(_) => Self::Sha256(Hasher::default()),
            Hash::Blake3(_) | Hash::Md5(_) => Self::Blake3(Box::default()),
        }
    }

    fn add(&mut self, piece: &[u8]) {
        match self {
            Self::Blake3(hasher) => drop(hasher.update(piece)),
            Self::Sha256(hasher) => hasher.add(piece),
        }
    }

    fn is(self, hash: Hash) -> bool {
        match self {
            Self::Blake3(hasher) => Hash::Blake3(*hasher.finalize().as_bytes()) == hash,
            Self::Sha256(hasher) => format!("sha256:{}", hasher.finish()) == hash.text(),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "repair/tests.rs"]
mod tests;
