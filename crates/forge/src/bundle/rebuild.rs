//! Builds what is in a bundle again from its modules, and compares the digests with the lock.
//!
//! Never here: a program that was finished before, or a verdict on one that could not be built.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use ringfort_model::bundle::{BundleLock, Entry, EntryKind, LOCK_FILE, Source};
use ringfort_model::causes::with_causes;
use ringfort_model::digest::Digest;

use super::assembly::{Added, Assembly, AssemblyError, SBOM_FILE, entry};
use super::build::{BuildError, Order, Progress, Sourcing, bundle_recipe, hold, release, shipped};
use super::compiler::Compiler;
use super::directory::Bundle;
use super::files::{make_directory, remove};
use super::pins::{Program, Release};
use super::shelf::{MakeError, Maker, Shelf};

/// What is to be built again.
#[derive(Clone, Copy, Debug)]
pub struct Rebuild<'a> {
    /// The bundle.
    pub bundle: &'a Bundle,
    /// The names of what is wanted of it; everything if there are none.
    pub only: &'a [String],
    /// The certificates that the bundle was built with, as PEM.
    pub authorities: Option<&'a [u8]>,
    /// Where compiled packages come from.
    pub packages: Packages,
}

/// Where compiled packages come from. Programs are linked anew in any case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Packages {
    /// Those that Go's cache holds are taken from there.
    Cached,
    /// Every one is compiled.
    Compiled,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Rebuilt {
    /// The digest of all that the bundle was made from, as its lock says.
    pub locked_recipe: Digest,
    /// The digest of all that it was made from now, unless that could not be told.
    pub recipe: Option<Digest>,
    /// Each program and image; the list of contents and the lock as well, where all of them are the same.
    pub rows: Vec<Row>,
}

/// One thing that was built again.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Row {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// How it compares.
    #[serde(flatten)]
    pub answer: Answer,
}

/// What was built again.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A program.
    File,
    /// An archive of one container image.
    Image,
    /// The list of contents.
    List,
    /// The lock.
    Lock,
}

/// How what was built again compares with the lock.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// It is the same.
    Same {
        /// Its digest.
        digest: Digest,
    },
    /// It is another.
    Differs {
        /// The digest of the lock.
        locked: Digest,
        /// The digest of what was built.
        built: Digest,
        /// Where both come from, if that is not the same.
        #[serde(skip_serializing_if = "Option::is_none")]
        origins: Option<Origins>,
    },
    /// This ringfort puts it into a bundle, and the lock has it not, so there is nothing to compare with.
    Unlisted,
    /// It could not be built, so nothing is known.
    NotBuilt {
        /// Why.
        why: String,
    },
}

/// Where two things come from that are not the same.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Origins {
    /// As the lock says.
    pub locked: String,
    /// Where what was built comes from.
    pub built: String,
}

/// Says why nothing was built again.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The programs were not built.
    #[error(
        "{path} holds upstream's release files, which are not built here: compare its lock with what ringfort bundle pins prints, or build from modules with ringfort bundle build"
    )]
    Upstream {
        /// The bundle.
        path: PathBuf,
    },
    /// Another compiler gives other bytes.
    #[error(
        "the bundle was built by {locked}, and here is {here}, which gives other bytes: put {locked} first in PATH and run again"
    )]
    OtherCompiler {
        /// The compiler of the lock.
        locked: String,
        /// The compiler that was found.
        here: String,
    },
    /// There is nothing of this name.
    #[error("there is no {name:?} in the bundle: it holds {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// It could not be begun.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Builds what is in a bundle again, in a directory below the cache that is removed afterwards, and
