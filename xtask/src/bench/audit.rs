//! `cargo xtask bench audit`: what decoding and judging audit events costs on one core.

use std::process::Command;

use super::figures;
use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench audit

Measures in the release profile, on one core, on a mix of events that is the same at every run.";

/// What was promised: events decoded and judged by all detections in a second on one core.
const JUDGED: f64 = 500_000.0;
/// The least part of events that has to carry bodies for the figure to say something.
const WITH_BODIES_PERCENT: f64 = 30.0;

/// Measures, and prints the table. Fails if the promise was missed.
pub(super) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    if !figures::is_asked(arguments, USAGE)? {
        return Ok(());
    }
    let program = figures::program(workspace, "ringfort-audit")?;
    let found = figures::found(&mut Command::new(program))?;
    let number = |key: &str| found[key].as_f64().unwrap_or(f64::NAN);
    println!(
        "{} events of {} bytes, {} % with bodies, {} distinct bodies, {} detections, {} findings",
        found["events"],
        found["bytes_per_event"],
        found["with_bodies_percent"],
        found["distinct_bodies"],
        found["detections"],
        found["findings"]
    );
    println!("  decoded             {:9.0} events/s", number("decoded_per_second"));
    println!(
        "  decoded and judged  {:9.0} events/s (at least {JUDGED})",
        number("judged_per_second")
    );
    let is_enough = number("with_bodies_percent") >= WITH_BODIES_PERCENT;
    match is_enough && number("judged_per_second") >= JUDGED {
        true => Ok(()),
        false => Err(Failure::findings("missed: events decoded and judged, with enough bodies")),
    }
}
