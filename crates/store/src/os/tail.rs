//! Follows the log of an API server over renames, compression and cuts. Where it stands is told by what the file
//! holds, so that it goes on exactly there whatever name the file has by then.

mod files;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use ringfort_audit::lines::{Lines, MOST_BYTES};

pub(super) use self::files::candidates;
use self::files::{Candidate, Stand};
use crate::format::checkpoint::hex;

/// Up to where a log was read.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    /// The file's number in its file system.
    pub inode: u64,
    /// How much of the file was read: whole lines.
    pub offset: u64,
    /// How long the beginning is that tells the file from others,
    pub prefix: usize,
    /// and its digest.
    pub digest: String,
    /// How long the last line is that was read, with its end,
    pub last: usize,
    /// and its digest: a file may be the same and have lost its end.
    pub last_digest: String,
    /// When the file was written to last, as far as it was read, in nanoseconds of the Unix epoch.
    pub written: i64,
    /// Whether nothing more comes in it.
    pub is_done: bool,
}

/// What is said of a line.
#[derive(Debug)]
pub enum Line<'a> {
    /// Its bytes.
    Whole(&'a [u8]),
    /// What stands at the end of a file to which nothing more comes.
    Cut(&'a [u8]),
    /// It is too long to be kept.
    TooLong,
    /// A file is gone, was cut, or cannot be unpacked before it was read to its end: something may be lost.
    Gap,
}

/// A log that is followed.
pub struct Tail {
    path: PathBuf,
    cursor: Option<Cursor>,
    reading: Option<Reading>,
    buffer: Vec<u8>,
}

struct Reading {
    source: Box<dyn Read + Send>,
    /// The file itself, where it is not compressed.
    plain: Option<File>,
    lines: Lines,
    /// Where in the file the first of these lines begins.
    base: u64,
    /// How much was read, and how it begins.
    position: u64,
    beginning: Vec<u8>,
    cursor: Cursor,
}

/// So much of a file's beginning tells it from others: an event has its time to the microsecond.
const PREFIX: usize = 1 << 10;
const CHUNK: usize = 1 << 20;

impl Tail {
    /// Follows a log, from where it was read to.
    pub fn new(path: &Path, cursor: Option<Cursor>) -> Self {
        Self { path: path.to_owned(), cursor, reading: None, buffer: vec![0; CHUNK] }
    }

    /// Up to where it was read, by whole lines.
    pub fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }

    /// Reads a piece and visits its lines. Says whether there was any: if not, there is nothing more for now.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn look(&mut self, visit: &mut dyn FnMut(Line<'_>)) -> io::Result<bool> {
        let Some(reading) = &mut self.reading else { return self.find(visit) };
        let live = files::live(&self.path)?;
        // Looked at before the end of the file: where another follows it, nothing more came into this one.
        let is_live = reading.is_file(live.as_ref());
        if is_live && reading.was_cut()? {
            self.reading = None;
            return self.find(visit);
        }
        let count = match reading.source.read(&mut self.buffer) {
            Ok(count) => count,
            // It never unpacks better, and what was written after it is waiting.
            Err(error) if reading.plain.is_none() && is_damage(&error) => {
                visit(Line::Gap);
                self.end(visit);
                return Ok(true);
            }
            Err(error) => {
                // What unpacks may not go on behind a fault: it is opened anew, and read on from its last whole line.
                if reading.plain.is_none() {
                    self.reading = None;
                }
                return Err(error);
            }
        };
        if count > 0 {
            reading.take(&self.buffer[..count], visit);
            self.cursor = Some(reading.cursor.clone());
            return Ok(true);
        }
        let is_followed = live.is_some_and(|live| live.size > 0 && !is_live);
        let is_over = reading.plain.is_none() || is_followed;
        if !is_over {
            return Ok(false);
        }
        self.end(visit);
        Ok(true)
    }

    /// Nothing more comes in the file that is read.
    fn end(&mut self, visit: &mut dyn FnMut(Line<'_>)) {
        let Some(reading) = self.reading.take() else { return };
        reading.lines.finish(&mut |_, line| visit(line.map_or(Line::TooLong, Line::Cut)));
        let offset = reading.position;
        self.cursor = Some(Cursor { offset, is_done: true, last: 0, ..reading.cursor });
    }

    /// Finds the file that is to be read next.
    fn find(&mut self, visit: &mut dyn FnMut(Line<'_>)) -> io::Result<bool> {
        let candidates = candidates(&self.path)?;
        let (next, offset) = match &self.cursor {
            None => (candidates.first(), 0),
            Some(cursor) => match files::stand(&candidates, cursor)? {
                Stand::At(at) if cursor.is_done => (candidates.get(at + 1), 0),
                Stand::At(at) => (candidates.get(at), cursor.offset),
                // The same file, and not the same lines. What is kept already is told by its key.
                Stand::Changed(at) => {
                    visit(Line::Gap);
                    (candidates.get(at), 0)
                }
                Stand::Gone if candidates.is_empty() => (None, 0),
                Stand::Gone => {
                    visit(Line::Gap);
                    let is_later = |one: &&Candidate| one.written >= cursor.written;
                    (candidates.iter().find(is_later).or(candidates.last()), 0)
                }
            },
        };
        let Some(next) = next else { return Ok(false) };
        let reading = match Reading::open(next, offset, self.cursor.as_ref()) {
            Ok(reading) => reading,
            // What is packed does not hold as much as was read of it: nothing more comes of it.
            Err(error) if next.is_packed() && is_damage(&error) => {
                visit(Line::Gap);
                let (inode, written) = (next.inode, next.written);
                let before = self.cursor.take().unwrap_or_default();
                self.cursor = Some(Cursor { inode, written, is_done: true, ..before });
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        self.cursor = Some(reading.cursor.clone());
        self.reading = Some(reading);
        Ok(true)
    }
}

impl Reading {
    fn open(candidate: &Candidate, offset: u64, before: Option<&Cursor>) -> io::Result<Self> {
        let (mut source, plain) = candidate.open()?;
        let beginning = files::beginning(&mut source, PREFIX.min(offset as usize))?;
        let skipped =
            io::copy(&mut source.by_ref().take(offset - beginning.len() as u64), &mut io::sink())?;
        // The name may have gone to another file since.
        let metadata = plain.as_ref().map(File::metadata).transpose()?;
        let inode = metadata.map_or(candidate.inode, |metadata| metadata.ino());
        let written = candidate.written;
        let fresh = Cursor { inode, written, digest: digest(&[]), ..Cursor::default() };
        let cursor = match before {
            Some(before) if offset > 0 => {
                Cursor { inode, written, is_done: false, ..before.clone() }
            }
            _ => fresh,
        };
        let position = beginning.len() as u64 + skipped;
        let (lines, base) = (Lines::with_most(MOST_BYTES), position);
        Ok(Self { source, plain, lines, base, position, beginning, cursor })
    }

    fn take(&mut self, bytes: &[u8], visit: &mut dyn FnMut(Line<'_>)) {
        let missing = PREFIX.saturating_sub(self.beginning.len()).min(bytes.len());
        self.beginning.extend_from_slice(&bytes[..missing]);
        self.position += bytes.len() as u64;
        let mut last = None;
        self.lines.push(bytes, &mut |_, line| match line {
            Ok(line) => {
                last = Some((line.len() + 1, blake3::hash(line)));
                visit(Line::Whole(line));
            }
            Err(_) => {
                last = Some((0, blake3::hash(&[])));
                visit(Line::TooLong);
            }
        });
        let Some((length, hash)) = last else { return };
        let cursor = &mut self.cursor;
        cursor.offset = self.base + self.lines.place().byte;
        let known = self.beginning.len().min(cursor.offset as usize);
        if known > cursor.prefix {
            cursor.prefix = known;
            cursor.digest = digest(&self.beginning[..known]);
        }
        (cursor.last, cursor.last_digest) = (length, hex(hash.as_bytes()));
        if let Some(written) = self.plain.as_ref().and_then(|file| file.metadata().ok()) {
            cursor.written = files::written(&written);
        }
    }

    fn is_file(&self, live: Option<&Candidate>) -> bool {
        live.is_some_and(|live| live.inode == self.cursor.inode && self.plain.is_some())
    }

    /// Whether the file holds less than was read of it, or begins otherwise.
    fn was_cut(&self) -> io::Result<bool> {
        let Some(file) = &self.plain else { return Ok(false) };
        if file.metadata()?.size() < self.position {
            return Ok(true);
        }
        let mut beginning = vec![0; self.beginning.len()];
        let read = std::os::unix::fs::FileExt::read_at(file, &mut beginning, 0)?;
        Ok(beginning[..read] != self.beginning)
    }
}

/// Whether what is packed cannot be unpacked, and not only the file not be had.
fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

pub(super) fn digest(bytes: &[u8]) -> String {
    hex(blake3::hash(bytes).as_bytes())
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read, Write as _};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::{Line, Tail};

    /// What cannot be read.
    struct Fails(io::ErrorKind);

    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
    }

    /// A packed log that cannot be read for now is whole; one that is damaged never gets better.
    #[test]
    fn only_damage_ends_what_is_packed() {
        for (kind, expected) in [
            (io::ErrorKind::Other, "one"),
            (io::ErrorKind::Interrupted, "one"),
            (io::ErrorKind::InvalidData, "gap"),
            (io::ErrorKind::UnexpectedEof, "gap"),
        ] {
            let at = tempfile::tempdir().unwrap();
            let mut packed = GzEncoder::new(Vec::new(), Compression::default());
            packed.write_all(b"one\n").unwrap();
            std::fs::write(at.path().join("audit.log.1.gz"), packed.finish().unwrap()).unwrap();
            let mut tail = Tail::new(&at.path().join("audit.log"), None);
            let (mut came, mut failed) = (Vec::new(), 0);
            let mut look = |tail: &mut Tail| {
                tail.look(&mut |line| {
                    came.push(match line {
                        Line::Whole(text) => String::from_utf8_lossy(text).into_owned(),
                        Line::Gap => "gap".to_owned(),
                        other => format!("{other:?}"),
                    });
                })
            };
            assert!(look(&mut tail).unwrap(), "it is opened");
            tail.reading.as_mut().unwrap().source = Box::new(Fails(kind));
            for _ in 0..5 {
                failed += usize::from(look(&mut tail).is_err());
            }
            assert_eq!(failed, usize::from(expected == "one"), "{kind}");
            assert_eq!(came, [expected], "{kind}");
        }
    }
}
