//! What waits to be sent: lines in their order, durable before they count, at most so many bytes. What there is no
//! room for is a number, and the oldest goes.

use std::collections::VecDeque;
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::store::{name, numbers};

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// In a file, in bytes,
    pub file: u64,
    /// and in all files together.
    pub all: u64,
}

impl Default for Room {
    /// More than a hundred thousand findings: a day of a busy cluster's, in files that are read at once.
    fn default() -> Self {
        Self { file: 1 << 20, all: 64 << 20 }
    }
}

/// What is sent next.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Batch {
    /// The file that it is of.
    file: u64,
    /// The lines.
    pub lines: Vec<String>,
    /// How many lines there was no room for before it, ever.
    pub lost: u64,
}

/// Lines that wait to be sent.
pub struct Spool<D> {
    disk: D,
    room: Room,
    /// The files, oldest first; the last is written to.
    files: VecDeque<File>,
    mark: Mark,
    /// The lines of the oldest file that were not sent, as far as they were read.
    lines: VecDeque<String>,
}

#[derive(Debug)]
struct File {
    number: u64,
    bytes: u64,
    lines: u64,
}

/// Up to where lines were sent, and what was lost.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Mark {
    /// The file of the line that is sent next,
    file: u64,
    /// how many lines of it were sent,
    sent: u64,
    /// how many lines there was no room for, ever,
    lost: u64,
    /// and the file that was sent to its end last: it stays until the next was, for who looks whether a line was sent.
    #[serde(default)]
    whole: Option<u64>,
}

const MARK: &str = "sent";
const KIND: &str = "lines";

impl<D: Disk> Spool<D> {
    /// Opens a spool, and cuts off what was not written to its end.
    ///
    /// # Errors
    /// A file cannot be read or written, or is none of a spool.
    pub fn open(mut disk: D, room: Room) -> io::Result<Self> {
        let names = disk.names()?;
        let mark = match names.iter().any(|name| name == MARK) {
            true => serde_json::from_slice(&disk.read(MARK)?).map_err(io::Error::other)?,
            false => Mark::default(),
        };
        let mut files = VecDeque::new();
        for number in numbers(&names, KIND) {
            if number < mark.file {
                if mark.whole != Some(number) {
                    disk.remove(&name(number, KIND))?;
                }
                continue;
            }
            let bytes = disk.read(&name(number, KIND))?;
            // Zeros are where a machine that lost power had not written yet.
            let whole = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            let end = bytes[..whole].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            if end < bytes.len() {
                disk.cut(&name(number, KIND), end as u64)?;
            }
            let lines = bytes[..end].iter().filter(|byte| **byte == b'\n').count() as u64;
            files.push_back(File { number, bytes: end as u64, lines });
        }
        let mut spool = Self { disk, room, files, mark, lines: VecDeque::new() };
        // Lines that were sent and are not there any more are not to be taken for those that come.
        let first = spool.files.front().filter(|first| first.number == mark.file);
        if let Some(lines) = first.map(|first| first.lines)
            && lines < mark.sent
        {
            spool.note(Mark { sent: lines, ..mark })?;
        }
        Ok(spool)
    }

    /// Takes lines. When it returns well they are durable.
    ///
    /// # Errors
    /// They are not, and the same may be tried again: some may then wait twice.
    pub fn push(&mut self, lines: &[String]) -> io::Result<()> {
        for line in lines {
            self.write(line)?;
        }
        if let Some(last) = self.files.back() {
            self.disk.sync(&name(last.number, KIND))?;
        }
        self.make_room()
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        let line = format!("{}\n", line.replace('\n', " "));
        let is_full = |last: &File| last.bytes + line.len() as u64 > self.room.file;
        if self.files.back().is_none_or(is_full) {
            if let Some(last) = self.files.back() {
                self.disk.sync(&name(last.number, KIND))?;
            }
            let number = self.files.back().map_or(self.mark.file, |last| last.number) + 1;
            self.disk.write_at(&name(number, KIND), 0, b"")?;
            self.disk.sync_names()?;
            self.files.push_back(File { number, bytes: 0, lines: 0 });
        }
        let Some(last) = self.files.back_mut() else { return Ok(()) };
        self.disk.write_at(&name(last.number, KIND), last.bytes, line.as_bytes())?;
        last.bytes += line.len() as u64;
        last.lines += 1;
        if self.files.len() == 1 && self.is_read() {
            self.lines.push_back(line.trim_end_matches('\n').to_owned());
        }
        Ok(())
    }

