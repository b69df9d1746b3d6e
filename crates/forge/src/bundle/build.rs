//! Builds bundles: makes or takes every program and has them put together, in the cache.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ringfort_model::bundle::{BundleLock, LOCK_FILE};
use ringfort_model::digest::Digest;
use ringfort_model::version::KubeVersion;

use super::assembly::{Assembly, AssemblyError};
use super::checksums::Checksums;
use super::compiler::{Compiler, CompilerError};
use super::directory::Bundle;
use super::files::{FileFault, make_directory, read_text, remove, rename};
use super::pins::{PROGRAMS, Program, RELEASES, Release};
use super::shelf::{Finished, MakeError, Maker, Shelf, recipe};
use super::upstream::{Upstream, UpstreamError};

/// What bundle is wanted.
#[derive(Clone, Debug)]
pub struct Order {
    /// The release of Kubernetes; without a patch, the one that is pinned for the minor.
    pub kubernetes: KubeVersion,
    /// Where the binaries come from.
    pub sourcing: Sourcing,
    /// Certificates of public authorities for the API server's image, as PEM: needed if people's
    /// tokens come from an issuer with a public certificate.
    pub authorities: Option<Vec<u8>>,
}

/// Where the binaries come from.
#[derive(Clone, Debug)]
pub enum Sourcing {
    /// Built from Go modules.
    Modules,
    /// Taken from upstream's release files.
    Upstream {
        /// Their pinned digests.
        checksums: Checksums,
        /// The address of a mirror that has every host as a directory.
        mirror: Option<String>,
    },
}

/// What a build is at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress<'a> {
    /// A program is being made.
    Making {
        /// Its name.
        name: &'a str,
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// A program is there.
    Made {
        /// Its name.
        name: &'a str,
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// How long it took.
        seconds: u64,
        /// Whether it was there already.
        kept: bool,
    },
    /// Images, list and lock are being written.
    Packing,
}

