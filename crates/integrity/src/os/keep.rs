//! What an agent keeps on its machine: the journal, what it knew last, the highest number of a baseline that
//! it has seen, and how it goes.

mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ringfort_model::digest::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::agent::RepairStatus;
use crate::change::{Blind, Unknown};
use crate::journal::{self, Compared, Line, Read, Tip, Told};
use crate::path::FilePath;
use crate::protected::Class;
use crate::watch::{Known, Open};
use lines::Lines;

/// A journal that is larger is begun anew; the one before it is kept, and no older one.
const MOST_BYTES: u64 = 32 << 20;
/// So much is held while it cannot be written; then nothing more is looked at, and what is heard waits.
const MOST_HELD_BYTES: usize = 16 << 20;
/// How an agent goes takes whole pieces of this: what is written over an older one takes no room that is not there.
const PIECE_BYTES: usize = 16 << 10;

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
    /// How many paths are protected only since something that runs names them.
    #[serde(default)]
    pub named: u64,
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
    /// What of what it hears cannot be written down now, and why. It is held in memory, and hearing goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwritten: Option<String>,
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
    lines: Lines<File>,
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
    /// What components named.
    pub named: NamedBefore,
}

/// What components named before.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NamedBefore {
    /// Paths, by the names of the components that were ever seen, each as the strictest that it was named as.
    pub paths: BTreeMap<String, BTreeMap<FilePath, Class>>,
    /// Of these, whose paths of the first sight are not all told: that they began to name them nobody knows.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub first: BTreeSet<String>,
    /// Directories that were listed since: what comes to them later is new.
    pub listed: BTreeSet<FilePath>,
    /// Whether what was named before this is lost: nothing is taken as it is then.
    pub is_lost: bool,
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
        let lost = NamedBefore { is_lost: true, ..NamedBefore::default() };
        kept.named = read_named(directory).unwrap_or(lost);
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
        let lines = Lines::new(journal, good);
        Ok((Self { directory, lines, tip, _lock: lock }, kept))
    }

    /// Appends a line; it is on the disk after [`Keep::sync`], and held until then.
    pub fn append(&mut self, at: u64, told: Told) -> (Line, String) {
        let (line, text) = self.tip.append(at, told);
        self.lines.push(&text);
        (line, text)
    }

    /// Waits until what was appended is on the disk.
    ///
    /// # Errors
    /// It is not, and is held.
    pub fn sync(&mut self) -> io::Result<()> {
        self.lines.sync()?;
        if self.lines.synced() > MOST_BYTES { self.begin_anew() } else { Ok(()) }
    }

    /// Says whether more can be told: no more is held than memory has room for.
    pub fn has_room(&self) -> bool {
        self.lines.held_bytes() < MOST_HELD_BYTES
    }

    /// Begins the journal anew. Wherever that ends, it goes on from there the next time, or is read as it is.
    fn begin_anew(&mut self) -> io::Result<()> {
        let at = |name: &str| self.directory.join(name);
        drop(private().truncate(true).open(at("journal.new"))?);
        let next = private().append(true).open(at("journal.new"))?;
        match fs::rename(at("journal"), at("journal.1")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(at("journal.new"), at("journal"))?;
        self.lines = Lines::new(next, 0);
        sync_directory(&self.directory)
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
        // Where nothing is to be written, it does not matter that nothing can be.
        if self.counter().is_ok_and(|known| known == number && number > 0) {
            return Ok(());
        }
        self.replace("counter", format!("{number}\n").as_bytes())
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

    /// Writes rows, each on a line, behind the number of the journal's line up to which they have everything, and
    /// before a line that says how many they are.
    fn rows<T: Serialize>(&self, name: &str, rows: impl Iterator<Item = T>) -> io::Result<()> {
        self.put(name, |file| {
            let (mut file, mut count) = (BufWriter::new(file), 0_u64);
            writeln!(file, "{} {FORM}", self.tip.seq)?;
            for row in rows {
                serde_json::to_writer(&mut file, &row)?;
                file.write_all(b"\n")?;
                count += 1;
            }
            writeln!(file, "{END}{count}")?;
            file.flush()
        })
    }

    /// Writes down what was told of files of packages.
    pub fn compared(&self, told: &ComparedFiles) -> io::Result<()> {
        self.replace("compared", &serde_json::to_vec(told)?)
    }

    /// Writes down what components ever named.
    pub fn named(&self, named: &NamedBefore) -> io::Result<()> {
        self.replace("named", &serde_json::to_vec(named)?)
    }

    /// Writes down how the agent goes. That it outlasts a crash is not waited for. On a full disk it is written over what
    /// is there, which takes no room.
    pub fn tell(&self, status: &Status) -> io::Result<()> {
        let (own, aside) = (self.directory.join("status.json"), self.directory.join("status.new"));
        let mut bytes = serde_json::to_vec(status)?;
        // Blanks after an object are nothing.
        bytes.resize(bytes.len().next_multiple_of(PIECE_BYTES), b'\n');
        let put = || {
            private().truncate(true).open(&aside)?.write_all(&bytes)?;
            fs::rename(&aside, &own)
        };
        put().or_else(|_| {
            let _ = fs::remove_file(&aside);
            write_over(&own, &bytes)
        })
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(name, |mut file| file.write_all(bytes))
    }

    /// Puts a file in place whole and for good, or leaves the one that is there.
    fn put(&self, name: &str, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        let aside = self.directory.join(format!("{name}.new"));
        let put = || {
            let file = private().truncate(true).open(&aside)?;
            write(&file)?;
            file.sync_all()?;
            fs::rename(&aside, self.directory.join(name))?;
            sync_directory(&self.directory)
        };
        // What is half written takes room where there is none.
        put().inspect_err(|_| drop(fs::remove_file(&aside)))
    }
}

/// Writes over what a file holds, or leaves it: what is longer finds room first. Whoever reads it meanwhile may read
/// neither of both.
fn write_over(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    let length = file.metadata()?.len();
    let head = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
    if let Err(error) = file.write_all_at(&bytes[head..], head as u64) {
        file.set_len(length)?;
        return Err(error);
    }
    file.write_all_at(&bytes[..head], 0)?;
    file.set_len(bytes.len() as u64)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
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
    let read = || serde_json::from_slice(&fs::read(directory.join("status.json")).ok()?).ok();
    // On a full disk it may have been read while it was written over.
    read().or_else(read)
}

fn read_named(directory: &Path) -> io::Result<NamedBefore> {
    match fs::read(directory.join("named")) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        // No agent has written it yet, unless one that writes it has written what it knows.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_newest(directory) => {
            Ok(NamedBefore::default())
        }
        Err(error) => Err(error),
    }
}

