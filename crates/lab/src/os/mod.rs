//! All that the lab does to the host, one file for each thing touched. What is done is decided by
//! the pure files beside this directory; nothing else of the lab has effects.

pub(crate) mod base;
pub(crate) mod claim;
pub(crate) mod clearing;
pub(crate) mod command;
pub(crate) mod fitness;
pub(crate) mod hub;
pub(crate) mod image;
pub(crate) mod kernel;
pub(crate) mod keys;
pub(crate) mod placing;
pub(crate) mod power;
pub(crate) mod processes;

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Something the host did not do.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A file or directory could not be read.
    #[error("cannot read {path}", path = path.display())]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
    /// A file or directory could not be made, changed or removed.
    #[error("cannot write {path}", path = path.display())]
    Unwritable {
        /// What was to be written.
        path: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot start {program}")]
    NotStarted {
        /// The program.
        program: String,
        /// Why it was not.
        source: io::Error,
    },
    /// A program ended badly.
    #[error("{program} failed ({status}): {said}")]
    Failed {
        /// The program with its first arguments.
        program: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        said: String,
    },
    /// A call to the kernel failed.
    #[error("cannot {what}")]
    Refused {
        /// What was asked for.
        what: String,
        /// Why it was not done.
        source: io::Error,
    },
}

/// Reads a small text file.
pub(crate) fn read(path: &Path) -> Result<String, Fault> {
    fs::read_to_string(path).map_err(|source| Fault::Unreadable { path: path.to_owned(), source })
}

/// Makes a directory and those above it.
pub(crate) fn make_directory(path: &Path) -> Result<(), Fault> {
    fs::create_dir_all(path).map_err(|source| unwritable(path, source))
}

/// Writes a file aside, syncs it and renames it into place; only root may read it.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), Fault> {
    let aside = aside(path);
    let directory = path.parent().unwrap_or(Path::new("/"));
    let written = || {
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        fs::File::open(directory)?.sync_all()
    };
    written().map_err(|source| unwritable(path, source))
}

/// Names the file that stands for another while that is being written. It is always the same one,
/// so that what a crash leaves is found; a claim keeps writers apart.
pub(crate) fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.making"))
}

/// Removes a file and what a crash left of its writing.
pub(crate) fn remove_written(path: &Path) -> Result<(), Fault> {
    remove(&aside(path))?;
    remove(path)
}

/// Writes an existing file of the kernel in one call.
pub(crate) fn write_kernel(path: &Path, value: &str) -> Result<(), Fault> {
    let mut file = fs::OpenOptions::new().write(true).open(path);
    let written = file.as_mut().map_err(|error| io::Error::from(error.kind()));
    written
        .and_then(|file| file.write_all(value.as_bytes()))
        .map_err(|source| unwritable(path, source))
}

/// How often a directory is emptied anew where somebody still writes, and the pause before.
const EMPTIED: usize = 20;
const EMPTIED_AGAIN: Duration = Duration::from_millis(100);

/// Removes a file, a link or a whole directory; its absence is as good.
pub(crate) fn remove(path: &Path) -> Result<(), Fault> {
    let remove_once = || match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(absent) => Err(absent),
    };
    let mut removed = remove_once();
    for _ in 0..EMPTIED {
        match &removed {
            // What a killed run had started may write its last file only now.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                std::thread::sleep(EMPTIED_AGAIN);
                removed = remove_once();
            }
            _ => break,
        }
    }
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritable(path, error)),
        _ => Ok(()),
    }
}

/// Removes a directory if it is empty; says whether it is gone.
pub(crate) fn remove_empty(path: &Path) -> bool {
    match fs::remove_dir(path) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Lists the names in a directory; an absent directory is empty.
pub(crate) fn names_in(path: &Path) -> Result<Vec<String>, Fault> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Fault::Unreadable { path: path.to_owned(), source }),
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

pub(crate) fn unwritable(path: &Path, source: io::Error) -> Fault {
    Fault::Unwritable { path: path.to_owned(), source }
}