/// Says why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The release is not pinned.
    #[error(
        "bundles are made of Kubernetes {known}, not of {asked}: name one of these, or a minor alone"
    )]
    UnknownRelease {
        /// What was asked for.
        asked: KubeVersion,
        /// What there is.
        known: String,
    },
    /// There is no such program.
    #[error("there is no program {name:?}: the programs are {known}")]
    UnknownProgram {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Another build is going on.
    #[error("another build uses {path}: wait until it has ended")]
    Busy {
        /// The cache.
        path: PathBuf,
    },
    /// A program was not made.
    #[error("{program} was not made")]
    Program {
        /// Its name.
        program: String,
        /// Why.
        #[source]
        source: Box<MakeError>,
    },
    /// Go cannot be used.
    #[error(transparent)]
    Compiler(#[from] CompilerError),
    /// Upstream's files cannot be used.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// What was made does not fit together.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileFault),
}

impl BuildError {
    fn of(program: &Program, source: MakeError) -> Self {
        Self::Program { program: program.name.to_owned(), source: Box::new(source) }
    }
}

/// Builds a bundle in the cache, unless it is there, and gives its directory.
///
/// What is finished stays when it is interrupted, and the next build goes on from there.
///
/// # Errors
/// The release is unknown, a program cannot be made, or the disk cannot hold it.
pub fn build(
    order: &Order,
    cache: &Path,
    watch: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf, BuildError> {
    let release = release(order.kubernetes)?;
    let maker = maker(order, release, cache)?;
    build_with(&*maker, order, cache, watch)
}

/// Builds one program of a bundle, or one that is in none, and gives its path.
///
/// # Errors
/// There is no such program, or it cannot be made.
pub fn build_program(order: &Order, name: &str, cache: &Path) -> Result<PathBuf, BuildError> {
    let release = release(order.kubernetes)?;
    let names = || PROGRAMS.iter().map(|program| program.name).collect::<Vec<_>>().join(", ");
    let unknown = || BuildError::UnknownProgram { name: name.to_owned(), known: names() };
    let program = PROGRAMS.iter().find(|program| program.name == name).ok_or_else(unknown)?;
    let maker = maker(order, release, cache)?;
    let _held = hold(cache)?;
    Ok(obtain(&*maker, release, program, cache)?.path)
}

/// Builds a bundle a second time, with nothing of the first at hand, and names what differs.
///
/// # Errors
/// The second build fails, or the first cannot be read.
pub fn again(
    order: &Order,
    first: &Path,
    cache: &Path,
    watch: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<String>, BuildError> {
    let second_cache = cache.join("again");
    remove(&second_cache)?;
    make_directory(&second_cache)?;
    let second = match order.sourcing {
        Sourcing::Modules => {
            let maker = Compiler::find()?.afresh(second_cache.join("go-build"));
            build_with(&maker, order, &second_cache, watch)?
        }
        Sourcing::Upstream { .. } => build(order, &second_cache, watch)?,
    };
    let differing =
        differences(&read_text(&first.join(LOCK_FILE))?, &read_text(&second.join(LOCK_FILE))?);
    remove(&second_cache)?;
    Ok(differing)
}

/// Finds the release that is asked for.
pub(super) fn release(asked: KubeVersion) -> Result<&'static Release, BuildError> {
    let known = || {
        let all: Vec<String> =
            RELEASES.iter().map(|release| release.kubernetes().to_string()).collect();
        all.join(", ")
    };
    Release::find(asked).ok_or_else(|| BuildError::UnknownRelease { asked, known: known() })
}

fn maker(order: &Order, release: &Release, cache: &Path) -> Result<Box<dyn Maker>, BuildError> {
    Ok(match &order.sourcing {
        Sourcing::Modules => Box::new(Compiler::find()?),
        Sourcing::Upstream { checksums, mirror } => {
            let downloads = cache.join("downloads");
            Box::new(Upstream::new(release, checksums.clone(), mirror.clone(), downloads)?)
        }
    })
}

/// Builds a bundle with a maker, unless it is in the cache.
pub(super) fn build_with(
    maker: &dyn Maker,
    order: &Order,
    cache: &Path,
    watch: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf, BuildError> {
    let release = release(order.kubernetes)?;
    let _held = hold(cache)?;
    let recipe = bundle_recipe(maker, order, release)?;
    let place = cache.join("bundles").join(recipe.as_str());
    if !is_whole(&place) {
        let finished = obtain_all(maker, release, cache, watch)?;
        watch(Progress::Packing);
        let partial = place.with_extension("partial");
        remove(&partial)?;
        Assembly { maker, order, release, recipe, directory: partial.clone() }.write(&finished)?;
        remove(&place)?;
        rename(&partial, &place)?;
    }
    point(cache, release, &place)?;
    Ok(place)
}

/// A bundle that was altered counts as not there.
fn is_whole(place: &Path) -> bool {
    let verified = Bundle::open(place).and_then(|bundle| bundle.verify());
    verified.is_ok_and(|flaws| flaws.is_empty())
}

/// One build at a time uses a cache.
pub(super) fn hold(cache: &Path) -> Result<File, BuildError> {
    make_directory(cache)?;
    let path = cache.join("build.lock");
    let file = File::options().create(true).append(true).open(&path);
    let file = file.map_err(FileFault::of(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(BuildError::Busy { path: cache.to_owned() }),
    }
}

/// The programs of a bundle.
pub(super) fn shipped() -> impl Iterator<Item = &'static Program> {
    PROGRAMS.iter().filter(|program| program.ships())
}

fn obtain_all(
    maker: &dyn Maker,
    release: &Release,
    cache: &Path,
    watch: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<(&'static Program, Finished)>, BuildError> {
    let of = shipped().count();
    let mut all = Vec::with_capacity(of);
    for (at, program) in shipped().enumerate() {
        let (name, number) = (program.name, at + 1);
        watch(Progress::Making { name, number, of });
        let begun = Instant::now();
        let finished = obtain(maker, release, program, cache)?;
        let seconds = begun.elapsed().as_secs();
        watch(Progress::Made { name, number, of, seconds, kept: finished.kept });
        all.push((program, finished));
    }
    Ok(all)
}

fn obtain(
    maker: &dyn Maker,
    release: &Release,
    program: &Program,
    cache: &Path,
) -> Result<Finished, BuildError> {
    let failed = |source| BuildError::of(program, source);
    Shelf::new(cache.join("programs")).obtain(maker, release, program).map_err(failed)
}

/// The number of this code: another layout of images, list or lock counts it up, so that bundles
/// of before are not taken for those of now.
const REVISION: u32 = 1;

/// Gives the digest of all that decides what a bundle's bytes are.
pub(super) fn bundle_recipe(
    maker: &dyn Maker,
    order: &Order,
    release: &Release,
) -> Result<Digest, BuildError> {
    let mut text = format!("{REVISION}\n{}\n{}\n", release.kubernetes(), maker.source());
    for program in shipped() {
        let failed = |source| BuildError::of(program, source);
        let recipe = recipe(maker, release, program).map_err(failed)?;
        text.push_str(&format!("{recipe} {} {:?}\n", program.name, program.ships));
    }
    if let Some(authorities) = &order.authorities {
        text.push_str(&format!("authorities {}\n", Digest::of(authorities)));
    }
    Ok(Digest::of(text.as_bytes()))
}

/// Lets the name of a minor point to its newest bundle.
fn point(cache: &Path, release: &Release, place: &Path) -> Result<(), FileFault> {
    let bundles = cache.join("bundles");
    let link = bundles.join(release.minor.to_string());
    let aside = bundles.join(format!("{}.partial", release.minor));
    remove(&aside)?;
    let target = place.file_name().expect("a bundle's directory is named by a digest");
    symlink(target, &aside).map_err(FileFault::of(&aside))?;
    rename(&aside, &link)
}

/// Names the entries that are not the same in two locks.
fn differences(first: &str, second: &str) -> Vec<String> {
    let (Ok(one), Ok(two)) = (BundleLock::parse(first), BundleLock::parse(second)) else {
        return vec!["a lock cannot be read".to_owned()];
    };
    let mut differing = Vec::new();
    for entry in &one.entries {
        if !two.entries.contains(entry) {
            differing.push(format!("{} {}", entry.kind, entry.name));
        }
    }
    if differing.is_empty() && first != second {
        differing.push("the lock or the list of contents".to_owned());
    }
    differing
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{BuildError, Order, Progress, Sourcing, build_with, differences, shipped};
    use crate::bundle::directory::Bundle;
    use crate::bundle::namer::Namer;

    fn order(version: &str) -> Order {
        let kubernetes = version.parse().expect("a version");
        Order { kubernetes, sourcing: Sourcing::Modules, authorities: None }
    }

    fn bundle(maker: &Namer, order: &Order, cache: &Path) -> Result<Bundle, BuildError> {
        let built = build_with(maker, order, cache, &mut |_| {})?;
        Ok(Bundle::open(&built).expect("what was built is a bundle"))
    }

    #[test]
    fn two_builds_are_the_same_byte_for_byte() {
        let (one, two) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
        let first = bundle(&Namer::default(), &order("1.37"), one.path()).expect("a bundle");
        let second = bundle(&Namer::default(), &order("1.37.2"), two.path()).expect("a bundle");
        assert_eq!(differences(&first.lock().render(), &second.lock().render()), [""; 0]);
        assert_eq!(first.digest(), second.digest());
        assert_eq!(first.verify().expect("it can be read"), []);
        for entry in &first.lock().entries {
            let read = |bundle: &Bundle| fs::read(bundle.path(entry)).expect("a file");
            assert_eq!(read(&first), read(&second), "{}", entry.path);
        }
    }

    #[test]
    fn another_program_and_other_authorities_make_another_bundle() {
        let cache = tempfile::tempdir().expect("a directory");
        let maker = Namer::default();
        let plain = bundle(&maker, &order("1.37"), cache.path()).expect("a bundle");
        let older = bundle(&maker, &order("1.36"), cache.path()).expect("a bundle");
        assert_ne!(plain.directory(), older.directory());
        let with = Order { authorities: Some(b"pem".to_vec()), ..order("1.37") };
        let with = bundle(&maker, &with, cache.path()).expect("a bundle");
        let differing = differences(&plain.lock().render(), &with.lock().render());
        assert_eq!(differing, ["image kube-apiserver"]);
        let newest = Bundle::newest(cache.path(), order("1.37").kubernetes).expect("a bundle");
        assert_eq!(newest.expect("the last").digest(), with.digest());
    }

    #[test]
    fn a_build_goes_on_where_it_stopped_and_makes_nothing_twice() {
        let cache = tempfile::tempdir().expect("a directory");
        let failing = Namer { fails_at: Some("kubelet"), ..Namer::default() };
        let error = bundle(&failing, &order("1.37"), cache.path()).expect_err("it fails");
        assert_eq!(error.to_string(), "kubelet was not made");
        let second = Namer::default();
        let mut kept = 0;
        let mut count = |progress: Progress<'_>| {
            kept += usize::from(matches!(progress, Progress::Made { kept: true, .. }));
        };
        build_with(&second, &order("1.37"), cache.path(), &mut count).expect("a bundle");
        assert_eq!(kept, failing.made.borrow().len());
        assert_eq!(kept + second.made.borrow().len(), shipped().count());
        build_with(&failing, &order("1.37"), cache.path(), &mut |_| {}).expect("it is there");
    }

    #[test]
    fn what_was_changed_in_the_cache_is_made_again() {
        let cache = tempfile::tempdir().expect("a directory");
        let first = bundle(&Namer::default(), &order("1.37"), cache.path()).expect("a bundle");
        for place in fs::read_dir(cache.path().join("programs")).expect("the shelf") {
            fs::write(place.expect("a place").path().join("program"), "x").expect("a change");
        }
        fs::write(first.directory().join("files/kubelet"), "x").expect("a change");
        let second = bundle(&Namer::default(), &order("1.37"), cache.path()).expect("a bundle");
        assert_eq!(first.digest(), second.digest());
        assert_eq!(second.verify().expect("it can be read"), []);
    }

    #[test]
    fn two_builds_do_not_use_one_cache_at_a_time() {
        let cache = tempfile::tempdir().expect("a directory");
        let _held = super::hold(cache.path()).expect("nobody else");
        let error =
            bundle(&Namer::default(), &order("1.37"), cache.path()).expect_err("it is held");
        assert!(error.to_string().starts_with("another build uses "), "{error}");
    }

    #[test]
    fn releases_that_are_not_pinned_are_refused() {
        let cache = tempfile::tempdir().expect("a directory");
        let error = bundle(&Namer::default(), &order("1.37.9"), cache.path()).expect_err("unknown");
        assert_eq!(
            error.to_string(),
            "bundles are made of Kubernetes 1.37.2, 1.36.3, 1.35.4, not of 1.37.9: name one of these, or a minor alone"
        );
    }
}