    /// Whether the lines in memory are those of the oldest file.
    fn is_read(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Gives up the oldest files while there are too many bytes.
    fn make_room(&mut self) -> io::Result<()> {
        while self.files.len() > 1
            && self.files.iter().map(|file| file.bytes).sum::<u64>() > self.room.all
        {
            let Some(oldest) = self.files.front() else { break };
            let sent = if oldest.number == self.mark.file { self.mark.sent } else { 0 };
            let (number, left) = (oldest.number, oldest.lines.saturating_sub(sent));
            let lost = self.mark.lost + left;
            self.pass(Mark { file: number + 1, sent: 0, lost, ..self.mark }, Some(number))?;
        }
        Ok(())
    }

    /// Goes on behind the oldest file, and removes one that nobody needs any more.
    fn pass(&mut self, mark: Mark, gone: Option<u64>) -> io::Result<()> {
        self.note(mark)?;
        self.files.pop_front();
        self.lines.clear();
        // What is left of it goes when the spool is opened again.
        gone.map_or(Ok(()), |gone| self.disk.remove(&name(gone, KIND)))
    }

    /// Gives the lines that are sent next: as many as there are of one file, at most so many bytes, and one in any
    /// case.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn next(&mut self, most_bytes: usize) -> io::Result<Batch> {
        self.load()?;
        let mut bytes = 0;
        let fit = self.lines.iter().take_while(|line| {
            let is_first = bytes == 0;
            bytes += line.len() + 1;
            is_first || bytes <= most_bytes
        });
        let lines = fit.cloned().collect();
        let file = self.files.front().map_or(0, |oldest| oldest.number);
        Ok(Batch { file, lines, lost: self.mark.lost })
    }

    fn load(&mut self) -> io::Result<()> {
        while self.lines.is_empty() {
            let Some(oldest) = self.files.front() else { return Ok(()) };
            let sent = if oldest.number == self.mark.file { self.mark.sent } else { 0 };
            if oldest.lines > sent {
                let mut text = self.disk.read(&name(oldest.number, KIND))?;
                // Behind it may be what was left of a write that failed.
                text.truncate(usize::try_from(oldest.bytes).unwrap_or(usize::MAX));
                let text = String::from_utf8_lossy(&text);
                let skipped = usize::try_from(sent).unwrap_or(usize::MAX);
                self.lines = text.lines().skip(skipped).map(str::to_owned).collect();
                return Ok(());
            }
            if self.files.len() == 1 {
                return Ok(());
            }
            let (number, before) = (oldest.number, self.mark.whole);
            let mark = Mark { file: number + 1, sent: 0, whole: Some(number), ..self.mark };
            self.pass(mark, before)?;
        }
        Ok(())
    }

    /// Takes note that a batch was received.
    ///
    /// # Errors
    /// It cannot be written: the same would be sent again.
    pub fn done(&mut self, batch: &Batch) -> io::Result<()> {
        let (count, lost) = (batch.lines.len(), self.mark.lost);
        match self.files.front() {
            Some(oldest) if oldest.number == batch.file => {
                let sent = if batch.file == self.mark.file { self.mark.sent } else { 0 };
                let sent = sent + count as u64;
                self.note(Mark { file: batch.file, sent, ..self.mark })?;
                self.lines.drain(..count.min(self.lines.len()));
                Ok(())
            }
            // It was given up while it was sent, and was received after all.
            _ => self.note(Mark { lost: lost.saturating_sub(count as u64), ..self.mark }),
        }
    }

    /// How many lines wait.
    pub fn waiting(&self) -> u64 {
        let all: u64 = self.files.iter().map(|file| file.lines).sum();
        let is_first = self.files.front().is_some_and(|file| file.number == self.mark.file);
        all.saturating_sub(if is_first { self.mark.sent } else { 0 })
    }

    /// How many lines there was no room for, ever.
    pub fn lost(&self) -> u64 {
        self.mark.lost
    }

    /// Writes the mark whole: it has its name when it is durable.
    fn note(&mut self, mark: Mark) -> io::Result<()> {
        let bytes = serde_json::to_vec(&mark).map_err(io::Error::other)?;
        self.disk.put(MARK, &bytes)?;
        self.mark = mark;
        Ok(())
    }
}

/// What a spool's files say of some lines, to somebody who does not send.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Passed {
    /// Whether one of the lines that are looked for was received.
    pub is_sent: bool,
    /// How many lines there was no room for, ever.
    pub lost: u64,
}

/// Looks in the directory of a spool that somebody else sends from, and changes nothing. It sees the file that is being
/// sent and the one that was sent before it. A file that was given up tells nothing, whether or not it is still there.
///
/// # Errors
/// A file cannot be read.
pub fn passed(at: &Path, is_it: impl Fn(&str) -> bool) -> io::Result<Passed> {
    let read = |name: &str| match fs::read(at.join(name)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let Some(mark) = read(MARK)? else { return Ok(Passed::default()) };
    let mark: Mark = serde_json::from_slice(&mark).map_err(io::Error::other)?;
    let mut passed = Passed { is_sent: false, lost: mark.lost };
    let whole = mark.whole.map(|number| (number, u64::MAX));
    for (number, sent) in whole.into_iter().chain([(mark.file, mark.sent)]) {
        let Some(text) = read(&name(number, KIND))? else { continue };
        let sent = usize::try_from(sent).unwrap_or(usize::MAX);
        passed.is_sent |= String::from_utf8_lossy(&text).lines().take(sent).any(&is_it);
    }
    Ok(passed)
}

/// Names what is told, so that what comes twice is known: the same words of the same machine have the same name.
pub fn id_of(source: &str, text: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(source.len() as u64).to_le_bytes());
    hasher.update(source.as_bytes());
    hasher.update(text.as_bytes());
    hasher.finalize().to_hex()[..32].to_owned()
}
