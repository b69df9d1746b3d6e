//! What an agent keeps on its machine: the journal, what it knew last, the highest number of a baseline that
//! it has seen, and how it goes.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ringfort_model::digest::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::agent::RepairStatus;
use crate::change::{Blind, Unknown};
use crate::journal::{self, Compared, Line, Read, Tip, Told};
use crate::path::FilePath;
use crate::watch::{Known, Open};

/// A journal that is larger is begun anew; the one before it is kept, and no older one.
const MOST_BYTES: u64 = 32 << 20;

/// How an agent goes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The version of this form.
    pub version: u32,
    /// The machine.
    pub node: String,
    /// When this was written, in seconds since 1970: each second, while the agent goes on.
    pub at: u64,
    /// When the agent began.
    pub began: u64,
    /// The number of its baseline.
    pub baseline: u64,
    /// Digest of what that says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_digest: Option<Digest>,
    /// Digest of the key that it believes, as it was when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_digest: Option<Digest>,
    /// Why a baseline that lies there is not believed; what was believed before still counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Up to this number steps of ringfort's own explain nothing any more, also when the agent begins anew.
    #[serde(default)]
    pub steps: u64,
    /// How many paths the baseline names.
    pub protected: u64,
    /// How many paths are watched, with what lies in protected directories.
    pub watched: u64,
    /// How many containers' roots are held against their images.
    #[serde(default)]
    pub containers: u64,
    /// How putting files back goes; absent where that is left to `ringfort up`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<RepairStatus>,
    /// When everything was last looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<u64>,
    /// What could not be compared then, the first few.
    pub unknown: Vec<Unknown>,
    /// How many could not be.
    pub unknown_count: u64,
    /// When files were last compared with their packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<u64>,
    /// What that came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Compared>,
    /// When changes may have been missed, the last few.
    pub blind: Vec<Blind>,
    /// Since when changes may be missed, where not everything was looked at since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind_since: Option<u64>,
    /// Ids of changes that nothing explains so far, the last few.
    pub unexplained: Vec<String>,
    /// Of those that are drift which other containers of the same image may have as well: what that is known by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drifts: BTreeMap<String, String>,
    /// How many there are.
    pub unexplained_count: u64,
    /// How many changes were told since the agent began.
    pub changes: u64,
    /// What the agent does not see on this machine.
    pub limits: Vec<String>,
    /// How many file systems tell of changes directory by directory, since they cannot be heard of as a whole:
    /// a file that is changed there through a name elsewhere is heard of only while it has a mark of its own.
    pub narrow: u64,
    /// How often the kernel asked whether a program may be run.
    pub asked: u64,
    /// How long an answer took in the mean, in microseconds.
    pub answer_microseconds: u64,
    /// How long one took at most.
    pub longest_answer_microseconds: u64,
    /// The number of the journal's last line.
    pub seq: u64,
    /// Its digest: whoever keeps it sees that the end was cut off.
    pub tip: String,
}

/// An agent's directory, held by one agent.
#[derive(Debug)]
pub(super) struct Keep {
    directory: PathBuf,
    journal: File,
    bytes: u64,
    pub tip: Tip,
    _lock: File,
}

/// What was kept before.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub known: BTreeMap<FilePath, Known>,
    /// The number of the journal's line up to which `known` has everything.
    pub seq: u64,
    /// Whether what is known was seen without its capabilities.
    pub is_older: bool,
    /// What nothing explained by then.
    pub open: Vec<Open>,
    /// Why what was known is not known any more.
    pub lost: Option<String>,
    /// Why what nothing explained is not known any more, but for what the journal still has of it.
    pub lost_open: Option<String>,
    pub lines: Vec<Line>,
    pub broken: Option<String>,
    pub status: Option<Status>,
    pub compared: Option<ComparedFiles>,
}

/// What was told of files that are not as their packages brought them.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct ComparedFiles {
    /// When they were compared.
    pub at: u64,
    /// In what they differ, by their paths.
    pub told: BTreeMap<FilePath, String>,
}

#[derive(Deserialize, Serialize)]
struct Row {
    path: FilePath,
    #[serde(flatten)]
    known: Known,
}

