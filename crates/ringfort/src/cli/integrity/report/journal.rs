//! The journal of an agent, followed over its being begun anew. What is gone before it was followed is counted.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ringfort_integrity::journal::Line;
use serde::{Deserialize, Serialize};

/// Up to where a journal was followed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Place {
    /// The number of the last line,
    pub(super) seq: u64,
    /// and when it was written: a journal that was begun anew has smaller numbers, and later times.
    pub(super) at: u64,
}

/// What was written since the last look.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    /// Lines, with their texts.
    pub(super) lines: Vec<(Line, String)>,
    /// What is missing of them.
    pub(super) missed: Option<Missed>,
}

/// Lines that nobody followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Missed {
    /// How many are not there any more,
    pub(super) gone: u64,
    /// how many stand there and cannot be read,
    pub(super) unread: u64,
    /// and behind which line that begins.
    pub(super) after: Place,
}

/// A journal that is followed over its being begun anew.
pub(super) struct Journal {
    directory: PathBuf,
    pub(super) place: Place,
    /// The file that is read, and how much of it was.
    file: Option<u64>,
    offset: u64,
}

impl Journal {
    pub(super) fn new(directory: &Path, place: Place) -> Self {
        Self { directory: directory.to_owned(), place, file: None, offset: 0 }
    }

    /// Gives the lines that were written since the last look.
    pub(super) fn fresh(&mut self) -> io::Result<Fresh> {
        let mut fresh = Fresh::default();
        let Some(newest) = open(&self.directory.join("journal"))? else { return Ok(fresh) };
        let (number, length) = (newest.metadata()?.ino(), newest.metadata()?.size());
        // A number may have gone to another file: no journal grows shorter.
        if self.file != Some(number) || length < self.offset {
            // What was written last before it was begun anew is in the other.
            if let Some(before) = open(&self.directory.join("journal.1"))? {
                let is_it = self.file == Some(before.metadata()?.ino());
                let from = if is_it { self.offset } else { 0 };
                self.read(before, from, &mut fresh)?;
            }
            (self.file, self.offset) = (Some(number), 0);
        }
        let from = self.offset;
        self.offset = self.read(newest, from, &mut fresh)?;
        Ok(fresh)
    }

    /// Reads whole lines from a place on that come behind what was followed, and gives where they end.
    fn read(&mut self, mut file: File, from: u64, fresh: &mut Fresh) -> io::Result<u64> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut bytes)?;
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        // Lines that cannot be read count where those are that nobody followed.
        let (mut is_behind, mut unread) = (from > 0, 0);
        for text in String::from_utf8_lossy(&bytes[..end]).lines() {
            let Ok(line) = serde_json::from_str::<Line>(text) else {
                unread += u64::from(is_behind);
                continue;
            };
            let Place { seq, at } = self.place;
            is_behind = line.seq >= seq || line.at > at;
            if line.seq <= seq && line.at <= at {
                continue;
            }
            let gone = self.between(line.seq).saturating_sub(unread);
            fresh.miss(gone, unread, self.place);
            unread = 0;
            self.place = Place { seq: line.seq, at: line.at.max(at) };
            fresh.lines.push((line, text.to_owned()));
        }
        fresh.miss(0, unread, self.place);
        Ok(from + end as u64)
    }

    /// How many lines were written between the last that was followed and another. Before the first, nobody followed.
    fn between(&self, seq: u64) -> u64 {
        match self.place.seq {
            0 => 0,
            last if seq > last => seq - last - 1,
            // It was begun anew, with the first line.
            _ => seq.saturating_sub(1),
        }
    }
}

