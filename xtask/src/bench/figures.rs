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

/// Something that was promised: where the figure is, what it is, and whether it is the least or the most.
pub(super) type Promise = (&'static str, &'static str, Bound);

/// How good a figure has to be.
pub(super) enum Bound {
    Least(f64),
    Most(f64),
}

/// Prints figures beside what was promised. Fails if a promise was missed, or could not be looked at.
pub(super) fn compare(found: &Value, promised: &[Promise]) -> Result<()> {
    let (mut missed, mut unseen) = (Vec::new(), Vec::new());
    for (pointer, what, bound) in promised {
        let Some(figure) = found.pointer(pointer).and_then(Value::as_f64) else {
            unseen.push(*what);
            continue;
        };
        let (is_kept, promise) = match bound {
            Bound::Least(least) => (figure >= *least, format!("at least {least}")),
            Bound::Most(most) => (figure <= *most, format!("at most {most}")),
        };
        println!("  {figure:14.1} {what} ({promise})");
        missed.extend((!is_kept).then_some(*what));
    }
    match (missed.is_empty(), unseen.is_empty()) {
        (true, true) => Ok(()),
        (false, _) => Err(Failure::findings(format!("missed: {}", missed.join(", ")))),
        (true, false) => Err(Failure::stuck(format!("not measured: {}", unseen.join(", ")))),
    }
}
