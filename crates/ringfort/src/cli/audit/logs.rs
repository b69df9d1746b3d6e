//! Reads logs: plain or compressed by gzip, a line after the other, or one document over many lines.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::Serialize;

use ringfort_audit::envelope::{Found, each};
use ringfort_audit::event::Event;
use ringfort_audit::fault::Why;
use ringfort_audit::lines::{Lines, MOST_BYTES, Place};

use crate::cli::Fault;
use crate::cli::files::Unread;

/// What was read of all logs.
#[derive(Default)]
pub struct Told {
    /// Events.
    pub events: u64,
    /// Entries of other services.
    pub others: u64,
    /// What could not be judged.
    pub unjudged: u64,
    /// The first of them.
    pub first: Vec<Unjudged>,
}

/// Something that could not be judged.
#[derive(Serialize)]
pub struct Unjudged {
    /// The log,
    pub file: String,
    /// the line in it,
    pub line: u64,
    /// and why.
    pub said: String,
}

/// So many of what could not be judged are told one by one.
const TOLD: usize = 20;

impl Told {
    fn cannot(&mut self, file: &Path, place: Place, why: &Why) {
        self.unjudged += 1;
        if self.first.len() < TOLD {
            let (file, line) = (file.display().to_string(), place.line);
            self.first.push(Unjudged { file, line, said: why.to_string() });
        }
    }

    /// Says on standard error what could not be judged.
    pub fn tell(&self) {
        for Unjudged { file, line, said } in &self.first {
            eprintln!("error: {file}:{line}: {said}");
        }
        let more = self.unjudged.saturating_sub(self.first.len() as u64);
        if more > 0 {
            eprintln!("error: {more} more could not be judged");
        }
        if self.events == 0 {
            eprintln!("error: no audit event was found");
        }
    }

    /// Whether something was not looked at.
    pub fn is_blind(&self) -> bool {
        self.unjudged > 0 || self.events == 0
    }
}

/// What is done with an event: its log, its place, its length. Says what of it could not be judged.
pub type Visit<'v> = dyn FnMut(usize, Place, &Event<'_>, usize) -> Option<Why> + 'v;

/// Reads logs, and visits every event.
pub fn read(paths: &[PathBuf], visit: &mut Visit<'_>) -> Result<Told, Fault> {
    let mut read = Told::default();
    for (number, path) in paths.iter().enumerate() {
        one(path, &mut read, &mut |place, event, bytes| visit(number, place, event, bytes))
            .map_err(|error| {
                Fault::usage(Unread::of(path, &format!("it cannot be read: {error}")))
            })?;
    }
    Ok(read)
}

fn one(
    path: &Path,
    read: &mut Told,
    visit: &mut dyn FnMut(Place, &Event<'_>, usize) -> Option<Why>,
) -> io::Result<()> {
    let mut source = open(path)?;
    let mut lines = Lines::default();
    let mut buffer = vec![0; 1 << 18];
    let mut document: Option<Vec<u8>> = None;
    let mut is_first = true;
    let mut line = |place: Place, line: Result<&[u8], Why>| match line {
        Ok(line) => each(line, &mut |found| match found {
            Found::Event(event) => {
                read.events += 1;
                if let Some(why) = visit(place, event, line.len()) {
                    read.cannot(path, place, &why);
                }
            }
            Found::Other => read.others += 1,
            Found::Fault(why) => read.cannot(path, place, &why),
        }),
        Err(why) => read.cannot(path, place, &why),
    };
    loop {
        let count = match source.read(&mut buffer) {
            Ok(count) => count,
            // What was compressed and is cut off was read until there.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                line(Place::default(), Err(Why::Cut { bytes: 0 }));
                0
            }
            Err(error) => return Err(error),
        };
        let bytes = &buffer[..count];
        if is_first && begins_document(bytes) {
            document = Some(Vec::new());
        }
        is_first = false;
        match (&mut document, count) {
            (_, 0) => break,
            (Some(whole), _) if whole.len() > MOST_BYTES => {
                return Err(io::Error::other("it is one document, and too large to be read whole"));
            }
            (Some(whole), _) => whole.extend_from_slice(bytes),
            (None, _) => lines.push(bytes, &mut line),
        }
    }
    match document {
        Some(whole) => line(Place { line: 1, byte: 0 }, Ok(&whole)),
        None => lines.finish(&mut line),
    }
    Ok(())
}

/// Whether text is one document over many lines, as people and portals write it.
fn begins_document(bytes: &[u8]) -> bool {
    let line = bytes.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    matches!(line.trim_ascii(), b"{" | b"[")
}

fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path)?),
    };
    let mut magic = Vec::new();
    file.by_ref().take(4).read_to_end(&mut magic)?;
    if magic == ZSTD {
        return Err(io::Error::other(
            "it is compressed by zstd: read it through `zstd -dc FILE | … -`",
        ));
    }
    let is_gzip = magic.starts_with(&GZIP);
    let whole = io::Cursor::new(magic).chain(file);
    Ok(if is_gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
