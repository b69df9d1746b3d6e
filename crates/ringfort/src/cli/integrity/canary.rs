//! `ringfort integrity canary`: changes a file that nothing reads, for proofs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ringfort_integrity::os::canary;
use ringfort_model::integrity::{CANARY, CANARY_TEXT};

use crate::cli::{Fault, print};

/// Change a file that nothing reads and put it back, and write what the agent says of both
///
/// Started by proofs over SSH, hardly ever by a person.
#[derive(Args)]
pub struct CanaryArgs {
    /// The agent's directory
    #[arg(long, value_name = "DIR", default_value = super::STATE)]
    state: PathBuf,
}

/// Does it.
///
/// # Errors
/// The file cannot be changed.
pub fn run(args: &CanaryArgs) -> Result<ExitCode, Fault> {
    let told = canary(&args.state, Path::new(CANARY), CANARY_TEXT).map_err(Fault::blind)?;
    print(&(serde_json::to_string(&told).map_err(Fault::unable)? + "\n"));
    Ok(ExitCode::SUCCESS)
}