/// compares each digest with the lock.
///
/// # Errors
/// It is of upstream's files, there is no such compiler, the release is unknown, or the disk cannot hold it.
pub fn rebuild(
    asked: &Rebuild<'_>,
    cache: &Path,
    watch: &mut dyn FnMut(Progress<'_>),
) -> Result<Rebuilt, RebuildError> {
    if asked.bundle.lock().source == Source::Upstream {
        return Err(RebuildError::Upstream { path: asked.bundle.directory().to_owned() });
    }
    let _held = hold(cache)?;
    let place = cache.join("rebuilt");
    remove(&place).map_err(BuildError::from)?;
    let compiler = Compiler::find().map_err(BuildError::from)?;
    let maker = match asked.packages {
        Packages::Cached => compiler,
        Packages::Compiled => compiler.afresh(place.join("go-build")),
    };
    let rebuilt = rebuild_with(&maker, asked, &place, watch);
    remove(&place).map_err(BuildError::from)?;
    rebuilt
}

fn rebuild_with(
    maker: &dyn Maker,
    asked: &Rebuild<'_>,
    place: &Path,
    watch: &mut dyn FnMut(Progress<'_>),
) -> Result<Rebuilt, RebuildError> {
    let lock = asked.bundle.lock();
    same_compiler(maker, lock)?;
    let release = release(lock.kubernetes)?;
    let wanted = wanted(lock, asked.only)?;
    let authorities = asked.authorities.map(<[u8]>::to_vec);
    let order = Order { kubernetes: lock.kubernetes, sourcing: Sourcing::Modules, authorities };
    let recipe = bundle_recipe(maker, &order, release).ok();
    let assembly = Assembly {
        maker,
        order: &order,
        release,
        // Where it cannot be told, a program is not built, and so no lock is written.
        recipe: recipe.clone().unwrap_or_else(|| lock.recipe.clone()),
        directory: place.join("bundle"),
    };
    make_directory(place).and_then(|()| assembly.lay_out()).map_err(BuildError::from)?;
    let mut bench =
        Bench { assembly, shelf: place.join("programs"), bundle: asked.bundle, added: Vec::new() };
    let mut rows = bench.compare_all(&wanted, watch);
    rows.extend(strangers(release, lock, asked.only));
    let is_same = |row: &Row| matches!(row.answer, Answer::Same { .. });
    if asked.only.is_empty() && rows.iter().all(is_same) {
        rows.extend(bench.compare_whole());
    }
    Ok(Rebuilt { locked_recipe: lock.recipe.clone(), recipe, rows })
}

fn same_compiler(maker: &dyn Maker, lock: &BundleLock) -> Result<(), RebuildError> {
    let locked = lock.compiler.as_deref();
    if locked == maker.compiler() {
        return Ok(());
    }
    let named = |compiler: Option<&str>| compiler.unwrap_or("a compiler without a name").to_owned();
    Err(RebuildError::OtherCompiler { locked: named(locked), here: named(maker.compiler()) })
}

/// Picks the programs that are asked for, in the order in which a bundle is built.
fn wanted(lock: &BundleLock, only: &[String]) -> Result<Vec<&'static Program>, RebuildError> {
    let names = || lock.entries.iter().map(|entry| entry.name.as_str());
    let is_known = |name: &str| names().chain(shipped().map(|it| it.name)).any(|it| it == name);
    if let Some(name) = only.iter().find(|name| !is_known(name)) {
        let known = names().collect::<Vec<_>>().join(", ");
        return Err(RebuildError::Unknown { name: name.clone(), known });
    }
    Ok(shipped().filter(|program| is_asked(program.name, only)).collect())
}

fn is_asked(name: &str, only: &[String]) -> bool {
    only.is_empty() || only.iter().any(|one| one == name)
}

/// Names what the lock has and no bundle of this ringfort.
fn strangers(release: &Release, lock: &BundleLock, only: &[String]) -> Vec<Row> {
    let made: Vec<Entry> = shipped().map(|program| entry(release, program)).collect();
    let is_made =
        |entry: &Entry| made.iter().any(|it| it.kind == entry.kind && it.name == entry.name);
    let unmade = lock.entries.iter().filter(|entry| !is_made(entry));
    let why = "this ringfort puts nothing of this name into a bundle";
    let row = |entry: &Entry| Row {
        kind: entry.kind.into(),
        name: entry.name.clone(),
        answer: Answer::NotBuilt { why: why.to_owned() },
    };
    unmade.filter(|entry| is_asked(&entry.name, only)).map(row).collect()
}

/// Where things are built again.
struct Bench<'a> {
    assembly: Assembly<'a>,
    shelf: PathBuf,
    bundle: &'a Bundle,
    /// What was built so far.
    added: Vec<Added>,
}

