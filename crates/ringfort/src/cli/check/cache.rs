//! What a run said, kept for a next run over the same files.
//!
//! All objects are judged as one world, so that every file may decide about any other: the key is a digest
//! of everything, names and contents, of what was asked, and of this program. Times are no part of it. An
//! entry that is not whole, or that somebody else could have written, is as if it were not there.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ringfort_model::digest::Hasher;

use crate::cli::itself::program;

/// Where entries are.
pub(super) struct Cache {
    directory: PathBuf,
}

/// What a run depends on.
pub(super) struct Key(Hasher);

/// An entry that is written.
pub(super) struct Entry {
    file: File,
    aside: PathBuf,
    place: PathBuf,
    hasher: Hasher,
    /// Whether all of it could be written.
    is_whole: bool,
    bytes: u64,
}

/// An entry that was read.
pub(super) struct Kept {
    bytes: Vec<u8>,
    said: usize,
    told: usize,
    code: u8,
}

/// A tree of fewer bytes is judged as fast as it is looked up.
const FEWEST_BYTES: usize = 1 << 20;
/// How many entries are kept.
const MOST_ENTRIES: usize = 32;
/// No entry is larger.
const MOST_BYTES: u64 = 256 << 20;
/// What stands behind what was said: two lengths, a code, the digest of all before it, and this.
const MARK: &[u8; 16] = b"ringfort check 1";
const TRAILER: usize = 8 + 8 + 1 + 64 + MARK.len();

impl Cache {
    /// Finds the cache of whoever runs this, if a tree is worth it and nobody else writes there.
    pub(super) fn find(bytes: usize) -> Option<Self> {
        if bytes < FEWEST_BYTES {
            return None;
        }
        let absolute =
            |name: &str| env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
        let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Self::at(base.join("ringfort").join("check"))
    }

    fn at(directory: PathBuf) -> Option<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).ok()?;
        is_ours(&fs::symlink_metadata(&directory).ok()?).then_some(Self { directory })
    }

    /// Gives what was kept, if it is whole.
    pub(super) fn get(&self, key: &Key) -> Option<Kept> {
        let file = OpenOptions::new().read(true).open(self.place(key)).ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || !is_ours(&metadata) || metadata.len() > MOST_BYTES {
            return None;
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).ok()?);
        std::io::Read::read_to_end(&mut { file }, &mut bytes).ok()?;
        Kept::read(bytes)
    }

    /// Begins an entry, which is not there until it is finished.
    pub(super) fn begin(&self, key: &Key) -> Option<Entry> {
        self.make_room();
        let place = self.place(key);
        let aside = place.with_extension(format!("{}.new", std::process::id()));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)
            .ok()?;
        Some(Entry { file, aside, place, hasher: Hasher::default(), is_whole: true, bytes: 0 })
    }

    fn place(&self, key: &Key) -> PathBuf {
        self.directory.join(key.0.clone().finish().as_str())
    }

    /// Removes what was written longest ago. Times decide nothing else.
    fn make_room(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        let aged =
            |entry: fs::DirEntry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()));
        let mut all: Vec<_> = entries.flatten().filter_map(aged).collect();
        all.sort();
        let many = all.len().saturating_sub(MOST_ENTRIES - 1);
        all.into_iter().take(many).for_each(|(_, path)| drop(fs::remove_file(path)));
    }
}

/// Whether only whoever runs this can write it.
fn is_ours(metadata: &fs::Metadata) -> bool {
    let own = fs::metadata("/proc/self").map(|it| it.uid()).ok();
    own == Some(metadata.uid()) && metadata.mode() & 0o077 == 0 && !metadata.is_symlink()
}

impl Key {
    /// Begins with what is asked, and by which program.
    pub(super) fn begin(options: &str) -> Self {
        let mut key = Self(Hasher::default());
        key.add(env!("CARGO_PKG_VERSION")).add(program()).add(options);
        key
    }

    /// Adds a part. Each is closed, so that no two rows of parts are the same bytes.
    pub(super) fn add(&mut self, part: &str) -> &mut Self {
        self.0.add(&part.len().to_le_bytes());
        self.0.add(part.as_bytes());
        self
    }
}

impl Entry {
    /// Adds what is said.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.hasher.add(bytes);
        self.bytes += bytes.len() as u64;
        self.is_whole =
            self.is_whole && self.bytes < MOST_BYTES && self.file.write_all(bytes).is_ok();
    }

    /// Adds what was told beside it, and puts the entry in its place.
    pub(super) fn finish(mut self, told: &str, code: u8) {
        let said = self.bytes;
        self.write(told.as_bytes());
        let mut end = [said.to_le_bytes(), (told.len() as u64).to_le_bytes()].concat();
        end.push(code);
        self.write(&end);
        let digest = self.hasher.clone().finish();
        let whole = self.is_whole
            && self.file.write_all(digest.as_str().as_bytes()).is_ok()
            && self.file.write_all(MARK).is_ok();
        if !whole || fs::rename(&self.aside, &self.place).is_err() {
            remove(&self.aside);
        }
    }
}

/// What cannot be removed is no entry, and makes room in its turn.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

impl Kept {
    fn read(bytes: Vec<u8>) -> Option<Self> {
        let end = bytes.len().checked_sub(TRAILER)?;
        let (body, trailer) = bytes.split_at(end);
        let digest = std::str::from_utf8(trailer.get(17..81)?).ok()?;
        let mut hasher = Hasher::default();
        hasher.add(body);
        hasher.add(&trailer[..17]);
        if trailer[81..] != *MARK || hasher.finish().as_str() != digest {
            return None;
        }
        let length = |at: usize| -> Option<usize> {
            usize::try_from(u64::from_le_bytes(trailer.get(at..at + 8)?.try_into().ok()?)).ok()
        };
        let (said, told, code) = (length(0)?, length(8)?, trailer[16]);
        if said.checked_add(told)? != end {
            return None;
        }
        std::str::from_utf8(&body[said..]).ok()?;
        Some(Self { bytes, said, told, code })
    }

    /// What went to standard output.
    pub(super) fn said(&self) -> &[u8] {
        &self.bytes[..self.said]
    }

    /// What went to standard error.
    pub(super) fn told(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.said..self.said + self.told]).unwrap_or_default()
    }

    /// How it ended.
    pub(super) fn code(&self) -> u8 {
        self.code
    }
}

#[cfg(test)]
mod tests;
