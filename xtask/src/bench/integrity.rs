//! `cargo xtask bench integrity`: what verifying files costs on one core, and what a baseline takes.

use std::process::Command;

use super::figures;
use crate::failure::{Failure, Result};
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
    if !figures::is_asked(arguments, USAGE)? {
        return Ok(());
    }
    let program = figures::program(workspace, "ringfort-integrity")?;
    let found = figures::found(&mut Command::new(program))?;
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
