//! Follows what a collector found, in its file of findings, from a place on that the follower writes down.

use std::fs::{File, Metadata};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ringfort_audit::finding::Finding;
use serde::{Deserialize, Serialize};

use super::look::{LookError, of};
use super::store::{FINDINGS, FINDINGS_BEFORE};
use super::unjudged::unjudged;
use crate::format::checkpoint::hex;

/// Up to where findings were followed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FoundPlace {
    /// The digest of the file's first line: it tells the file, whatever it is called by now.
    file: String,
    /// How much of it was visited.
    bytes: u64,
    /// How much the collector could not judge by then, ever. Earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unjudged: Option<u64>,
}

/// Follows what was found.
#[derive(Debug)]
pub struct FoundFollower {
    store: PathBuf,
    place: FoundPlace,
    unread: u64,
    /// How much the collector could not judge before that.
    before: u64,
    /// What the newest file looked like when it was read last.
    seen: Option<Looks>,
}

/// A file's number, its length, and when it was written to.
type Looks = (u64, u64, i64, i64);

fn looks(it: &Metadata) -> Looks {
    (it.ino(), it.size(), it.mtime(), it.mtime_nsec())
}

impl FoundFollower {
    /// Follows the findings of a store from a place on, or else from the first that its newest file holds.
    ///
    /// # Errors
    /// There is no such directory, or it does not say how much could not be judged.
    pub fn new(store: &Path, from: Option<FoundPlace>) -> Result<Self, LookError> {
        if !store.is_dir() {
            let none = io::Error::new(io::ErrorKind::NotFound, "there is no store");
            return Err(of(store)(none));
        }
        let (now, from) = (unjudged(store)?, from.unwrap_or_default());
        let before = from.unjudged.unwrap_or(now);
        let place = FoundPlace { unjudged: Some(now), ..from };
        Ok(Self { store: store.to_owned(), place, unread: 0, before, seen: None })
    }

    /// Up to where they were followed.
    pub fn place(&self) -> &FoundPlace {
        &self.place
    }

    /// Says how often a line could not be read, or files went before they were read to their end.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Says how much the collector could not judge since the place that was gone on from.
    pub fn unjudged(&self) -> u64 {
        self.place.unjudged.unwrap_or(0).saturating_sub(self.before)
    }

    /// Visits what was found since the last look. Gives how much that was.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn look(&mut self, visit: &mut dyn FnMut(Finding)) -> Result<u64, LookError> {
        self.place.unjudged = Some(unjudged(&self.store)?);
        let path = self.store.join(FINDINGS);
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(of(&path)(error)),
        };
        // It is looked at many times a second, and mostly nothing was found.
        if self.seen == Some(looks(&metadata)) {
            return Ok(0);
        }
        let Some(mut newest) = open(&path)? else { return Ok(0) };
        let mut count = 0;
        if let Some(name) = named(&mut newest).map_err(of(&path))? {
            if self.place.file != name {
                count += self.finish(visit)?;
                (self.place.file, self.place.bytes) = (name, 0);
            }
            count += self.lines(&mut newest, visit).map_err(of(&path))?;
        }
        self.seen = Some(looks(&metadata));
        Ok(count)
    }

    /// Visits what is left of the file that was read before a new one was begun.
    fn finish(&mut self, visit: &mut dyn FnMut(Finding)) -> Result<u64, LookError> {
        if self.place.file.is_empty() {
            return Ok(0);
        }
        let path = self.store.join(FINDINGS_BEFORE);
        let Some(mut before) = open(&path)? else {
            self.unread += 1;
            return Ok(0);
        };
        let Some(name) = named(&mut before).map_err(of(&path))? else {
            self.unread += 1;
            return Ok(0);
        };
        if name != self.place.file {
            // A whole file, or more, came and went meanwhile.
            self.unread += 1;
            (self.place.file, self.place.bytes) = (name, 0);
        }
        self.lines(&mut before, visit).map_err(of(&path))
    }

    /// Visits whole lines behind the place, and moves it.
    fn lines(&mut self, file: &mut File, visit: &mut dyn FnMut(Finding)) -> io::Result<u64> {
        let from = self.place.bytes.min(file.metadata()?.len());
        let mut rest = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut rest)?;
        let end = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let mut count = 0;
        for line in rest[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(finding) => visit(finding),
                Err(_) => self.unread += 1,
            }
            count += 1;
        }
        self.place.bytes = from + end as u64;
        Ok(count)
    }
}

fn open(path: &Path) -> Result<Option<File>, LookError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(of(path)(error)),
    }
}

