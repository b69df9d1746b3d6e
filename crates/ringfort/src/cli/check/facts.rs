//! `ringfort check facts.json`: judges machines by facts that were taken of them, with no connection.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ringfort_check::benchmark::Looked;
use ringfort_facts::machine::{Machine, Told};
use ringfort_model::machine::MachineFacts;
use ringfort_model::version::KubeVersion;

use super::declared::{Declared, judged};
use super::{Format, benchmark};
use crate::cli::Fault;
use crate::cli::files::{self, Unread};

/// How much of a file shows whether it is a bundle.
const HEAD_BYTES: u64 = 512;

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

/// What cannot be read now is told of by who reads it.
fn claims(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let mut head = Vec::new();
    let read = fs::File::open(path).and_then(|it| it.take(HEAD_BYTES).read_to_end(&mut head));
    read.is_ok_and(|_: usize| MachineFacts::claims(&String::from_utf8_lossy(&head)))
}

/// Reads bundles.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<MachineFacts>, Fault> {
    let read = |path: &PathBuf| {
        let text = files::text(path).map_err(Fault::usage)?;
        MachineFacts::read(&text).map_err(|error| Fault::usage(Unread::of(path, &error)))
    };
    paths.iter().map(read).collect()
}

/// Judges machines by bundles, together.
pub(super) fn run(
    paths: &[PathBuf],
    version: Option<KubeVersion>,
    spec: Option<&Path>,
    format: Format,
) -> Result<ExitCode, Fault> {
    let bundles = read(paths)?;
    let declared = spec.map(Declared::read).transpose()?;
    let of_spec = || declared.as_ref().map(|declared| declared.minor);
    let minor = version.map(|version| version.minor).or_else(of_spec);
    let told = minor.map_or(Told::Nothing, Told::Minor).among(&bundles);
    let machines: Vec<Machine<'_>> = bundles.iter().map(|it| Machine::of(it, told)).collect();
    let intent = declared.as_ref().map(|declared| &declared.intent);
    let looked = Looked { machines: &machines, intent, ..Looked::default() };
    benchmark::tell(&looked, judged(&looked, declared.as_ref()), format)
}