impl Keep {
    /// Opens the directory, which no other agent holds, and reads what was kept.
    pub fn open(directory: &Path) -> io::Result<(Self, Kept)> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let lock = private().read(true).open(directory.join("lock"))?;
        lock.try_lock().map_err(|_| io::Error::other("another agent holds it"))?;
        let (read, mut kept) = (read_journals(directory)?, Kept::default());
        let path = directory.join("journal");
        let mut journal = private().append(true).open(&path)?;
        let before = fs::metadata(directory.join("journal.1")).map_or(0, |about| about.len());
        let mut good = (read.good_bytes as u64).saturating_sub(before);
        match &read.broken {
            None => {}
            // What was torn was never told to anybody.
            Some(journal::Broken::Torn) => {
                journal.set_len(good)?;
                journal.sync_all()?;
            }
            Some(broken) => {
                kept.broken = Some(format!("{broken}: it is kept as journal.damaged beside it"));
                set_aside(directory)?;
                journal = private().append(true).open(&path)?;
                good = 0;
            }
        }
        kept.lines = read.lines;
        let has_looked = kept.lines.iter().any(|it| matches!(it.told, Told::Verified { .. }));
        let has_begun = directory.join("counter").exists() && kept.lines.is_empty();
        let is_later = has_looked || has_begun || kept.broken.is_some();
        kept.status = status(directory);
        let compared = fs::read(directory.join("compared")).ok();
        kept.compared = compared.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match known(directory) {
            Ok(found) => (kept.seq, kept.is_older, kept.known) = found,
            // Before the first look at everything nothing is known yet.
            Err(why) => kept.lost = is_later.then_some(why),
        }
        match read_open(directory) {
            Ok(found) => kept.open = found,
            Err(why) => kept.lost_open = Some(why),
        }
        let (directory, tip) = (directory.to_owned(), read.tip);
        Ok((Self { directory, journal, bytes: good, tip, _lock: lock }, kept))
    }

    /// Appends a line; it is on the disk after [`Keep::sync`].
    pub fn append(&mut self, at: u64, told: Told) -> io::Result<(Line, String)> {
        if self.bytes > MOST_BYTES {
            self.journal.sync_data()?;
            let path = self.directory.join("journal");
            fs::rename(&path, self.directory.join("journal.1"))?;
            self.journal = private().append(true).open(&path)?;
            self.bytes = 0;
        }
        let (line, text) = self.tip.append(at, told);
        self.journal.write_all(text.as_bytes())?;
        self.bytes += text.len() as u64;
        Ok((line, text))
    }

    /// Waits until what was appended is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.journal.sync_data()
    }

    /// Gives the highest number of a baseline that was seen.
    pub fn counter(&self) -> io::Result<u64> {
        match fs::read_to_string(self.directory.join("counter")) {
            Ok(text) => text.trim().parse().map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Writes down the highest number of a baseline that was seen.
    pub fn count(&self, number: u64) -> io::Result<()> {
        self.replace("counter", format!("{number}\n").as_bytes(), Durable::Yes)
    }

    /// Writes down what is known, and what nothing explains so far: the journal begins anew some time.
    pub fn know<'o>(
        &self,
        known: &BTreeMap<FilePath, Known>,
        open: impl Iterator<Item = &'o Open>,
    ) -> io::Result<()> {
        self.rows("open", open)?;
        let row =
            |(path, known): (&FilePath, &Known)| Row { path: path.clone(), known: known.clone() };
        self.rows("known", known.iter().map(row))
    }

    /// Writes rows, each on a line, behind the number of the journal's line up to which they have everything.
    fn rows<T: Serialize>(&self, name: &str, rows: impl Iterator<Item = T>) -> io::Result<()> {
        let aside = self.directory.join(format!("{name}.new"));
        let mut file = BufWriter::new(private().truncate(true).open(&aside)?);
        writeln!(file, "{} {FORM}", self.tip.seq)?;
        for row in rows {
            serde_json::to_writer(&mut file, &row)?;
            file.write_all(b"\n")?;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(aside, self.directory.join(name))
    }

    /// Writes down what was told of files of packages.
    pub fn compared(&self, told: &ComparedFiles) -> io::Result<()> {
        self.replace("compared", &serde_json::to_vec(told)?, Durable::Yes)
    }

    /// Writes down how the agent goes.
    pub fn tell(&self, status: &Status) -> io::Result<()> {
        self.replace("status.json", &serde_json::to_vec(status)?, Durable::No)
    }

    fn replace(&self, name: &str, bytes: &[u8], durable: Durable) -> io::Result<()> {
        let aside = self.directory.join(format!("{name}.new"));
        let mut file = private().truncate(true).open(&aside)?;
        file.write_all(bytes)?;
        if durable == Durable::Yes {
            file.sync_all()?;
        }
        fs::rename(aside, self.directory.join(name))
    }
}

/// Keeps a damaged journal aside: what follows begins anew.
fn set_aside(directory: &Path) -> io::Result<()> {
    for name in ["journal.1", "journal"] {
        let aside = directory.join(format!("{name}.damaged"));
        match fs::rename(directory.join(name), aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Durable {
    Yes,
    No,
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// Reads the journals of a directory as one; none are an empty one.
///
/// # Errors
/// They are there and cannot be read.
pub fn read_journals(directory: &Path) -> io::Result<Read> {
    let text = |name: &str| match fs::read(directory.join(name)) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let (older, newer) = (text("journal.1")?, text("journal")?);
    let first = Tip::default();
    let after = (older.is_empty() && is_first(&newer)).then_some(&first);
    let all = String::from_utf8_lossy(&[older, newer].concat()).into_owned();
    Ok(journal::read(&all, after))
}

/// Says whether a journal begins with the first line of all.
fn is_first(journal: &[u8]) -> bool {
    journal.is_empty() || journal.starts_with(b"{\"version\":1,\"seq\":1,")
}

/// Reads how an agent goes; none where it has not said so.
pub fn status(directory: &Path) -> Option<Status> {
    serde_json::from_slice(&fs::read(directory.join("status.json")).ok()?).ok()
}

/// What is known, with the number of the journal's line up to which it has everything, and whether it is older than
/// this form.
type AllKnown = (u64, bool, BTreeMap<FilePath, Known>);

fn known(directory: &Path) -> Result<AllKnown, String> {
    let path = directory.join("known");
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let (seq, form, rows) = read_rows::<Row>(&path).map_err(|error| said(&error))?;
    let known = rows.into_iter().map(|row| (row.path, row.known)).collect();
    Ok((seq, form < FORM, known))
}

/// Reads what nothing explained when that was last written down.
///
/// # Errors
/// It is there and cannot be read.
pub fn read_open(directory: &Path) -> Result<Vec<Open>, String> {
    let path = directory.join("open");
    match read_rows(&path) {
        Ok((.., rows)) => Ok(rows),
        // An older agent kept it in its journal alone.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!(
            "{}: {error}: changes that nothing explained are lost where the journal does not have them any more: \
             ringfort integrity verify tells what is still not as it should be",
            path.display()
        )),
    }
}

/// The form of what is written row by row: the first one had no number, and no capabilities of files.
const FORM: u32 = 2;

fn read_rows<T: DeserializeOwned>(path: &Path) -> io::Result<(u64, u32, Vec<T>)> {
    let mut lines = BufReader::new(File::open(path)?).lines();
    let first = lines.next().ok_or_else(|| io::Error::other("it is empty"))??;
    let (seq, form) = first.split_once(' ').unwrap_or((first.as_str(), "1"));
    let seq: u64 = seq.parse().map_err(io::Error::other)?;
    let form: u32 = form.parse().map_err(io::Error::other)?;
    let rows = lines.map(|line| serde_json::from_str(&line?).map_err(io::Error::other));
    Ok((seq, form, rows.collect::<io::Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn open(directory: &Path) -> (Keep, Kept) {
        Keep::open(directory).unwrap()
    }

    fn add(keep: &mut Keep, number: u64) {
        keep.append(7, Told::Baseline { number }).unwrap();
    }

    #[test]
    fn a_torn_line_is_cut_off_and_the_chain_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let (mut keep, _) = open(directory.path());
        (1..=3).for_each(|number| add(&mut keep, number));
        assert!(Keep::open(directory.path()).is_err(), "another agent holds it");
        drop(keep);
        let path = directory.path().join("journal");
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 3]).unwrap();
        let (mut keep, kept) = open(directory.path());
        assert_eq!((kept.lines.len(), kept.broken), (2, None));
        add(&mut keep, 9);
        let read = read_journals(directory.path()).unwrap();
        assert_eq!((read.lines.len(), read.broken), (3, None));
    }

    #[test]
    fn a_damaged_journal_is_kept_aside_and_told() {
        let directory = tempfile::tempdir().unwrap();
        let (mut keep, _) = open(directory.path());
        (1..=3).for_each(|number| add(&mut keep, number));
        drop(keep);
        let path = directory.path().join("journal");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("\"number\":2", "\"number\":8", 1)).unwrap();
        let (mut keep, kept) = open(directory.path());
        let why = kept.broken.unwrap();
        assert!(why.contains("line 3") && why.contains("journal.damaged"), "{why}");
        assert!(directory.path().join("journal.damaged").exists());
        add(&mut keep, 9);
        let read = read_journals(directory.path()).unwrap();
        assert_eq!((read.lines.len(), read.broken), (1, None));
    }

    #[test]
    fn what_was_known_is_lost_only_where_something_was() {
        let directory = tempfile::tempdir().unwrap();
        let lost = || open(directory.path()).1.lost;
        assert_eq!(lost(), None, "an agent begins for the first time");
        let (mut keep, _) = open(directory.path());
        keep.count(1).unwrap();
        add(&mut keep, 1);
        drop(keep);
        assert_eq!(lost(), None, "it ended before it had looked at everything");
        let (mut keep, _) = open(directory.path());
        let told = Told::Verified { paths: 1, unknown: Vec::new(), unknown_count: 0 };
        keep.append(7, told).unwrap();
        keep.know(&BTreeMap::new(), std::iter::empty()).unwrap();
        drop(keep);
        assert_eq!(lost(), None);
        for harm in ["", "x\n", "1 2\n{\n"] {
            fs::write(directory.path().join("known"), harm).unwrap();
            assert!(lost().is_some_and(|why| why.contains("known")), "{harm:?}");
        }
        fs::remove_file(directory.path().join("known")).unwrap();
        assert!(lost().is_some());
        // With its journal it is lost as well.
        fs::remove_file(directory.path().join("journal")).unwrap();
        assert!(lost().is_some());
    }

    #[test]
    fn what_is_known_is_read_as_it_was_written_and_damage_is_nothing_known() {
        let directory = tempfile::tempdir().unwrap();
        let (mut keep, kept) = open(directory.path());
        assert_eq!((kept.seq, kept.known.len()), (0, 0));
        add(&mut keep, 1);
        let known = Known { state: None, is_wrong: true, is_unseen: false };
        let all = BTreeMap::from([("/a\\x0a".parse().unwrap(), known)]);
        let row = json!({"at": 5, "change": {
            "id": "a", "path": "/a", "class": "exact", "severity": "high", "differences": [],
            "isRight": false, "who": {"unknown": "x"}, "why": "unexplained",
        }});
        let one: Open = serde_json::from_value(row).unwrap();
        keep.know(&all, std::iter::once(&one)).unwrap();
        keep.count(4).unwrap();
        drop(keep);
        let (keep, kept) = open(directory.path());
        assert_eq!((kept.seq, kept.known, keep.counter().unwrap()), (1, all, 4));
        assert_eq!((kept.open, kept.lost, kept.is_older), (vec![one], None, false));
        assert_eq!(kept.lost_open, None);
        drop(keep);
        // What is open is lost by itself, and what to do about it is said.
        fs::write(directory.path().join("open"), "1 2\n{").unwrap();
        let damaged = open(directory.path()).1;
        let why = damaged.lost_open.unwrap();
        assert!(why.contains("nothing explained") && why.contains("integrity verify"), "{why}");
        assert_eq!((damaged.open, damaged.lost, damaged.known.len()), (Vec::new(), None, 1));
        fs::write(directory.path().join("known"), "1\n{\"path\":\"/a\"}\n").unwrap();
        let older = open(directory.path()).1;
        assert_eq!((older.known.len(), older.is_older), (1, true));
        fs::write(directory.path().join("known"), "1\n{").unwrap();
        assert_eq!(open(directory.path()).1.known.len(), 0);
        fs::write(directory.path().join("counter"), "many").unwrap();
        assert!(open(directory.path()).0.counter().is_err(), "a damaged number believes nothing");
    }
}
