//! Looks at a store that others may be writing to: verifies and searches.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use ringfort_pki::Ed25519Public;

use super::store::{MARK, REMOVAL, name, numbers};
use crate::format::checkpoint::Signed;
use crate::format::entry::{Entry, entries};
use crate::format::index;
use crate::format::open::{START_BYTES, groups};
use crate::format::query::{Hit, Query};
use crate::format::sealed::{Block, END_BYTES, Table, end};
use crate::format::verify::{File as Sealed, Report, Verifier, Wrong};

/// Why something of a store could not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read: {source}", path.display())]
pub struct LookError {
    path: PathBuf,
    source: io::Error,
}

pub(super) fn of(path: &Path) -> impl FnOnce(io::Error) -> LookError {
    let path = path.to_owned();
    move |source| LookError { path, source }
}

pub(super) fn names(store: &Path) -> Result<Vec<String>, LookError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(store).map_err(of(store))? {
        names.extend(entry.map_err(of(store))?.file_name().into_string());
    }
    Ok(names)
}

/// Reads a file; nothing where none is.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, LookError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(of(path)(error)),
    }
}

/// Looks whether a store is complete and unaltered, and is what witnesses saw.
///
/// # Errors
/// A file cannot be read.
pub fn verify(
    store: &Path,
    key: Ed25519Public,
    witnesses: &[(Signed, Ed25519Public)],
) -> Result<Report, LookError> {
    verify_newest(store, key, witnesses, u64::MAX)
}

/// Looks so far as sealed segments, the newest first, are no longer together. Of those before them the checkpoints
/// are looked at, and how long they are.
///
/// # Errors
/// A file cannot be read.
pub fn verify_newest(
    store: &Path,
    key: Ed25519Public,
    witnesses: &[(Signed, Ed25519Public)],
    most_bytes: u64,
) -> Result<Report, LookError> {
    // Before all else: what is written meanwhile stands behind it.
    let mark = read(&store.join(MARK))?;
    let names = names(store)?;
    let removal = read(&store.join(REMOVAL))?;
    let mut verifier = Verifier::new(key, removal.as_deref());
    if let Some(mark) = &mark {
        verifier.mark(mark);
    }
    let (checkpoints, files) = (numbers(&names, "checkpoint"), numbers(&names, "seg"));
    let opens = numbers(&names, "open");
    // A segment may be on its way to being sealed: its file is there, and its checkpoint not yet.
    let last = checkpoints.last().copied().unwrap_or(0);
    let beyond = files.iter().copied().filter(|file| !opens.contains(file)).max().unwrap_or(0);
    let before_open = opens.last().map_or(0, |open| open - 1);
    let from = newest(store, &files, most_bytes)?;
    for number in 1..=last.max(beyond).max(before_open) {
        let checkpoint = read(&store.join(name(number, "checkpoint")))?;
        let path = store.join(name(number, "seg"));
        let file = if number >= from { read(&path)? } else { None };
        let seen = match &file {
            Some(bytes) => Sealed::Whole(bytes),
            None => length(&path)?.map_or(Sealed::Gone, Sealed::Long),
        };
        verifier.sealed(number, checkpoint.as_deref(), seen);
    }
    for number in opens.into_iter().filter(|number| *number > last) {
        if let Some(file) = read(&store.join(name(number, "open")))? {
            verifier.open(number, &file);
        }
    }
    for (seen, witness) in witnesses {
        verifier.witnessed(seen, witness);
    }
    for number in numbers(&names, "damaged") {
        verifier.wrong(number, Wrong::Damaged);
    }
    Ok(verifier.end())
}

/// Gives the first of the newest segments that are no longer together than this.
fn newest(store: &Path, segments: &[u64], most_bytes: u64) -> Result<u64, LookError> {
    let (mut all, mut from) = (0_u64, u64::MAX);
    for number in segments.iter().rev() {
        all = all.saturating_add(length(&store.join(name(*number, "seg")))?.unwrap_or(0));
        if all > most_bytes {
            return Ok(from);
        }
        from = *number;
    }
    Ok(0)
}

/// Gives how long a file is; nothing where none is.
fn length(path: &Path) -> Result<Option<u64>, LookError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(of(path)(error)),
    }
}

/// What a search looked at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Searched {
    /// Events and findings of agents that were found.
    pub found: u64,
    /// Blocks and groups that were unpacked.
    pub unpacked: u64,
    /// Segments, and parts of them, that cannot be read: something may be missed.
    pub unreadable: u64,
}

/// What is done with something that was found: its entry and itself. Says whether to go on.
pub type Visit<'v> = dyn FnMut(&Entry<'_>, &Hit<'_>) -> bool + 'v;

