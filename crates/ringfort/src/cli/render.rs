//! `ringfort render`: writes the blueprint as files, for people to read and to compare.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ringfort_forge::addons;
use ringfort_forge::drive::fleet::OwnBinary;
use ringfort_forge::keyring::StateDirectory;
use ringfort_forge::render::{Materials, Rendered, render_all, sample_trust, tree};
use ringfort_model::trust::TrustFacts;
use ringfort_spec::Spec;

use super::Fault;
use super::audit::site;
use super::session::{beside, find_bundle, home};
use super::specification::{self, SpecFile};

/// Write the blueprint of a cluster as files, without any secret
///
/// What a cluster only has once it is made, such as its certificates, is stood in for where there is
/// no cluster yet.
///
/// Exit codes: 0 written, 2 usage or bad input, or the directory is not empty, 4 something could not be written.
#[derive(clap::Args)]
pub struct RenderArgs {
    #[command(flatten)]
    blueprint: BlueprintArgs,
    /// The directory to write into; it must be empty or not there
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
}

/// What a blueprint is made from.
#[derive(clap::Args)]
pub(super) struct BlueprintArgs {
    #[command(flatten)]
    spec: SpecFile,
    /// The bundle's directory [default: the newest of the spec's release in the cache]
    #[arg(long, env = "RINGFORT_BUNDLE", value_name = "DIR")]
    bundle: Option<PathBuf>,
}

/// Writes the blueprint.
///
/// # Errors
/// The spec or the bundle is wrong, or the directory cannot be written.
pub fn run(args: &RenderArgs) -> Result<ExitCode, Fault> {
    let files = tree(&rendered(&args.blueprint)?);
    require_empty(&args.out)?;
    for file in &files {
        write(&args.out.join(&file.path), &file.text)?;
    }
    println!("{} files in {}", files.len(), args.out.display());
    Ok(ExitCode::SUCCESS)
}

/// Renders the blueprint.
pub(super) fn rendered(args: &BlueprintArgs) -> Result<Rendered, Fault> {
    let spec = specification::read(&args.spec.file)?;
    let bundle = find_bundle(args.bundle.as_deref(), &spec)?;
    let trust = find_trust(&args.spec.file, &spec)?;
    let program = std::env::current_exe().map_err(Fault::unable)?;
    let own = OwnBinary::read(&program).map_err(Fault::unable)?;
    let (home, beside) = (home()?, beside(&args.spec.file));
    let addons = addons::read(&spec, &home, beside).map_err(Fault::usage)?;
    let site = site::read(&spec, &home, beside)?.files;
    let bundle = bundle.lock();
    let materials = Materials { bundle, ringfort: own.digest, addons: &addons, site: &site };
    render_all(&spec, &trust, &materials).map_err(Fault::usage)
}

fn find_trust(file: &Path, spec: &Spec) -> Result<TrustFacts, Fault> {
    let known = StateDirectory::beside(file, &spec.name).trust().map_err(Fault::usage)?;
    let Some(mut trust) = known else { return sample_trust(spec).map_err(Fault::usage) };
    trust.pod_ranges = spec.pod_ranges(&trust.pod_ranges).map_err(Fault::usage)?;
    Ok(trust)
}

/// What stays of an older rendering would be taken for a part of this one.
fn require_empty(directory: &Path) -> Result<(), Fault> {
    let is_empty = match fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(Fault::usage(format!("{}: {error}", directory.display()))),
    };
    if is_empty {
        return Ok(());
    }
    Err(Fault::usage(format!("{} is not empty: name a new directory", directory.display())))
}

fn write(path: &Path, text: &str) -> Result<(), Fault> {
    let unable = |error| Fault::unable(format!("{}: {error}", path.display()));
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(unable)?;
    fs::write(path, text).map_err(unable)
}
