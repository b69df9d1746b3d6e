//! `ringfort completions` and `ringfort man`: what a package carries beside the program, made from
//! the command line itself.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Fault};

/// Print completions for a shell
#[derive(Args)]
pub struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

/// Write the manual pages into a directory
#[derive(Args)]
pub struct ManArgs {
    /// The directory, which must exist
    directory: PathBuf,
}

/// Prints completions.
pub fn completions(args: &CompletionsArgs) -> ExitCode {
    clap_complete::generate(args.shell, &mut Cli::command(), "ringfort", &mut std::io::stdout());
    ExitCode::SUCCESS
}

/// Writes the manual pages.
pub fn man(args: &ManArgs) -> Result<ExitCode, Fault> {
    clap_mangen::generate_to(Cli::command(), &args.directory).map_err(Fault::unable)?;
    Ok(ExitCode::SUCCESS)
}
