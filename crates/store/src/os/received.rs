//! What others delivered, between the process that hears it and the one that keeps it: a file for each delivery, durable
//! before anybody is told that it was received, and gone when it is kept. There is room for so many.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::store::{name, numbers};
use crate::format::entry::Kind;

/// A line that was received.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Received {
    /// Whose it is, as the certificate says.
    pub source: String,
    /// What it is taken for.
    pub kind: Kind,
    /// The line.
    pub text: String,
}

/// Takes what is delivered.
pub struct Intake<D> {
    disk: D,
    /// The number of the next delivery.
    next: u64,
    /// How long each is that waits.
    waiting: BTreeMap<u64, usize>,
}

/// So many deliveries wait at most,
pub const MOST_DELIVERIES: usize = 64;
/// and so many bytes of them, or one that is longer.
pub const MOST_BYTES: usize = 64 << 20;
const KIND: &str = "received";

impl<D: Disk> Intake<D> {
    /// Opens a directory that no other process writes into. What was not written to its end was never received.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(mut disk: D) -> io::Result<Self> {
        let names = disk.names()?;
        for name in names.iter().filter(|name| name.ends_with(".tmp")) {
            disk.remove(name)?;
        }
        let mut waiting = BTreeMap::new();
        for number in numbers(&names, KIND) {
            waiting.insert(number, disk.read(&name(number, KIND)).map_or(0, |bytes| bytes.len()));
        }
        let next = waiting.last_key_value().map_or(0, |(number, _)| *number) + 1;
        Ok(Self { disk, next, waiting })
    }

    /// Takes lines. When it returns well they are durable, and will be kept.
    ///
    /// # Errors
    /// They are not, and whoever has them keeps them: there is no room while nobody collects.
    pub fn take(&mut self, lines: &[Received]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut bytes, line).map_err(io::Error::other)?;
            bytes.push(b'\n');
        }
        let there = numbers(&self.disk.names()?, KIND);
        self.waiting.retain(|number, _| there.contains(number));
        let length: usize = self.waiting.values().sum();
        let is_too_much = !there.is_empty() && length + bytes.len() > MOST_BYTES;
        if there.len() >= MOST_DELIVERIES || is_too_much {
            let full = "what was received before is not kept yet";
            return Err(io::Error::new(io::ErrorKind::StorageFull, full));
        }
        let aside = format!("{KIND}.tmp");
        self.disk.cut(&aside, 0)?;
        self.disk.write_at(&aside, 0, &bytes)?;
        self.disk.sync(&aside)?;
        self.disk.rename(&aside, &name(self.next, KIND))?;
        self.waiting.insert(self.next, bytes.len());
        self.next += 1;
        self.disk.sync_names()
    }
}

/// Gives what was delivered, to be kept.
pub struct Outlet<D> {
    disk: D,
    /// What was given, and is not kept yet.
    given: Vec<String>,
}

impl<D: Disk> Outlet<D> {
    /// Opens a directory that no other process takes from.
    pub fn new(disk: D) -> Self {
        Self { disk, given: Vec::new() }
    }

    /// Gives the lines of the oldest delivery that was not given; none where there is no more. A line that is none is
    /// given as it stands, without anybody's name.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn give(&mut self) -> io::Result<Vec<Received>> {
        let waiting = numbers(&self.disk.names()?, KIND);
        let mut files = waiting.into_iter().map(|number| name(number, KIND));
        let Some(file) = files.find(|file| !self.given.contains(file)) else {
            return Ok(Vec::new());
        };
        let bytes = self.disk.read(&file)?;
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let read = |line: &[u8]| {
            serde_json::from_slice(line).unwrap_or_else(|_| {
                let (source, text) = (String::new(), String::from_utf8_lossy(line).into_owned());
                Received { source, kind: Kind::Unreadable, text }
            })
        };
        let received = lines.map(read).collect();
        self.given.push(file);
        Ok(received)
    }

    /// Takes note that all that was given is kept.
    ///
    /// # Errors
    /// It cannot be removed: the same would be given again by the next run, and is known then.
    pub fn kept(&mut self) -> io::Result<()> {
        if self.given.is_empty() {
            return Ok(());
        }
        while let Some(file) = self.given.last() {
            match self.disk.remove(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => drop(self.given.pop()),
            }
        }
        self.disk.sync_names()
    }
}
