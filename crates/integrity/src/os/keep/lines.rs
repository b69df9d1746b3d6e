//! Lines on their way to the disk: each is held in memory until it is there for certain, so that a disk that is full
//! or does not answer loses none.

use std::fs::File;
use std::io::{self, Write as _};

/// What lines are written on.
pub(super) trait Paper {
    /// Writes at its end; where that fails some of it may be there.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Takes away what comes after so many bytes.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;
    /// Waits until all of it outlasts a crash.
    fn sync(&mut self) -> io::Result<()>;
}

impl Paper for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A journal's file, and what is not on the disk yet.
#[derive(Debug)]
pub(super) struct Lines<P> {
    paper: P,
    /// How many bytes are on the disk for certain.
    synced: u64,
    held: String,
    written: Written,
}

/// Whether what is held is on the paper.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Written {
    /// All of it, so that only a crash of the whole machine can take it away.
    Whole,
    /// Nobody knows how much.
    Torn,
}

impl<P: Paper> Lines<P> {
    /// Goes on with a file of which so many bytes are on the disk.
    pub(super) fn new(paper: P, synced: u64) -> Self {
        Self { paper, synced, held: String::new(), written: Written::Whole }
    }

    /// Takes a line, and writes it if that can be done now.
    pub(super) fn push(&mut self, line: &str) {
        self.held.push_str(line);
        if self.written == Written::Whole && self.paper.write(line.as_bytes()).is_err() {
            self.written = Written::Torn;
        }
    }

    /// Waits until every line that was taken is on the disk; what could not be written before is written now.
    ///
    /// # Errors
    /// Something is not, and is held.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.held.is_empty() && self.written == Written::Whole {
            return Ok(());
        }
        let done = match self.written {
            Written::Whole => Ok(()),
            Written::Torn => {
                self.paper.cut(self.synced).and_then(|()| self.paper.write(self.held.as_bytes()))
            }
        };
        // After a sync that failed nobody knows what is there either.
        self.written = Written::Torn;
        done.and_then(|()| self.paper.sync())?;
        self.written = Written::Whole;
        self.synced += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }

    /// How much is not on the disk for certain.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// How many bytes are on the disk for certain.
    pub(super) fn synced(&self) -> u64 {
        self.synced
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Broken, Tip, Told, read};

    /// Fails at some of what it is asked for; of a write that fails half is there.
    #[derive(Debug)]
    struct Fake {
        text: Vec<u8>,
        asked: usize,
        fails: std::ops::Range<usize>,
    }

    impl Fake {
        fn fails(&mut self) -> bool {
            self.asked += 1;
            self.fails.contains(&(self.asked - 1))
        }
    }

    impl Paper for Fake {
        fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
            let fails = self.fails();
            let count = if fails { bytes.len() / 2 } else { bytes.len() };
            self.text.extend_from_slice(&bytes[..count]);
            if fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }

        fn cut(&mut self, bytes: u64) -> io::Result<()> {
            if self.fails() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.text.truncate(usize::try_from(bytes).unwrap());
            Ok(())
        }

        fn sync(&mut self) -> io::Result<()> {
            if self.fails() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
    }

    /// Tells nine lines, three between syncs, on a paper that fails so; gives it, and how much was acknowledged when.
    fn told(fails: std::ops::Range<usize>) -> (Lines<Fake>, Vec<(usize, usize)>) {
        let mut lines = Lines::new(Fake { text: Vec::new(), asked: 0, fails }, 0);
        let (mut tip, mut acknowledged) = (Tip::default(), Vec::new());
        for number in 1..=9 {
            lines.push(&tip.append(number, Told::Baseline { number }).1);
            if number % 3 == 0 && lines.sync().is_ok() {
                acknowledged.push((lines.paper.text.len(), usize::try_from(number).unwrap()));
            }
        }
        (lines, acknowledged)
    }

    fn from_first(bytes: &[u8]) -> crate::journal::Read {
        read(std::str::from_utf8(bytes).unwrap(), Some(&Tip::default()))
    }

    #[test]
    fn wherever_it_fails_no_line_is_lost_once_it_can_be_written() {
        for first in 0..14 {
            for length in 1..14 {
                let (mut lines, acknowledged) = told(first..first + length);
                // What was said to be there is, whatever failed later, and no more than a line is torn.
                let found = from_first(&lines.paper.text);
                let least = acknowledged.last().map_or(0, |(_, count)| *count);
                assert!(found.lines.len() >= least, "{first} {length}");
                lines.paper.fails = 0..0;
                lines.sync().unwrap();
                let found = from_first(&lines.paper.text);
                assert_eq!((found.lines.len(), found.broken), (9, None), "{first} {length}");
                assert_eq!(
                    (lines.held_bytes(), lines.synced()),
                    (0, lines.paper.text.len() as u64)
                );
            }
        }
    }

    #[test]
    fn wherever_a_crash_cuts_what_was_acknowledged_is_read() {
        let (lines, acknowledged) = told(0..0);
        for cut in 0..=lines.paper.text.len() {
            let found = from_first(&lines.paper.text[..cut]);
            let least = acknowledged.iter().rfind(|(bytes, _)| *bytes <= cut);
            assert!(found.lines.len() >= least.map_or(0, |(_, count)| *count), "{cut}");
            assert!(matches!(found.broken, None | Some(Broken::Torn)), "{cut}: {:?}", found.broken);
        }
    }
}
