//! `ringfort check facts.json`: judges machines by facts that were taken of them, with no connection.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ringfort_check::benchmark::Looked;
use ringfort_facts::machine::{Machine, Told};
use ringfort_model::machine::MachineFacts;

use super::declared::{Declared, judged};
use super::{How, benchmark};
use crate::cli::Fault;
use crate::cli::files::{self, Unread};

/// Says whether all paths are bundles of facts; some alone among manifests are an error.
pub(super) fn are_bundles(paths: &[PathBuf]) -> Result<bool, Fault> {
    let claim: Vec<bool> = paths.iter().map(|path| claims(path)).collect();
    match (claim.iter().any(|it| *it), claim.iter().all(|it| *it)) {
        (true, false) => Err(Fault::usage(
            "facts of machines and manifests are judged apart: name either the ones or the others",
        )),
        (is_one, _) => Ok(is_one),
    }
}

/// Whether a path is a bundle, or a directory of nothing else. What cannot be read now is told of by who reads it.
fn claims(path: &Path) -> bool {
    if path.is_dir() {
        let below = bundles(path).unwrap_or_default();
        return !below.is_empty() && below.iter().all(|file| claims(file));
    }
    let is_readable = files::is_standard_input(path) || path.is_file();
    is_readable && files::text(path).is_ok_and(|text| MachineFacts::claims(&text))
}

/// Gives the files in a directory, none where there are directories: a tree is of manifests.
fn bundles(directory: &Path) -> Result<Vec<PathBuf>, Unread> {
    let all = files::entries(directory)?;
    match all.iter().any(|path| path.is_dir()) {
        true => Ok(Vec::new()),
        false => Ok(all.into_iter().filter(|path| files::is_manifest(path)).collect()),
    }
}

/// Reads bundles, and those in directories.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<MachineFacts>, Fault> {
    let read = |path: &PathBuf| {
        let text = files::text(path).map_err(Fault::usage)?;
        MachineFacts::read(&text).map_err(|error| Fault::usage(Unread::of(path, &error)))
    };
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let below = bundles(path).map_err(Fault::usage)?;
        if below.is_empty() {
            let why =
                "it is no directory of facts alone: name the files that ringfort gather wrote";
            return Err(Fault::usage(Unread::of(path, &why)));
        }
        all.extend(below);
    }
    all.iter().map(read).collect()
}

/// Judges machines by bundles, together.
pub(super) fn run(paths: &[PathBuf], how: How<'_>) -> Result<ExitCode, Fault> {
    let bundles = read(paths)?;
    let declared = how.spec.map(|file| Declared::read(file, how.day)).transpose()?;
    let told = match (how.version, &declared) {
        (Some(version), _) => Told::Minor(version.minor),
        (None, Some(declared)) => Told::Declared(declared.minor),
        (None, None) => Told::Nothing,
    };
    let told = told.among(&bundles);
    let machines: Vec<Machine<'_>> = bundles.iter().map(|it| Machine::of(it, told)).collect();
    let intent = declared.as_ref().map(|declared| &declared.intent);
    let looked = Looked { machines: &machines, intent, ..Looked::default() };
    benchmark::tell(&looked, judged(&looked, declared.as_ref(), how.day), how.format, how.day)
}