/// Visits everything that a query asks for, in the order in which they were kept.
///
/// # Errors
/// A file cannot be read.
pub fn search(store: &Path, query: &Query, visit: &mut Visit<'_>) -> Result<Searched, LookError> {
    let names = names(store)?;
    let mut searched = Searched::default();
    let sealed = sealed(&names);
    let mut is_going = true;
    for number in &sealed {
        let path = store.join(name(*number, "seg"));
        let mut look = |block: &[u8]| each_in(block, query, &mut searched, visit);
        match segment(&path, query, &mut look).map_err(of(&path))? {
            Some(going) => is_going = going,
            None => searched.unreadable += 1,
        }
        if !is_going {
            return Ok(searched);
        }
    }
    for number in numbers(&names, "open").into_iter().filter(|it| !sealed.contains(it)) {
        let Some(bytes) = read(&store.join(name(number, "open")))? else { continue };
        groups(&bytes, START_BYTES, &mut |group| {
            if is_going {
                let block = group.block();
                let looked = block.as_deref().map(|it| each_in(it, query, &mut searched, visit));
                match looked.flatten() {
                    Some(going) => is_going = going,
                    None => searched.unreadable += 1,
                }
            }
        });
    }
    Ok(searched)
}

/// Gives what was signed of the newest sealed segment.
pub(super) fn newest_checkpoint(store: &Path) -> Result<Option<String>, LookError> {
    let Some(number) = numbers(&names(store)?, "checkpoint").pop() else { return Ok(None) };
    let bytes = read(&store.join(name(number, "checkpoint")))?.unwrap_or_default();
    Ok(serde_json::from_slice::<Signed>(&bytes).ok().map(|signed| signed.statement))
}

/// Gives the segments that are sealed: a file whose checkpoint is not there was left by a run that ended meanwhile, and
/// what it was made of may have grown since.
pub(super) fn sealed(names: &[String]) -> Vec<u64> {
    let last = numbers(names, "checkpoint").pop().unwrap_or(0);
    let mut sealed = numbers(names, "seg");
    sealed.retain(|segment| *segment <= last);
    sealed
}

/// Visits what is wanted of a block. Nothing comes of one that cannot be read.
fn each_in(
    block: &[u8],
    query: &Query,
    searched: &mut Searched,
    visit: &mut Visit<'_>,
) -> Option<bool> {
    searched.unpacked += 1;
    let mut is_going = true;
    for entry in entries(block)? {
        query.each(&entry, &mut |hit| {
            if is_going {
                searched.found += 1;
                is_going = visit(&entry, hit);
            }
        });
        if !is_going {
            break;
        }
    }
    Some(is_going)
}

/// Looks at the blocks of a sealed segment that may hold what is wanted.
fn segment(
    path: &Path,
    query: &Query,
    look: &mut dyn FnMut(&[u8]) -> Option<bool>,
) -> io::Result<Option<bool>> {
    let file = File::open(path)?;
    let Some(table) = table(&file)? else { return Ok(None) };
    let Some(wanted) = wanted(&file, &table, query)? else { return Ok(None) };
    let length = file.metadata()?.len();
    for block in wanted {
        // Whoever was at the table may have it ask for any memory there is.
        if block.at.checked_add(block.packed as u64).is_none_or(|end| end > length) {
            return Ok(None);
        }
        let mut packed = vec![0; block.packed];
        file.read_exact_at(&mut packed, block.at)?;
        let block = crate::format::entry::unpacked(&packed, block.length);
        match block.and_then(|block| look(&block)) {
            Some(true) => {}
            ended => return Ok(ended),
        }
    }
    Ok(Some(true))
}

fn table(file: &File) -> io::Result<Option<Table>> {
    let length = file.metadata()?.len();
    let Some(at) = length.checked_sub(END_BYTES as u64) else { return Ok(None) };
    let mut last = [0; END_BYTES];
    file.read_exact_at(&mut last, at)?;
    let Some((table, size, sum)) = end(&last) else { return Ok(None) };
    if table.checked_add(size).is_none_or(|end| end > at) {
        return Ok(None);
    }
    let mut bytes = vec![0; size as usize];
    file.read_exact_at(&mut bytes, table)?;
    Ok(Table::read(&bytes, sum))
}

/// Gives the blocks that may hold what is wanted. Nothing where the index cannot be read.
fn wanted(file: &File, table: &Table, query: &Query) -> io::Result<Option<Vec<Block>>> {
    let mut wanted: Vec<u32> = (0..table.blocks.len() as u32)
        .filter(|at| query.may_be_at(table.blocks[*at as usize].times))
        .collect();
    let file_length = file.metadata()?.len();
    for term in query.terms() {
        if wanted.is_empty() {
            break;
        }
        let mut said = [0; 8];
        let place = index::place_in_table(term) as u64;
        if table.index.1 < index::TABLE as u64 {
            return Ok(None);
        }
        let (at, length) = table.index;
        if at.checked_add(length).is_none_or(|end| end > file_length) {
            return Ok(None);
        }
        file.read_exact_at(&mut said, at + place)?;
        let range = index::bucket(said).filter(|(_, end)| *end as u64 <= table.index.1);
        let Some((begin, end)) = range else { return Ok(None) };
        let mut bucket = vec![0; end - begin];
        file.read_exact_at(&mut bucket, table.index.0 + begin as u64)?;
        let Some(blocks) = index::blocks(&bucket, term) else { return Ok(None) };
        wanted.retain(|at| blocks.binary_search(at).is_ok());
    }
    Ok(Some(wanted.into_iter().map(|at| table.blocks[at as usize]).collect()))
}