impl Bench<'_> {
    fn compare_all(
        &mut self,
        wanted: &[&'static Program],
        watch: &mut dyn FnMut(Progress<'_>),
    ) -> Vec<Row> {
        let of = wanted.len();
        let mut rows = Vec::with_capacity(of);
        for (at, program) in wanted.iter().enumerate() {
            let (name, number) = (program.name, at + 1);
            watch(Progress::Making { name, number, of });
            let begun = Instant::now();
            let row = self.compare(program);
            if !matches!(row.answer, Answer::NotBuilt { .. } | Answer::Unlisted) {
                let seconds = begun.elapsed().as_secs();
                watch(Progress::Made { name, number, of, seconds, kept: false });
            }
            rows.push(row);
        }
        rows
    }

    fn compare(&mut self, program: &Program) -> Row {
        let named = entry(self.assembly.release, program);
        let is_it = |one: &&Entry| one.kind == named.kind && one.name == named.name;
        let bundle = self.bundle;
        let answer = match bundle.lock().entries.iter().find(is_it) {
            None => Answer::Unlisted,
            Some(locked) => match self.build(program) {
                Err(why) => Answer::NotBuilt { why },
                Ok(added) => {
                    let answer = judge(locked, &added.entry);
                    self.added.push(added);
                    answer
                }
            },
        };
        Row { kind: named.kind.into(), name: named.name, answer }
    }

    /// Builds one program. Only its digests are kept, since all together fill a disk.
    fn build(&self, program: &Program) -> Result<Added, String> {
        let Assembly { maker, release, directory, .. } = &self.assembly;
        let shelf = Shelf::new(self.shelf.clone());
        let made = shelf.obtain(*maker, release, program);
        let finished = made.map_err(|error: MakeError| with_causes(&error))?;
        let added = self.assembly.add(program, &finished);
        let added = added.map_err(|error: AssemblyError| with_causes(&error))?;
        for path in [self.shelf.clone(), directory.join(&added.entry.path)] {
            remove(&path).map_err(|error| with_causes(&error))?;
        }
        Ok(added)
    }

    /// Compares the list of contents and the lock, once all that they tell of is there.
    fn compare_whole(self) -> Vec<Row> {
        let locked = (self.bundle.lock().sbom.sha256.clone(), self.bundle.digest().clone());
        let built = self.assembly.lock(self.added);
        let built =
            built.map(|lock| (lock.sbom.sha256.clone(), Digest::of(lock.render().as_bytes())));
        let row = |kind, name: &str, answer| Row { kind, name: name.to_owned(), answer };
        match built {
            Ok((list, lock)) => vec![
                row(Kind::List, SBOM_FILE, compared(&locked.0, list)),
                row(Kind::Lock, LOCK_FILE, compared(&locked.1, lock)),
            ],
            Err(error) => {
                let why = with_causes(&error);
                vec![row(Kind::Lock, LOCK_FILE, Answer::NotBuilt { why })]
            }
        }
    }
}

/// Other bytes differ, wherever the lock says that they come from: whoever changes a lock writes that as well.
fn judge(locked: &Entry, built: &Entry) -> Answer {
    let mut answer = compared(&locked.sha256, built.sha256.clone());
    if let Answer::Differs { origins, .. } = &mut answer {
        let both = Origins { locked: locked.origin.clone(), built: built.origin.clone() };
        *origins = (both.locked != both.built).then_some(both);
    }
    answer
}

fn compared(locked: &Digest, built: Digest) -> Answer {
    if *locked == built {
        Answer::Same { digest: built }
    } else {
        Answer::Differs { locked: locked.clone(), built, origins: None }
    }
}

impl Rebuilt {
    /// Says whether something is not as the lock says.
    pub fn differs(&self) -> bool {
        self.rows.iter().any(|row| matches!(row.answer, Answer::Differs { .. }))
    }

    /// Says whether something could not be built, or not be compared.
    pub fn lacks(&self) -> bool {
        let lacks = |row: &Row| matches!(row.answer, Answer::NotBuilt { .. } | Answer::Unlisted);
        self.rows.iter().any(lacks)
    }

    /// Says whether what it was made from now is surely what the bundle was made from.
    pub fn is_of_one_recipe(&self) -> bool {
        self.recipe.as_ref() == Some(&self.locked_recipe)
    }
}

impl From<EntryKind> for Kind {
    fn from(kind: EntryKind) -> Self {
        match kind {
            EntryKind::File => Self::File,
            EntryKind::Image => Self::Image,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => EntryKind::File.fmt(f),
            Self::Image => EntryKind::Image.fmt(f),
            Self::List => f.write_str("list"),
            Self::Lock => f.write_str("lock"),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, answer } = self;
        write!(f, "{kind} {name}: ")?;
        match answer {
            Answer::Same { digest } => write!(f, "same, {digest}"),
            Answer::Differs { locked, built, origins } => {
                write!(f, "differs: built again its digest is {built}, the lock says {locked}")?;
                let Some(Origins { locked, built }) = origins else { return Ok(()) };
                write!(f, "; there it comes from {locked:?}, and here from {built:?}")
            }
            Answer::Unlisted => write!(f, "could not be compared: it is not in the lock"),
            Answer::NotBuilt { why } => write!(f, "could not be built: {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
