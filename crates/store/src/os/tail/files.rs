//! The files that a log is in: the one that is written to, and those that were before it.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::{Cursor, digest};
use crate::format::checkpoint::hex;

/// A file that the log may be in.
#[derive(Clone, Debug)]
pub(in crate::os) struct Candidate {
    path: PathBuf,
    pub(super) inode: u64,
    pub(super) size: u64,
    /// When it was written to last, in nanoseconds of the Unix epoch.
    pub(in crate::os) written: i64,
}

/// Where a cursor stands among files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stand {
    /// In this file.
    At(usize),
    /// In this file, which has other lines than were read of it.
    Changed(usize),
    /// In none of them.
    Gone,
}

pub(super) fn written(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// Gives the file that is written to; nothing while there is none.
pub(super) fn live(path: &Path) -> io::Result<Option<Candidate>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Candidate::of(path.to_owned(), &metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives all files of a log that hold something, the oldest first: `audit-TIME.log`, `audit.log.1`, and both
/// compressed by gzip, and last the log itself.
pub(in crate::os) fn candidates(path: &Path) -> io::Result<Vec<Candidate>> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.extend(entry?.file_name().into_string());
    }
    // While a file is compressed there are two of it, and the other may not be whole.
    let is_twice = |name: &str| {
        name.strip_suffix(".gz").is_some_and(|plain| names.iter().any(|other| other == plain))
    };
    let mut found = Vec::new();
    for name in names.iter().filter(|name| is_rotated(path, name) && !is_twice(name)) {
        found.extend(live(&directory.join(name))?.filter(|one| one.size > 0));
    }
    found.sort_by(|one, other| (one.written, &one.path).cmp(&(other.written, &other.path)));
    found.extend(live(path)?.filter(|one| one.size > 0));
    Ok(found)
}

fn is_rotated(path: &Path, name: &str) -> bool {
    let text = |part: Option<&OsStr>| part.and_then(OsStr::to_str).unwrap_or_default().to_owned();
    let (whole, stem, kind) =
        (text(path.file_name()), text(path.file_stem()), text(path.extension()));
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    let is_numbered = || {
        let number = plain.strip_prefix(&whole).and_then(|rest| rest.strip_prefix('.'));
        number
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    let is_dated = || {
        let rest = plain.strip_prefix(&stem).and_then(|rest| rest.strip_prefix('-'));
        let rest = match kind.is_empty() {
            true => rest,
            false => rest.and_then(|rest| rest.strip_suffix(&format!(".{kind}"))),
        };
        rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    name != whole && (is_dated() || is_numbered())
}

/// Finds the file that a cursor stands in, by how it begins: the newest, since others may be copies of it.
pub(super) fn stand(candidates: &[Candidate], cursor: &Cursor) -> io::Result<Stand> {
    let mut changed = Stand::Gone;
    for (at, candidate) in candidates.iter().enumerate().rev() {
        if cursor.prefix == 0 {
            if candidate.inode == cursor.inode {
                return Ok(Stand::At(at));
            }
            continue;
        }
        let (mut source, plain) = candidate.open()?;
        let beginning = beginning(&mut source, cursor.prefix)?;
        if beginning.len() < cursor.prefix || digest(&beginning) != cursor.digest {
            continue;
        }
        match plain.map_or(Ok(true), |file| holds(&file, candidate.size, cursor))? {
            true => return Ok(Stand::At(at)),
            false if changed == Stand::Gone => changed = Stand::Changed(at),
            false => {}
        }
    }
    Ok(changed)
}

/// Whether the last line that was read stands where it was read.
fn holds(file: &File, size: u64, cursor: &Cursor) -> io::Result<bool> {
    if size < cursor.offset {
        return Ok(false);
    }
    let Some(length) = cursor.last.checked_sub(1) else { return Ok(true) };
    let Some(at) = cursor.offset.checked_sub(cursor.last as u64) else { return Ok(false) };
    let mut line = vec![0; length];
    file.read_exact_at(&mut line, at)?;
    Ok(hex(blake3::hash(&line).as_bytes()) == cursor.last_digest)
}

/// Reads how a file begins: so many bytes, or all that there are.
pub(super) fn beginning(source: &mut dyn Read, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match source.take(count as u64).read_to_end(&mut bytes) {
        // What cannot be unpacked is not the file that is looked for.
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Ok(bytes),
        read => read.map(|_| bytes),
    }
}

/// What is read, and the file itself where it is not compressed.
pub(in crate::os) type Opened = (Box<dyn Read + Send>, Option<File>);

impl Candidate {
    fn of(path: PathBuf, metadata: &Metadata) -> Self {
        let (inode, size, written) = (metadata.ino(), metadata.size(), written(metadata));
        Self { path, inode, size, written }
    }

    pub(super) fn is_packed(&self) -> bool {
        self.path.extension().is_some_and(|kind| kind == "gz")
    }

    pub(in crate::os) fn open(&self) -> io::Result<Opened> {
        let file = File::open(&self.path)?;
        if self.is_packed() {
            return Ok((Box::new(MultiGzDecoder::new(io::BufReader::new(file))), None));
        }
        let again = file.try_clone()?;
        Ok((Box::new(file), Some(again)))
    }
}