/// Names a file of findings by its first line, if that is whole.
fn named(file: &mut File) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    BufReader::new(&*file).read_until(b'\n', &mut line)?;
    let whole = line.strip_suffix(b"\n");
    Ok(whole.map(|line| hex(blake3::hash(line).as_bytes())))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::FoundFollower;
    use crate::os::store::{FINDINGS, FINDINGS_BEFORE, UNJUDGED};

    fn line(number: u32) -> String {
        format!(
            "{{\"detection\":\"detect/exec\",\"severity\":\"high\",\"time\":\"{number}\",\"user\":\"eve\",\"source\":\"\",\
             \"verb\":\"get\",\"object\":\"pods\",\"said\":\"s\"}}\n"
        )
    }

    fn seen(follower: &mut FoundFollower) -> Vec<String> {
        let mut times = Vec::new();
        follower.look(&mut |finding| times.push(finding.time)).unwrap();
        times
    }

    fn write(store: &Path, name: &str, text: &str) {
        fs::write(store.join(name), text).unwrap();
    }

    #[test]
    fn each_finding_is_visited_once_also_over_a_new_file_and_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let store = directory.path();
        let mut follower = FoundFollower::new(store, None).unwrap();
        assert!(seen(&mut follower).is_empty());
        // The end of a line that is being written is not there yet.
        write(store, FINDINGS, &format!("{}{}", line(1), &line(2)[..20]));
        assert_eq!(seen(&mut follower), ["1"]);
        write(store, FINDINGS, &format!("{}{}", line(1), line(2)));
        let mut follower = FoundFollower::new(store, Some(follower.place().clone())).unwrap();
        write(store, FINDINGS_BEFORE, &format!("{}{}{}", line(1), line(2), line(3)));
        write(store, FINDINGS, &line(4));
        assert_eq!(seen(&mut follower), ["2", "3", "4"]);
        assert!(seen(&mut follower).is_empty());
        assert_eq!(follower.unread(), 0);
    }

    /// What could not be judged between two runs is told by the second.
    #[test]
    fn what_could_not_be_judged_is_told_once_also_over_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let store = directory.path();
        let put = |number: u64| write(store, UNJUDGED, &number.to_string());
        put(3);
        let mut follower = FoundFollower::new(store, None).unwrap();
        assert!(seen(&mut follower).is_empty());
        assert_eq!(follower.unjudged(), 0, "it was before anybody followed");
        let restart = |before: &FoundFollower| {
            let kept = serde_json::to_vec(before.place()).unwrap();
            FoundFollower::new(store, Some(serde_json::from_slice(&kept).unwrap())).unwrap()
        };
        put(5);
        let mut follower = restart(&follower);
        put(6);
        assert!(seen(&mut follower).is_empty());
        assert_eq!(follower.unjudged(), 3);
        write(store, FINDINGS, &line(1));
        assert_eq!(seen(&mut follower), ["1"]);
        let mut follower = restart(&follower);
        assert!(seen(&mut follower).is_empty());
        assert_eq!(follower.unjudged(), 0);
        // What an earlier version wrote is understood, and another store begins anew.
        let kept = br#"{"file":"","bytes":0}"#;
        let from = serde_json::from_slice(kept).unwrap();
        assert_eq!(FoundFollower::new(store, Some(from)).unwrap().unjudged(), 0);
        put(1);
        assert_eq!(restart(&follower).unjudged(), 0);
    }

    /// What is at rest is not read, however often somebody looks.
    #[test]
    fn a_file_that_nobody_wrote_to_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let store = directory.path();
        write(store, FINDINGS, &line(1));
        let mut follower = FoundFollower::new(store, None).unwrap();
        assert_eq!(seen(&mut follower), ["1"]);
        let (file, aside) = (store.join(FINDINGS), store.join("aside"));
        // It is another file, and looks the same: whoever reads it sees another finding.
        let written = fs::metadata(&file).unwrap().modified().unwrap();
        let mut open = fs::OpenOptions::new().write(true).open(&file).unwrap();
        std::io::Write::write_all(&mut open, line(2).as_bytes()).unwrap();
        open.set_modified(written).unwrap();
        assert!(seen(&mut follower).is_empty());
        open.set_modified(written + std::time::Duration::from_secs(1)).unwrap();
        assert_eq!(seen(&mut follower), ["2"]);
        fs::rename(&file, aside).unwrap();
        assert!(seen(&mut follower).is_empty(), "there is none");
    }

    #[test]
    fn what_went_before_it_was_visited_and_what_is_none_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        let store = directory.path();
        write(store, FINDINGS, &line(1));
        let mut follower = FoundFollower::new(store, None).unwrap();
        assert_eq!(seen(&mut follower), ["1"]);
        write(store, FINDINGS_BEFORE, &line(5));
        write(store, FINDINGS, &format!("{}none\n", line(6)));
        assert_eq!(seen(&mut follower), ["5", "6"]);
        assert_eq!(follower.unread(), 2);
        assert!(FoundFollower::new(&store.join("none"), None).is_err());
    }
}
