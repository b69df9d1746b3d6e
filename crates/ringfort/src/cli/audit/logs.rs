//! Reads logs: plain or compressed by gzip or zstd, a line after the other, or one document over many lines.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::Serialize;

use ringfort_audit::envelope::{Found, each};
use ringfort_audit::event::Event;
use ringfort_audit::fault::Why;
use ringfort_audit::lines::{self, Lines, MOST_BYTES, Place};

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

/// Reads logs one after the other, and visits every event.
pub fn read(paths: &[PathBuf], visit: &mut Visit<'_>) -> Result<Told, Fault> {
    let mut read = Told::default();
    for (number, path) in paths.iter().enumerate() {
        let mut source = Source::open(path).map_err(|error| unreadable(path, &error))?;
        let mut line = |place, line: Result<&[u8], Why>| {
            judge(path, place, line, &mut read, &mut |place, event, bytes| {
                visit(number, place, event, bytes)
            });
        };
        while source.pull(&mut line).map_err(|error| unreadable(path, &error))? {}
    }
    Ok(read)
}

/// Reads logs together, and visits every event in the order in which they were written, as far as each log keeps to
/// it. A little is held of those whose time has come, and no others are open.
pub fn read_by_time(paths: &[PathBuf], visit: &mut Visit<'_>) -> Result<Told, Fault> {
    if paths.len() < 2 {
        return read(paths, visit);
    }
    let mut read = Told::default();
    let mut next = BinaryHeap::new();
    let mut streams = begun(paths, &mut next)?;
    while let Some(Reverse((_, number))) = next.pop() {
        let path = &paths[number];
        let stream = match &mut streams[number] {
            Some(stream) => stream,
            none => none.insert(Stream::begin(path).map_err(|error| unreadable(path, &error))?),
        };
        if let Some(Queued { place, line, .. }) = stream.queue.pop_front() {
            judge(
                path,
                place,
                line.as_deref().map_err(Clone::clone),
                &mut read,
                &mut |place, event, bytes| visit(number, place, event, bytes),
            );
        }
        stream.fill().map_err(|error| unreadable(path, &error))?;
        match stream.next() {
            Some(time) => next.push(Reverse((time, number))),
            None => streams[number] = None,
        }
    }
    Ok(read)
}

/// When the next line of a log was written, and which log it is: the first comes first.
type Next = BinaryHeap<Reverse<(Option<i64>, usize)>>;

/// Looks when each log begins. A file is opened again when its time comes, since there may be more of them than a program
/// may have open; a pipe stays open.
fn begun(paths: &[PathBuf], next: &mut Next) -> Result<Vec<Option<Stream>>, Fault> {
    let mut streams = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        let stream = Stream::begin(path).map_err(|error| unreadable(path, &error))?;
        next.extend(stream.next().map(|time| Reverse((time, number))));
        streams.push((!is_there_to_stay(path)).then_some(stream));
    }
    Ok(streams)
}

/// Whether a log can be read more than once.
pub fn is_there_to_stay(path: &Path) -> bool {
    path != Path::new("-") && path.is_file()
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    Fault::usage(Unread::of(path, &format!("it cannot be read: {error}")))
}

fn judge(
    path: &Path,
    place: Place,
    line: Result<&[u8], Why>,
    read: &mut Told,
    visit: &mut dyn FnMut(Place, &Event<'_>, usize) -> Option<Why>,
) {
    match line {
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
    }
}

/// A log that is read together with others.
struct Stream {
    source: Source,
    /// The lines of what was read last.
    queue: VecDeque<Queued>,
    is_done: bool,
}

/// A line that waits for its time, if it has one.
struct Queued {
    time: Option<i64>,
    place: Place,
    line: Result<Vec<u8>, Why>,
}

impl Stream {
    fn begin(path: &Path) -> io::Result<Self> {
        let source = Source::open(path)?;
        let mut stream = Self { source, queue: VecDeque::new(), is_done: false };
        stream.fill()?;
        Ok(stream)
    }

    /// Reads on until there is a line.
    fn fill(&mut self) -> io::Result<()> {
        while self.queue.is_empty() && !self.is_done {
            let queue = &mut self.queue;
            self.is_done = !self.source.pull(&mut |place, line| {
                let time = line.as_ref().ok().and_then(|line| time(line));
                queue.push_back(Queued { time, place, line: line.map(<[u8]>::to_vec) });
            })?;
        }
        Ok(())
    }

    /// Gives when its next line was written; what has no time comes at once.
    fn next(&self) -> Option<Option<i64>> {
        self.queue.front().map(|it| it.time)
    }
}

/// When the first event of a line was written.
fn time(line: &[u8]) -> Option<i64> {
    let mut time = None;
    each(line, &mut |found| {
        if let Found::Event(event) = found {
            time = time.or_else(|| event.written());
        }
    });
    time
}

/// Bytes that become lines, or one document.
struct Source {
    reader: Box<dyn Read>,
    buffer: Vec<u8>,
    lines: Lines,
    document: Option<Vec<u8>>,
    is_first: bool,
}

impl Source {
    fn open(path: &Path) -> io::Result<Self> {
        let (reader, buffer) = (open(path)?, vec![0; 1 << 18]);
        Ok(Self { reader, buffer, lines: Lines::default(), document: None, is_first: true })
    }

    /// Reads on, and visits the lines that end there. Says whether there may be more.
    fn pull(&mut self, line: &mut lines::Visit<'_>) -> io::Result<bool> {
        let count = match self.reader.read(&mut self.buffer) {
            Ok(count) => count,
            // What was compressed and is cut off was read until there.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                line(Place::default(), Err(Why::Cut { bytes: 0 }));
                0
            }
            Err(error) => return Err(error),
        };
        let bytes = &self.buffer[..count];
        if self.is_first && begins_document(bytes) {
            self.document = Some(Vec::new());
        }
        self.is_first = false;
        match (&mut self.document, count) {
            (Some(whole), 0) => line(Place { line: 1, byte: 0 }, Ok(whole.as_slice())),
            (None, 0) => std::mem::take(&mut self.lines).finish(line),
            (Some(whole), _) if whole.len() > MOST_BYTES => {
                return Err(io::Error::other("it is one document, and too large to be read whole"));
            }
            (Some(whole), _) => whole.extend_from_slice(bytes),
            (None, _) => self.lines.push(bytes, line),
        }
        Ok(count > 0)
    }
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
    let (is_gzip, is_zstd) = (magic.starts_with(&GZIP), is_zstd(&magic));
    let whole = io::Cursor::new(magic).chain(file);
    Ok(match (is_gzip, is_zstd) {
        (true, _) => Box::new(MultiGzDecoder::new(whole)),
        (_, true) => Box::new(zstd::Decoder::new(whole)?),
        _ => Box::new(whole),
    })
}

