//! Small files that only grow: a line is durable before anybody is told of it.

use std::collections::BTreeMap;
use std::io;

use super::disk::Disk;
use crate::format::witness::Note;

/// Files of notes in one directory.
pub struct Notes<D> {
    disk: D,
    /// How long each is, as far as it was read.
    lengths: BTreeMap<String, u64>,
}

/// A file grows no longer: a year of segments is a tenth of this.
const MOST_BYTES: u64 = 64 << 20;

impl<D: Disk> Notes<D> {
    /// Takes a directory that nobody else writes to.
    pub fn new(disk: D) -> Self {
        Self { disk, lengths: BTreeMap::new() }
    }

    /// Names the files whose names begin so.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn names(&self, beginning: &str) -> io::Result<Vec<String>> {
        let mut names = self.disk.names()?;
        names.retain(|name| name.starts_with(beginning));
        Ok(names)
    }

    /// Reads a file, and cuts off what was not written to its end.
    ///
    /// # Errors
    /// It cannot be read, or a line is no note: somebody has been at it, or the disk is damaged.
    pub fn read(&mut self, file: &str) -> io::Result<Vec<Note>> {
        if !self.disk.names()?.iter().any(|name| name == file) {
            return Ok(Vec::new());
        }
        let bytes = self.disk.read(file)?;
        // Zeros are where a machine that lost power had not written yet.
        let whole = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let end = bytes[..whole].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines = bytes[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let notes: Option<Vec<Note>> = lines.map(Note::read).collect();
        let wrong = || io::Error::other(format!("{file}: a line of it is none of a witness's"));
        let notes = notes.ok_or_else(wrong)?;
        self.lengths.insert(file.to_owned(), end as u64);
        Ok(notes)
    }

    /// Adds notes to a file. When it returns well they are durable.
    ///
    /// # Errors
    /// They are not, and the same may be tried again.
    pub fn add(&mut self, file: &str, notes: &[Note]) -> io::Result<()> {
        if notes.is_empty() {
            return Ok(());
        }
        if !self.lengths.contains_key(file) {
            self.read(file)?;
        }
        let length = self.lengths.get(file).copied().unwrap_or(0);
        let mut bytes = Vec::new();
        for note in notes {
            serde_json::to_writer(&mut bytes, note).map_err(io::Error::other)?;
            bytes.push(b'\n');
        }
        let end = length + bytes.len() as u64;
        if end > MOST_BYTES {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "its file is full"));
        }
        // What an attempt before this one left is not to stand behind it.
        self.disk.cut(file, length)?;
        self.disk.write_at(file, length, &bytes)?;
        self.disk.sync(file)?;
        if length == 0 {
            self.disk.sync_names()?;
        }
        self.lengths.insert(file.to_owned(), end);
        Ok(())
    }
}
