//! `ringfort integrity key`: makes the key that signs baselines.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use ringfort_pki::Ed25519Key;

use super::text;
use crate::cli::{Fault, print};

/// Make the key that signs baselines, unless it is there, and print its public half
///
/// Whoever has the private half decides what machines should hold: keep it off them. The public half goes
/// with a baseline to whoever compares.
///
/// Exit codes: 0 well, 2 usage, or the file holds something else, 4 the file cannot be written.
#[derive(clap::Args)]
pub struct KeyArgs {
    /// The private half, readable by its owner alone
    file: PathBuf,
}

/// Makes or reads the key.
///
/// # Errors
/// The file holds no such key, or cannot be written.
pub fn run(args: &KeyArgs) -> Result<ExitCode, Fault> {
    let mut new = OpenOptions::new();
    let key = match new.write(true).create_new(true).mode(0o600).open(&args.file) {
        Ok(mut file) => {
            let key = Ed25519Key::make().map_err(Fault::unable)?;
            let pem = key.pem().map_err(Fault::unable)?;
            let written = file.write_all(pem.expose().as_bytes()).and_then(|()| file.sync_all());
            written.map_err(|error| unable(args, &error))?;
            key
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Ed25519Key::read(&text(&args.file)?).map_err(Fault::usage)?
        }
        Err(error) => return Err(unable(args, &error)),
    };
    print(&key.public().pem());
    Ok(ExitCode::SUCCESS)
}

fn unable(args: &KeyArgs, error: &std::io::Error) -> Fault {
    Fault::unable(format!("{}: {error}", args.file.display()))
}
