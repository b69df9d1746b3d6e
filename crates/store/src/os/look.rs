//! Looks at a store that others may be writing to: verifies, searches, follows.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use ringfort_audit::event::Event;
use ringfort_pki::Ed25519Public;

use super::store::{REMOVAL, name, numbers};
use crate::format::checkpoint::Signed;
use crate::format::entry::{Entry, entries};
use crate::format::index;
use crate::format::open::{Group, START_BYTES, groups};
use crate::format::query::Query;
use crate::format::sealed::{Block, END_BYTES, Table, end};
use crate::format::verify::{Report, Verifier, Wrong};

/// Why something of a store could not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read: {source}", path.display())]
pub struct LookError {
    path: PathBuf,
    source: io::Error,
}

fn of(path: &Path) -> impl FnOnce(io::Error) -> LookError {
    let path = path.to_owned();
    move |source| LookError { path, source }
}

fn names(store: &Path) -> Result<Vec<String>, LookError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(store).map_err(of(store))? {
        names.extend(entry.map_err(of(store))?.file_name().into_string());
    }
    Ok(names)
}

/// Reads a file; nothing where none is.
fn read(path: &Path) -> Result<Option<Vec<u8>>, LookError> {
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
    let names = names(store)?;
    let removal = read(&store.join(REMOVAL))?;
    let mut verifier = Verifier::new(key, removal.as_deref());
    let (checkpoints, files) = (numbers(&names, "checkpoint"), numbers(&names, "seg"));
    let opens = numbers(&names, "open");
    // A segment may be on its way to being sealed: its file is there, and its checkpoint not yet.
    let last = checkpoints.last().copied().unwrap_or(0);
    let beyond = files.iter().copied().filter(|file| !opens.contains(file)).max().unwrap_or(0);
    let before_open = opens.last().map_or(0, |open| open - 1);
    for number in 1..=last.max(beyond).max(before_open) {
        let checkpoint = read(&store.join(name(number, "checkpoint")))?;
        let file = read(&store.join(name(number, "seg")))?;
        verifier.sealed(number, checkpoint.as_deref(), file.as_deref());
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

/// What a search looked at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Searched {
    /// Events that were found.
    pub found: u64,
    /// Blocks and groups that were unpacked.
    pub unpacked: u64,
    /// Segments, and parts of them, that cannot be read: something may be missed.
    pub unreadable: u64,
}

/// What is done with an event that was found: its entry and itself. Says whether to go on.
pub type Visit<'v> = dyn FnMut(&Entry<'_>, &Event<'_>) -> bool + 'v;

/// Visits every event that a query asks for, in the order in which they were kept.
///
/// # Errors
/// A file cannot be read.
pub fn search(store: &Path, query: &Query, visit: &mut Visit<'_>) -> Result<Searched, LookError> {
    let names = names(store)?;
    let mut searched = Searched::default();
    let sealed = numbers(&names, "seg");
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
        query.each(&entry, &mut |event| {
            if is_going {
                searched.found += 1;
                is_going = visit(&entry, event);
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
    for block in wanted {
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
    for term in query.terms() {
        if wanted.is_empty() {
            break;
        }
        let mut said = [0; 8];
        let place = index::place_in_table(term) as u64;
        if table.index.1 < index::TABLE as u64 {
            return Ok(None);
        }
        file.read_exact_at(&mut said, table.index.0 + place)?;
        let range = index::bucket(said).filter(|(_, end)| *end as u64 <= table.index.1);
        let Some((begin, end)) = range else { return Ok(None) };
        let mut bucket = vec![0; end - begin];
        file.read_exact_at(&mut bucket, table.index.0 + begin as u64)?;
        let Some(blocks) = index::blocks(&bucket, term) else { return Ok(None) };
        wanted.retain(|at| blocks.binary_search(at).is_ok());
    }
    Ok(Some(wanted.into_iter().map(|at| table.blocks[at as usize]).collect()))
}

/// Follows what is kept, from the segment on that is written to.
#[derive(Debug)]
pub struct Follower {
    store: PathBuf,
    /// The segment that is read, and up to where.
    segment: u64,
    at: u64,
    /// The number of the entry that is visited next.
    next: u64,
    unread: u64,
}

impl Follower {
    /// Follows a store.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(store: &Path) -> Result<Self, LookError> {
        let segment = numbers(&names(store)?, "open").pop().unwrap_or(1);
        Ok(Self { store: store.to_owned(), segment, at: START_BYTES as u64, next: 0, unread: 0 })
    }

    /// Says how many pieces of the store could not be read and were not visited.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Visits what was kept since the last look. Gives how many entries that were.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn look(&mut self, visit: &mut dyn FnMut(&Entry<'_>)) -> Result<u64, LookError> {
        let mut count = 0;
        loop {
            let open = self.store.join(name(self.segment, "open"));
            if let Some(bytes) = read_from(&open, self.at).map_err(of(&open))? {
                return Ok(count + self.groups(&bytes, visit));
            }
            // It was sealed, or is not there yet.
            let sealed = self.store.join(name(self.segment, "seg"));
            let Some(file) = read(&sealed)? else { return Ok(count) };
            let table = Table::of(&file);
            self.unread += u64::from(table.is_none());
            for block in table.iter().flat_map(|table| &table.blocks) {
                let unpacked = crate::format::sealed::unpacked(&file, block);
                count += self.visit(block.first, unpacked.as_deref(), visit);
            }
            (self.segment, self.at) = (self.segment + 1, START_BYTES as u64);
        }
    }

    fn groups(&mut self, bytes: &[u8], visit: &mut dyn FnMut(&Entry<'_>)) -> u64 {
        let (mut count, mut read) = (0, 0);
        groups(bytes, 0, &mut |group: Group| {
            read += group.bytes().len() as u64;
            count += self.visit(group.first, group.block().as_deref(), visit);
        });
        self.at += read;
        count
    }

    fn visit(
        &mut self,
        first: u64,
        block: Option<&[u8]>,
        visit: &mut dyn FnMut(&Entry<'_>),
    ) -> u64 {
        let mut count = 0;
        let Some(entries) = block.and_then(entries) else {
            self.unread += 1;
            return 0;
        };
        for (entry, number) in entries.iter().zip(first..) {
            if number >= self.next {
                visit(entry);
                self.next = number + 1;
                count += 1;
            }
        }
        count
    }
}

/// Reads a file from a place on; nothing where it is not there.
fn read_from(path: &Path, at: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = vec![0; file.metadata()?.len().saturating_sub(at) as usize];
    let read = file.read_at(&mut bytes, at)?;
    bytes.truncate(read);
    Ok(Some(bytes))
}
