//! `ringfort integrity`: what of a machine's files is not as it should be. Arguments and output only; the
//! room is `ringfort_integrity`.

mod accept;
mod baseline;
mod canary;
mod changes;
mod execs;
mod key;
mod machines;
mod report;
mod scan;
pub mod signed;
mod status;
mod verify;
mod watch;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use ringfort_model::integrity::STATE;

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
    Watch(watch::WatchArgs),
    Report(report::ReportArgs),
    Status(status::StatusArgs),
    Changes(changes::ChangesArgs),
    Accept(accept::AcceptArgs),
    Verify(verify::VerifyArgs),
    #[command(hide = true)]
    Canary(canary::CanaryArgs),
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
        Command::Watch(args) => watch::run(args),
        Command::Report(args) => report::run(args),
        Command::Status(args) => status::run(args),
        Command::Changes(args) => changes::run(args),
        Command::Accept(args) => accept::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Canary(args) => canary::run(args),
    }
}

/// Writes what a machine says so that it stays where it is put: a name may hold anything, also what looks like the
/// next line or moves the cursor.
fn plain(text: &str) -> String {
    let one = |letter: char| match letter {
        ' '..='~' => letter.to_string(),
        other => other.escape_default().to_string(),
    };
    text.chars().map(one).collect()
}

/// Says how much of a scan was not compared: what so many files and directories hold.
fn not_compared(files: u64, directories: u64) -> String {
    format!(
        "not compared: contents of {files} files and of {directories} directories, which nobody knows beforehand\n"
    )
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    fs::read(path).map_err(|error| Fault::usage(format!("{}: {error}", path.display())))
}

fn text(path: &Path) -> Result<String, Fault> {
    let not_text = |_| Fault::usage(format!("{} is not text", path.display()));
    String::from_utf8(read(path)?).map_err(not_text)
}
