//! `cargo xtask bench integrity`: what verifying files costs on one core, and what a baseline takes.

use std::process::Command;

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench integrity

Measures in the release profile, on one core, on warm trees that are written for it below the directory for
temporary files: 40,000 files of 4 KiB, then 2 GiB in large files. A baseline of a million entries is packed.";

/// What was promised: figure, what it is, and whether it is the least or the most.
const PROMISED: &[(&str, &str, Bound)] = &[
    ("files_per_second", "files/s", Bound::Least(40_000.0)),
    ("bytes_per_second", "bytes/s", Bound::Least(2e9)),
    ("bytes_per_entry", "bytes an entry of a baseline", Bound::Most(120.0)),
];

enum Bound {
    Least(f64),
    Most(f64),
}

/// Measures, and prints the table. Fails if a promise was missed.
pub(super) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    match arguments {
        [] => {}
        ["--help"] => {
            println!("{USAGE}");
            return Ok(());
        }
        _ => return Err(Failure::usage(USAGE)),
    }
    let mut build = workspace.cargo(&["build", "--release", "--quiet", "--locked"]);
    process::run(build.args(["--package", "ringfort-integrity", "--example", "figures"]))?;
    let program = workspace.built("release")?.join("examples/figures");
    let printed = process::capture(&mut Command::new(program))?;
    let found: Value = serde_json::from_str(&printed)
        .map_err(|_| Failure::stuck("the measurement printed something else"))?;
    let mut missed = Vec::new();
    for (key, what, bound) in PROMISED {
        let figure = found[*key].as_f64().unwrap_or(f64::NAN);
        let (is_kept, promise) = match bound {
            Bound::Least(least) => (figure >= *least, format!("at least {least}")),
            Bound::Most(most) => (figure <= *most, format!("at most {most}")),
        };
        println!("  {figure:14.1} {what} ({promise})");
        missed.extend((!is_kept).then_some(*what));
    }
    match missed.is_empty() {
        true => Ok(()),
        false => Err(Failure::findings(format!("missed: {}", missed.join(", ")))),
    }
}
