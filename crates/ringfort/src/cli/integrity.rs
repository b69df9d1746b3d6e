//! `ringfort integrity`: what of a machine's files is not as it should be. Arguments and output only; the
//! room is `ringfort_integrity`.

mod baseline;
mod key;
mod scan;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use super::Fault;

/// Files of machines: what they should be, and what is not as it should be
#[derive(clap::Args)]
pub struct IntegrityArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Key(key::KeyArgs),
    Baseline(baseline::BaselineArgs),
    Scan(scan::ScanArgs),
}

/// Runs the command.
///
/// # Errors
/// The command came to no result.
pub fn run(args: &IntegrityArgs) -> Result<ExitCode, Fault> {
    match &args.command {
        Command::Key(args) => key::run(args),
        Command::Baseline(args) => baseline::run(args),
        Command::Scan(args) => scan::run(args),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    fs::read(path).map_err(|error| Fault::usage(format!("{}: {error}", path.display())))
}

fn text(path: &Path) -> Result<String, Fault> {
    let not_text = |_| Fault::usage(format!("{} is not text", path.display()));
    String::from_utf8(read(path)?).map_err(not_text)
}
