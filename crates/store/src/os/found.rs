//! Follows what a collector found, in its file of findings, from a place on that the follower writes down.

use std::io;
use std::path::{Path, PathBuf};

use ringfort_audit::finding::Finding;
use serde::{Deserialize, Serialize};

use super::look::{LookError, of, read};
use super::store::{FINDINGS, FINDINGS_BEFORE};
use crate::format::checkpoint::hex;

/// Up to where findings were followed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FoundPlace {
    /// The digest of the file's first line: it tells the file, whatever it is called by now.
    file: String,
    /// How much of it was visited.
    bytes: u64,
}

/// Follows what was found.
#[derive(Debug)]
pub struct FoundFollower {
    store: PathBuf,
    place: FoundPlace,
    unread: u64,
}

impl FoundFollower {
    /// Follows the findings of a store from a place on, or else from the first that its newest file holds.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn new(store: &Path, from: Option<FoundPlace>) -> Result<Self, LookError> {
        if !store.is_dir() {
            let none = io::Error::new(io::ErrorKind::NotFound, "there is no store");
            return Err(of(store)(none));
        }
        Ok(Self { store: store.to_owned(), place: from.unwrap_or_default(), unread: 0 })
    }

    /// Up to where they were followed.
    pub fn place(&self) -> &FoundPlace {
        &self.place
    }

    /// Says how often a line could not be read, or files went before they were read to their end.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Visits what was found since the last look. Gives how much that was.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn look(&mut self, visit: &mut dyn FnMut(Finding)) -> Result<u64, LookError> {
        let newest = read(&self.store.join(FINDINGS))?.unwrap_or_default();
        let Some(name) = named(&newest) else { return Ok(0) };
        if self.place.file != name {
            let count = self.finish(visit)?;
            self.place = FoundPlace { file: name, bytes: 0 };
            return Ok(count + self.lines(&newest, visit));
        }
        Ok(self.lines(&newest, visit))
    }

    /// Visits what is left of the file that was read before a new one was begun.
    fn finish(&mut self, visit: &mut dyn FnMut(Finding)) -> Result<u64, LookError> {
        if self.place.file.is_empty() {
            return Ok(0);
        }
        let before = read(&self.store.join(FINDINGS_BEFORE))?.unwrap_or_default();
        let Some(name) = named(&before) else {
            self.unread += 1;
            return Ok(0);
        };
        if name != self.place.file {
            // A whole file, or more, came and went meanwhile.
            self.unread += 1;
            self.place = FoundPlace { file: name, bytes: 0 };
        }
        Ok(self.lines(&before, visit))
    }

    /// Visits whole lines behind the place, and moves it.
    fn lines(&mut self, bytes: &[u8], visit: &mut dyn FnMut(Finding)) -> u64 {
        let from = usize::try_from(self.place.bytes).unwrap_or(usize::MAX).min(bytes.len());
        let rest = &bytes[from..];
        let end = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let mut count = 0;
        for line in rest[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(finding) => visit(finding),
                Err(_) => self.unread += 1,
            }
            count += 1;
        }
        self.place.bytes = (from + end) as u64;
        count
    }
}

/// Names a file of findings by its first line, if that is whole.
fn named(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some(hex(blake3::hash(&bytes[..end]).as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::FoundFollower;
    use crate::os::store::{FINDINGS, FINDINGS_BEFORE};

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