impl Fresh {
    fn miss(&mut self, gone: u64, unread: u64, after: Place) {
        if gone + unread > 0 {
            let missed = self.missed.get_or_insert(Missed { gone: 0, unread: 0, after });
            missed.gone += gone;
            missed.unread += unread;
        }
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ringfort_integrity::journal::{Tip, Told};
    use serde_json::json;

    use super::{Journal, Missed, Place};

    fn blind(tip: &mut Tip, from: u64) -> String {
        let told = json!({"from": from, "until": from + 3, "why": "overflow"});
        let told = Told::Blind(serde_json::from_value(told).unwrap());
        tip.append(100 + from, told).1
    }

    fn numbers(journal: &mut Journal) -> Vec<u64> {
        journal.fresh().unwrap().lines.into_iter().map(|(line, _)| line.seq).collect()
    }

    #[test]
    fn a_journal_is_followed_over_restarts_and_over_being_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let (file, before) = (at.join("journal"), at.join("journal.1"));
        let mut journal = Journal::new(at, Place::default());
        assert!(numbers(&mut journal).is_empty(), "there is none yet");
        let mut tip = Tip::default();
        let (one, two, three) = (blind(&mut tip, 1), blind(&mut tip, 2), blind(&mut tip, 3));
        fs::write(&file, format!("{one}{}", &two[..10])).unwrap();
        assert_eq!(numbers(&mut journal), [1], "half a line is none");
        fs::write(&file, format!("{one}{two}")).unwrap();
        assert_eq!(numbers(&mut journal), [2]);
        let noted = serde_json::to_string(&journal.place).unwrap();
        // The third is written, and then the file is begun anew before anybody looks.
        fs::write(&file, format!("{one}{two}{three}")).unwrap();
        fs::rename(&file, &before).unwrap();
        let (four, five) = (blind(&mut tip, 4), blind(&mut tip, 5));
        fs::write(&file, &four).unwrap();
        let mut again = Journal::new(at, serde_json::from_str(&noted).unwrap());
        assert_eq!(numbers(&mut journal), [3, 4]);
        assert_eq!(numbers(&mut again), [3, 4]);
        fs::write(&file, format!("{four}{five}")).unwrap();
        assert_eq!(numbers(&mut again), [5]);
        // A damaged one was set aside: numbers begin anew, and times go on.
        fs::remove_file(&before).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(numbers(&mut again).is_empty());
        fs::write(&file, blind(&mut Tip::default(), 50)).unwrap();
        assert_eq!(numbers(&mut again), [1]);
    }

    #[test]
    fn lines_that_are_gone_or_cannot_be_read_are_counted_once() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let (file, before) = (at.join("journal"), at.join("journal.1"));
        let mut tip = Tip::default();
        let lines: Vec<String> = (1..=9).map(|it| blind(&mut tip, it)).collect();
        // Nobody followed before the first look.
        fs::write(&file, lines[1..3].concat()).unwrap();
        let mut journal = Journal::new(at, Place::default());
        let fresh = journal.fresh().unwrap();
        assert_eq!((fresh.lines.len(), fresh.missed), (2, None));
        let noted = journal.place;
        // The fourth and the fifth rotate away while nobody follows, and the seventh is none any more.
        fs::write(&before, &lines[5]).unwrap();
        fs::remove_file(&file).unwrap();
        fs::write(&file, format!("seven\n{}{}", lines[7], lines[8])).unwrap();
        let mut again = Journal::new(at, noted);
        let fresh = again.fresh().unwrap();
        let numbers: Vec<u64> = fresh.lines.iter().map(|(line, _)| line.seq).collect();
        assert_eq!(numbers, [6, 8, 9]);
        assert_eq!(fresh.missed, Some(Missed { gone: 3, unread: 0, after: noted }));
        assert_eq!(again.fresh().unwrap().missed, None);
        // What follows a line that was followed counts, and what was before it does not.
        fs::write(&file, format!("seven\n{}{}none\n", lines[7], lines[8])).unwrap();
        let missed = again.fresh().unwrap().missed.unwrap();
        assert_eq!((missed.gone, missed.unread, missed.after.seq), (0, 1, 9));
        let restarted = Journal::new(at, again.place).fresh().unwrap().missed;
        assert_eq!(restarted, Some(missed), "the same, which has the same name");
        // A damaged journal was set aside, and the first lines of the new one are gone as well.
        fs::remove_file(&file).unwrap();
        fs::remove_file(&before).unwrap();
        let mut anew = Tip::default();
        let later: Vec<String> = (50..53).map(|it| blind(&mut anew, it)).collect();
        fs::write(&file, &later[2]).unwrap();
        assert_eq!(again.fresh().unwrap().missed.unwrap().gone, 2);
    }
}
