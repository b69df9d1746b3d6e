//! Stores on a disk that loses power and is full whenever chance says so, and what is read of stores that somebody
//! has been at.

mod collect;
mod crash;
mod deliver;
mod lately;
mod office;
mod received;
mod spool;
mod tail;
mod tally;
mod tamper;
mod together;
mod witness;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use ringfort_pki::Ed25519Key;

use super::disk::Disk;
use super::store::{Limits, Store};
use crate::format::entry::{Entry, Kind};
use crate::format::open::{START_BYTES, groups};

/// A generator of fixed seed.
pub(super) struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

#[derive(Clone, Default)]
struct Inode {
    synced: Vec<u8>,
    bytes: Vec<u8>,
}

/// A directory in memory: what is synced is told from what is not, for contents and for names.
struct Simulated {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    synced: BTreeMap<String, usize>,
    /// What was done to names since they were synced.
    done: Vec<BTreeMap<String, usize>>,
    chance: Chance,
    /// The power goes with the step at which this is used up.
    steps: u64,
    /// How many bytes may be held.
    room: usize,
}

#[derive(Clone)]
pub(super) struct Memory(Rc<RefCell<Simulated>>);

const DEAD: &str = "no power";

impl Memory {
    fn new(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(Simulated {
            inodes: Vec::new(),
            names: BTreeMap::new(),
            synced: BTreeMap::new(),
            done: Vec::new(),
            chance: Chance(seed | 1),
            steps: u64::MAX,
            room: usize::MAX,
        })))
    }

    fn set(&self, steps: u64, room: usize) {
        let mut disk = self.0.borrow_mut();
        (disk.steps, disk.room) = (steps, room);
    }

    /// Loses power: of what was not synced something is there, or nothing, or other bytes.
    fn lose_power(&self) {
        let mut disk = self.0.borrow_mut();
        let disk = &mut *disk;
        let at = disk.chance.below(disk.done.len() as u64 + 1) as usize;
        let names = at.checked_sub(1).map_or(&disk.synced, |at| &disk.done[at]).clone();
        for inode in &mut disk.inodes {
            let written = std::mem::replace(&mut inode.bytes, inode.synced.clone());
            let same = written.iter().zip(&inode.synced).take_while(|(a, b)| a == b).count();
            let more = disk.chance.below((written.len() - same) as u64 + 1) as usize;
            match disk.chance.below(4) {
                0 => {}
                1 => inode.bytes = written[..same + more].to_vec(),
                2 if written.len() > same => {
                    // The length is there and the blocks are not.
                    inode.bytes = written[..same + more].to_vec();
                    inode.bytes.resize(written.len(), 0);
                }
                _ => inode.bytes = written,
            }
            // What was synced is there whatever becomes of the rest.
            if inode.bytes.len() < inode.synced.len() {
                inode.bytes = inode.synced.clone();
            }
            inode.synced = inode.bytes.clone();
        }
        disk.names = names.clone();
        disk.synced = names;
        disk.done.clear();
        (disk.steps, disk.room) = (u64::MAX, usize::MAX);
    }

    pub(super) fn file(&self, name: &str) -> Option<Vec<u8>> {
        self.read(name).ok()
    }

    pub(super) fn replace(&self, name: &str, bytes: Option<Vec<u8>>) {
        let mut disk = self.0.borrow_mut();
        match bytes {
            None => drop(disk.names.remove(name)),
            Some(bytes) => {
                disk.inodes.push(Inode { synced: bytes.clone(), bytes });
                let at = disk.inodes.len() - 1;
                disk.names.insert(name.to_owned(), at);
            }
        }
        disk.synced = disk.names.clone();
    }
}

impl Simulated {
    fn step(&mut self) -> io::Result<()> {
        self.steps = self.steps.checked_sub(1).ok_or_else(|| io::Error::other(DEAD))?;
        Ok(())
    }

    fn at(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn make(&mut self, name: &str) -> usize {
        match self.names.get(name) {
            Some(at) => *at,
            None => {
                self.inodes.push(Inode::default());
                self.names.insert(name.to_owned(), self.inodes.len() - 1);
                self.done.push(self.names.clone());
                self.inodes.len() - 1
            }
        }
    }

    fn held(&self) -> usize {
        self.names.values().map(|at| self.inodes[*at].bytes.len()).sum()
    }
}

impl Disk for Memory {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.borrow().names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let disk = self.0.borrow();
        Ok(disk.inodes[disk.at(name)?].bytes.clone())
    }

