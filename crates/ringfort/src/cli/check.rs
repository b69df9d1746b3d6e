//! `ringfort check`: judges what somebody means to give to a cluster, before it is there.

mod benchmark;
mod cache;
mod cluster;
mod declared;
mod facts;
pub(super) mod given;
mod live;
mod manifests;
mod objects;
mod pods;
mod table;
pub(super) mod tree;
mod trial;
mod written;

use std::io::IsTerminal as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use ringfort_facts::manifest::Document;
use ringfort_model::version::KubeVersion;
use ringfort_spec::{Paint, Report};

use super::Fault;
use written::Format;

/// Judge manifests before they reach a cluster, and machines by facts that were taken of them
///
/// Reads all objects below the paths as one world: what one says holds for the others, as a LimitRange or a
/// NetworkPolicy does for the pods of its namespace. `ringfort explain` says of each control why it is
/// asked. What cannot be read is unknown, never passed: a value of a template that is still to be filled in,
/// an object of a kind that Kubernetes does not have, a file that is no manifest.
///
/// A file that `ringfort gather` wrote is judged by the CIS Kubernetes Benchmark 2.0.1, one row for each of its 131
/// recommendations; where ringfort made the machine, by what its controls ask besides, one row each by the control's
/// name. Several are judged together, a machine each.
///
/// What is meant to be, as who may read secrets, cluster.yaml declares: name it by --spec, or by --cluster. Its
/// waivers of recommendations hold here as well, and are told as waived.
///
/// With --kubeconfig the objects of a cluster are read through its API, with --cluster its machines are entered
/// over SSH; both make one report, with facts that are named as paths. What may not be listed is unknown, with
/// the right that is missing, and so is a machine that cannot be entered. Without either no connection is
/// opened. A pod that nothing that is read would refuse is shown; with --try-pods the API server is asked by a dry
/// run whether it takes it. That it refuses one leaves the recommendation unknown, since it answers who asked alone.
///
/// With --kubeconfig and --objects the objects of a cluster are judged as manifests are: by every guideline, in every
/// format, with waivers and by a run before. --spec is then read for its waivers. A kind that may not be listed is
/// unread, and what rests on it is unknown.
///
/// Exit codes: 0 all that is asked holds, 1 something does not, 2 usage, or a file that was named cannot be
/// read, 3 something could not be judged, or a file below a directory, or a kind of a cluster, not read.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct CheckArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    manifests: manifests::ManifestsArgs,
    #[command(flatten)]
    live: live::LiveArgs,
    /// The version of Kubernetes that machines run, where their facts do not say it
    #[arg(long, value_name = "VERSION")]
    kubernetes: Option<KubeVersion>,
    /// The cluster.yaml of the cluster whose facts or objects are judged: what it declares and waives
    #[arg(long, value_name = "FILE", conflicts_with = "cluster")]
    spec: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    Pods(pods::PodsArgs),
}

/// How machines and clusters are judged by rows.
#[derive(Clone, Copy)]
struct How<'a> {
    /// The version of Kubernetes, where it is said.
    version: Option<KubeVersion>,
    /// The file of what is declared and waived.
    spec: Option<&'a Path>,
    format: Format,
    /// The day on which waivers are looked at.
    day: Date,
}

/// Runs the command.
pub fn run(args: &CheckArgs) -> Result<ExitCode, Fault> {
    let (paths, spec) = (args.manifests.paths(), args.spec.as_deref());
    let (format, day) = (args.manifests.format(), args.manifests.day());
    let how = How { version: args.kubernetes, spec, format, day };
    if let (None, Some(kubeconfig)) = (&args.what, args.live.of_objects()) {
        return objects::run(kubeconfig, &args.manifests, spec);
    }
    match &args.what {
        Some(What::Pods(args)) => pods::run(args),
        None if args.live.is_asked() => {
            args.manifests.refuse_what_is_of_manifests(args.live.takes_options())?;
            live::run(&args.live, paths, how)
        }
        None if facts::are_bundles(paths)? => {
            args.manifests.refuse_what_is_of_manifests(None)?;
            facts::run(paths, how)
        }
        None if spec.is_some() => {
            Err(Fault::usage("--spec is of machines and clusters: leave it out for manifests"))
        }
        None => manifests::run(&args.manifests),
    }
}

/// Draws what is wrong with files, for people.
fn drawn(wrong: &[Report]) -> String {
    let paint = match std::io::stdout().is_terminal() {
        true => Paint::Colours,
        false => Paint::Plain,
    };
    wrong.iter().map(|report| format!("{}\n", report.render(paint))).collect()
}

/// Finds where a pointer leads to in a document's text, and what of it is not there.
fn place(document: &Document, pointer: &str) -> (Range<usize>, String) {
    let place = document.place(pointer);
    let missing = pointer[place.pointer.len()..].trim_start_matches('/').replace("~1", "/");
    match (missing.is_empty(), place.key) {
        (false, Some(key)) => (key, missing),
        _ => (place.value, missing),
    }
}
