//! `ringfort completions` and `ringfort man`: what a package carries beside the program, made from
//! the command line itself.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Fault, print};

/// Print completions for a shell
///
/// Exit codes: 0 printed, 2 usage.
#[derive(Args)]
pub struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

/// Write the manual pages into a directory
///
/// Exit codes: 0 written, 2 usage, or the directory cannot be written into.
#[derive(Args)]
pub struct ManArgs {
    /// The directory, which must exist
    directory: PathBuf,
}

/// Prints completions.
pub fn completions(args: &CompletionsArgs) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ringfort", &mut text);
    print(&String::from_utf8_lossy(&text));
    ExitCode::SUCCESS
}

/// Writes the manual pages.
pub fn man(args: &ManArgs) -> Result<ExitCode, Fault> {
    clap_mangen::generate_to(Cli::command(), &args.directory).map_err(|error| {
        Fault::usage(format!("{} cannot be written into: {error}", args.directory.display()))
    })?;
    Ok(ExitCode::SUCCESS)
}
