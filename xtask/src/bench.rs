//! `cargo xtask bench`: measures what CI has no time for.

use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

/// Runs the benchmark that is named first.
pub(crate) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    match arguments.split_first() {
        Some((&"simulate", rest)) => simulate(workspace, rest),
        _ => Err(Failure::usage("usage: cargo xtask bench simulate [ARGUMENTS OF THE SIMULATION]")),
    }
}

/// Runs the engine's simulation at full speed over as many seeds as asked for.
fn simulate(workspace: &Workspace, rest: &[&str]) -> Result<()> {
    let mut command = workspace.cargo(&["run", "--release", "--locked"]);
    command.args(["--package", "ringfort-engine", "--example", "simulate", "--"]).args(rest);
    process::run(&mut command)
}