/// Whether bytes begin a frame of zstd, or one that its readers skip: some tools write such a one first.
fn is_zstd(magic: &[u8]) -> bool {
    magic == ZSTD || matches!(magic, [first, rest @ ..] if first & 0xf0 == 0x50 && rest == SKIPPED)
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const SKIPPED: [u8; 3] = [0x2a, 0x4d, 0x18];

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn event(name: &str, second: u32) -> String {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get","objectRef":{{"resource":"pods","name":"{name}"}},"requestReceivedTimestamp":"2026-01-05T00:00:00.0Z","stageTimestamp":"2026-01-05T00:00:{second:02}.0Z"}}"#
        ) + "\n"
    }

    /// Visits logs of these bytes: the names of the events in their order, and what could not be judged.
    fn visited(logs: &[&[u8]]) -> (Vec<String>, u64) {
        let directory = tempfile::tempdir().unwrap();
        let write = |(number, bytes): (usize, &&[u8])| {
            let path = directory.path().join(number.to_string());
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let paths: Vec<PathBuf> = logs.iter().enumerate().map(write).collect();
        let mut names = Vec::new();
        let told = read_by_time(&paths, &mut |log, place, event, _| {
            names.push(format!("{log}:{} {}", place.line, event.name()));
            None
        });
        let told = told.map_err(|_| "a log cannot be read").unwrap();
        assert_eq!(told.events, names.len() as u64);
        (names, told.unjudged)
    }

    /// Three servers write of one time; what has no time keeps nobody waiting, and no line is lost.
    #[test]
    fn several_logs_are_one_in_the_order_of_time() {
        let first = [event("a", 1), event("d", 4), event("e", 5)].concat();
        let second = [event("b", 2), "broken\n".to_owned(), event("f", 6)].concat();
        let third = event("c", 3);
        let (names, unjudged) =
            visited(&[first.as_bytes(), second.as_bytes(), third.as_bytes(), b""]);
        assert_eq!(names, ["0:1 a", "1:1 b", "2:1 c", "0:2 d", "0:3 e", "1:3 f"]);
        assert_eq!(unjudged, 1);
        // Long logs are read piece by piece.
        let long = |begin: u32| (0..20_000).map(|at| event("x", begin + at / 2_000)).collect();
        let (early, late): (String, String) = (long(0), long(20));
        let (names, _) = visited(&[late.as_bytes(), early.as_bytes()]);
        assert_eq!(names.len(), 40_000);
        assert!(names[..20_000].iter().all(|name| name.starts_with("1:")));
    }

    /// A year of rotated logs is more files than a program may have open.
    #[test]
    fn no_file_is_open_before_its_time() {
        let directory = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..3)
            .map(|number| {
                let path = directory.path().join(number.to_string());
                std::fs::write(&path, event("x", 3 - number)).unwrap();
                path
            })
            .collect();
        let mut next = Next::new();
        let streams = begun(&paths, &mut next).map_err(|_| "a log cannot be read").unwrap();
        assert!(streams.len() == 3 && streams.iter().all(Option::is_none));
        let order: Vec<usize> =
            std::iter::from_fn(|| next.pop()).map(|Reverse((_, number))| number).collect();
        assert_eq!(order, [2, 1, 0]);
        assert!(is_there_to_stay(&paths[0]));
        assert!(!is_there_to_stay(Path::new("-")) && !is_there_to_stay(Path::new("/dev/null")));
    }

    #[test]
    fn logs_are_read_however_they_are_packed_and_what_is_cut_off_is_told() {
        let (one, two) = (event("a", 1), event("b", 2));
        let gzip = |text: &str| {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(text.as_bytes()).unwrap();
            packed.finish().unwrap()
        };
        let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
        let skipped = [&[0x5a, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7], zstd(&one).as_slice()].concat();
        assert_eq!(visited(&[&skipped]), (vec!["0:1 a".to_owned()], 0));
        for pack in [&gzip as &dyn Fn(&str) -> Vec<u8>, &zstd] {
            let both = [pack(&one), pack(&two)].concat();
            assert_eq!(visited(&[&both]), (vec!["0:1 a".to_owned(), "0:2 b".to_owned()], 0));
            let (_, unjudged) = visited(&[&both[..both.len() - 6]]);
            assert!(unjudged > 0);
        }
    }
}
