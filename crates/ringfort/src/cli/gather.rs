//! `ringfort gather`: takes the facts of this machine, to be judged anywhere.

use std::process::ExitCode;

use clap::Args;
use ringfort_node::{Root, gather};

use super::{Fault, print};

/// Take the facts of this machine, for `ringfort check`
///
/// Writes to standard output, as one JSON document, what runs of Kubernetes on this machine and how: arguments,
/// configuration files, modes, owners and access control lists of files and of the directories that lead to
/// them, kernel settings, certificates. `ringfort check facts.json` judges it, here or elsewhere.
///
/// Changes nothing and asks nobody over the network. No secret is in it: of keys there are modes and owners, of an
/// encryption configuration the names of providers, of variables their names. What cannot be looked at is in
/// it as a gap that says why, and what would open it: run it as root.
///
/// Exit codes: 0 written, with whatever gaps, 2 usage.
#[derive(Args)]
pub struct GatherArgs {}

/// Runs the command.
pub fn run(_args: &GatherArgs) -> Result<ExitCode, Fault> {
    let facts = gather::take(&Root::new("/"));
    let text = serde_json::to_string_pretty(&facts).map_err(Fault::unable)?;
    print(&format!("{text}\n"));
    Ok(ExitCode::SUCCESS)
}