    fn write_at(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        let died = disk.step().is_err();
        let free = disk.room.saturating_sub(disk.held());
        // A write that fails may have done a part of its work.
        let mut count = bytes.len().min(free);
        if died {
            count = disk.chance.below(count as u64 + 1) as usize;
        }
        let inode = disk.make(name);
        let file = &mut disk.inodes[inode].bytes;
        let end = at as usize + count;
        file.resize(file.len().max(end), 0);
        file[at as usize..end].copy_from_slice(&bytes[..count]);
        match (died, count == bytes.len()) {
            (true, _) => Err(io::Error::other(DEAD)),
            (false, true) => Ok(()),
            (false, false) => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn cut(&mut self, name: &str, length: u64) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        disk.step()?;
        let inode = disk.make(name);
        disk.inodes[inode].bytes.truncate(length as usize);
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        disk.step()?;
        let inode = disk.at(name)?;
        let inode = &mut disk.inodes[inode];
        inode.synced = inode.bytes.clone();
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        disk.step()?;
        let inode = disk.at(from)?;
        disk.names.remove(from);
        disk.names.insert(to.to_owned(), inode);
        let names = disk.names.clone();
        disk.done.push(names);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        disk.step()?;
        disk.at(name)?;
        disk.names.remove(name);
        let names = disk.names.clone();
        disk.done.push(names);
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        disk.step()?;
        disk.synced = disk.names.clone();
        disk.done.clear();
        Ok(())
    }
}

pub(super) fn event(number: u64) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"ResponseComplete","verb":"get","user":{{"username":"u{}"}},"objectRef":{{"resource":"pods","namespace":"web","name":"p{number}"}},"requestReceivedTimestamp":"2026-01-05T10:00:00.{number:06}Z"}}"#,
        number % 5
    )
}

fn append(
    store: &mut Store<Memory>,
    numbers: std::ops::Range<u64>,
    seconds: i64,
) -> io::Result<()> {
    let texts: Vec<String> = numbers.clone().map(event).collect();
    let entries: Vec<Entry<'_>> = texts
        .iter()
        .map(|text| Entry { source: "a", time: 7, kind: Kind::Event, text: text.as_bytes() })
        .collect();
    let cursors = numbers.end.to_string();
    store.append(&entries, cursors.as_bytes(), seconds).map_err(|error| error.0)
}

/// Gives the texts of everything that is stored.
fn stored(disk: &Memory) -> Vec<String> {
    let names = disk.names().unwrap();
    let mut found = Vec::new();
    let mut add = |block: &[u8]| {
        let entries = crate::format::entry::entries(block).unwrap();
        found.extend(entries.iter().map(|it| String::from_utf8(it.text.to_vec()).unwrap()));
    };
    let sealed = super::look::sealed(&names);
    for number in &sealed {
        let file = disk.file(&super::store::name(*number, "seg")).unwrap();
        let table = crate::format::sealed::Table::of(&file).unwrap();
        for block in &table.blocks {
            add(&crate::format::sealed::unpacked(&file, block).unwrap());
        }
    }
    for number in super::store::numbers(&names, "open") {
        if !sealed.contains(&number) {
            let file = disk.file(&super::store::name(number, "open")).unwrap();
            groups(&file, START_BYTES, &mut |group| add(&group.block().unwrap()));
        }
    }
    found
}

fn verified(disk: &Memory, key: &str) -> crate::format::verify::Report {
    let at = tempfile::tempdir().unwrap();
    for name in disk.names().unwrap() {
        std::fs::write(at.path().join(&name), disk.file(&name).unwrap()).unwrap();
    }
    let key = Ed25519Key::read(key).unwrap().public();
    super::look::verify(at.path(), key, &[]).unwrap()
}

const ALL: Limits =
    Limits { seal_bytes: 4_000, seal_seconds: 50, keep_bytes: u64::MAX, keep_seconds: i64::MAX };
