//! Files of bundles: read and written whole, with the path in every fault, and hashed.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::Digest as _;

use ringfort_model::digest::Digest;

/// Says that a file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be read or written: check that it exists, its rights and the free space")]
pub struct FileFault {
    /// Which file.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

impl FileFault {
    /// Makes a closure that adds the path to what the system said.
    pub(super) fn of(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}

/// Reads a file as text.
pub(super) fn read_text(path: &Path) -> Result<String, FileFault> {
    fs::read_to_string(path).map_err(FileFault::of(path))
}

/// Reads a file as bytes.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, FileFault> {
    fs::read(path).map_err(FileFault::of(path))
}

/// Writes a file.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), FileFault> {
    fs::write(path, bytes).map_err(FileFault::of(path))
}

/// Makes a directory with all above it.
pub(super) fn make_directory(path: &Path) -> Result<(), FileFault> {
    fs::create_dir_all(path).map_err(FileFault::of(path))
}

/// Removes a file or a directory with all in it, if there is one.
pub(super) fn remove(path: &Path) -> Result<(), FileFault> {
    let removed = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(FileFault::of(path))
}

/// Puts a finished file or directory in its place at once.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), FileFault> {
    fs::rename(from, to).map_err(FileFault::of(to))
}

/// A file's digest and its size in bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Measured {
    /// Its digest.
    pub sha256: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Reads a file to its end, and gives its digest and size.
pub(super) fn measure(path: &Path) -> Result<Measured, FileFault> {
    let hashed = File::open(path).and_then(|mut file| hash(&mut file));
    let (sha256, size) = hashed.map_err(FileFault::of(path))?;
    Ok(Measured { sha256, size })
}

/// Reads to the end, and gives the digest and the size of what was read.
pub(crate) fn hash(reader: &mut impl Read) -> std::io::Result<(Digest, u64)> {
    let mut hash = sha2::Sha256::new();
    let mut size = 0;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = reader.read(&mut piece)?;
        if count == 0 {
            return Ok((Digest::from_array(hash.finalize().into()), size));
        }
        hash.update(&piece[..count]);
        size += count as u64;
    }
}

const PIECE_BYTES: usize = 1 << 18;
