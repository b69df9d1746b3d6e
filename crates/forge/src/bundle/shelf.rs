//! Keeps finished programs in the cache, by the digest of what they were made from, so that an
//! interrupted build goes on where it stopped and a second bundle is not built twice.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use ringfort_model::bundle::Source;
use ringfort_model::digest::Digest;

use super::compiler::{Compiler, CompilerError};
use super::files::{FileFault, make_directory, measure, read_text, remove, rename, write};
use super::pins::{PROGRAM_MODE, Program, Release};
use super::upstream::UpstreamError;

/// Makes programs.
pub(super) trait Maker {
    /// Says what the programs come from.
    fn source(&self) -> Source;

    /// Names the compiler, if it compiles everything.
    fn compiler(&self) -> Option<&str>;

    /// Describes all that decides what a program's bytes are.
    fn recipe(&self, release: &Release, program: &Program) -> Result<String, MakeError>;

    /// Makes a program at a path, and says where it comes from.
    fn make(&self, release: &Release, program: &Program, out: &Path) -> Result<String, MakeError>;
}

/// Says why a program was not made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// It could not be compiled.
    #[error(transparent)]
    Compiler(#[from] CompilerError),
    /// It could not be taken from a release.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// It could not be written.
    #[error(transparent)]
    File(#[from] FileFault),
}

/// A finished program.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    /// The file.
    pub path: PathBuf,
    /// Where it comes from.
    pub origin: String,
    /// Whether it was there already.
    pub kept: bool,
}

/// Where finished programs are kept.
#[derive(Debug)]
pub(super) struct Shelf {
    directory: PathBuf,
}

impl Shelf {
    /// Keeps programs in a directory.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Takes a program from the shelf, or makes it.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn obtain(
        &self,
        maker: &dyn Maker,
        release: &Release,
        program: &Program,
    ) -> Result<Finished, MakeError> {
        let place = self.directory.join(recipe(maker, release, program)?.as_str());
        if let Some(finished) = kept(&place) {
            return Ok(finished);
        }
        let partial = place.with_extension("partial");
        remove(&place)?;
        remove(&partial)?;
        make_directory(&partial)?;
        let made = partial.join(PROGRAM);
        let origin = maker.make(release, program, &made)?;
        let mode = Permissions::from_mode(PROGRAM_MODE.0);
        fs::set_permissions(&made, mode).map_err(FileFault::of(&made))?;
        let record = Record { sha256: measure(&made)?.sha256, origin: origin.clone() };
        let text = serde_json::to_string(&record).expect("a record has text keys only");
        write(&partial.join(RECORD), text.as_bytes())?;
        rename(&partial, &place)?;
        Ok(Finished { path: place.join(PROGRAM), origin, kept: false })
    }
}

/// Gives the digest of all that decides what a program's bytes are.
pub(super) fn recipe(
    maker: &dyn Maker,
    release: &Release,
    program: &Program,
) -> Result<Digest, MakeError> {
    Ok(Digest::of(maker.recipe(release, program)?.as_bytes()))
}

const PROGRAM: &str = "program";
const RECORD: &str = "record.json";

/// What the shelf knows of a program.
#[derive(Deserialize, Serialize)]
struct Record {
    sha256: Digest,
    origin: String,
}

/// Reads what is on the shelf; what is not as recorded counts as not there.
fn kept(place: &Path) -> Option<Finished> {
    let record: Record = serde_json::from_str(&read_text(&place.join(RECORD)).ok()?).ok()?;
    let path = place.join(PROGRAM);
    let whole = measure(&path).ok()?.sha256 == record.sha256;
    whole.then_some(Finished { path, origin: record.origin, kept: true })
}

impl Maker for Compiler {
    fn source(&self) -> Source {
        Source::Modules
    }

    fn compiler(&self) -> Option<&str> {
        Some(self.version())
    }

    fn recipe(&self, release: &Release, program: &Program) -> Result<String, MakeError> {
        Ok(self.recipe(release, program)?)
    }

    fn make(&self, release: &Release, program: &Program, out: &Path) -> Result<String, MakeError> {
        Ok(self.build(release, program, out)?)
    }
}
