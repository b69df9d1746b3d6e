//! Measuring programs: each is the example `ROOM-figures` of a room, built as it is released, and prints JSON.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

/// Says whether a benchmark without arguments is to run; else its usage was printed.
pub(super) fn is_asked(arguments: &[&str], usage: &str) -> Result<bool> {
    match arguments {
        [] => Ok(true),
        ["--help"] => {
            println!("{usage}");
            Ok(false)
        }
        _ => Err(Failure::usage(usage)),
    }
}

/// Builds the measuring program of a room.
pub(super) fn program(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    let mut build = workspace.cargo(&["build", "--release", "--quiet", "--locked"]);
    let example = format!("{}-figures", package.trim_start_matches("ringfort-"));
    process::run(build.args(["--package", package, "--example", &example]))?;
    Ok(workspace.built("release")?.join("examples").join(example))
}

/// Runs it, and reads what it found.
pub(super) fn found(command: &mut Command) -> Result<Value> {
    let printed = process::capture(command)?;
    serde_json::from_str(&printed)
        .map_err(|_| Failure::stuck("the measurement printed something else"))
}