/// Whether what is known was written in the newest form.
fn is_newest(directory: &Path) -> bool {
    let first = File::open(directory.join("known")).ok().map(|file| BufReader::new(file).lines());
    let first = first.and_then(|mut lines| lines.next()?.ok()).unwrap_or_default();
    let form = first.split_once(' ').and_then(|(_, form)| form.parse::<u32>().ok());
    form.is_some_and(|form| form >= FORM)
}

/// What is known, with the number of the journal's line up to which it has everything, and whether it is older than
/// this form.
type AllKnown = (u64, bool, BTreeMap<FilePath, Known>);

fn known(directory: &Path) -> Result<AllKnown, String> {
    let path = directory.join("known");
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let (seq, form, rows) = read_rows::<Row>(&path).map_err(|error| said(&error))?;
    let known = rows.into_iter().map(|row| (row.path, row.known)).collect();
    Ok((seq, form < WITH_CAPABILITIES, known))
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

/// The form of what is written row by row: the first one had no number, and no capabilities of files; the second did
/// not say at its end how many rows it has.
const FORM: u32 = 3;
const WITH_CAPABILITIES: u32 = 2;
/// What the last line begins with.
const END: &str = "end ";

fn read_rows<T: DeserializeOwned>(path: &Path) -> io::Result<(u64, u32, Vec<T>)> {
    let mut lines = BufReader::new(File::open(path)?).lines();
    let first = lines.next().ok_or_else(|| io::Error::other("it is empty"))??;
    let (seq, form) = first.split_once(' ').unwrap_or((first.as_str(), "1"));
    let seq: u64 = seq.parse().map_err(io::Error::other)?;
    let form: u32 = form.parse().map_err(io::Error::other)?;
    let (mut rows, mut end) = (Vec::new(), None);
    for line in lines {
        let line = line?;
        match line.strip_prefix(END) {
            Some(count) => end = count.parse::<usize>().ok(),
            None => rows.push(serde_json::from_str(&line).map_err(io::Error::other)?),
        }
    }
    // What is left of a first line looks like the one of the first form.
    let is_stump = form < WITH_CAPABILITIES && rows.is_empty();
    if is_stump || (form >= FORM && end != Some(rows.len())) {
        return Err(io::Error::other("it is cut off"));
    }
    Ok((seq, form, rows))
}

#[cfg(test)]
#[path = "keep/tests.rs"]
mod tests;
