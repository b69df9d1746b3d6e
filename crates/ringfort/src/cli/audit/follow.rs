//! `ringfort audit follow`: what is suspicious, as it is kept.

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;

use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use ringfort_model::severity::Severity;
use ringfort_store::os::Follower;

use super::line;
use crate::cli::{Fault, print};

/// Tell what is suspicious as it is kept
///
/// Judges what `ringfort audit collect` keeps in a store, from the segment on that is written to, and goes on until
/// it is ended.
///
/// What cannot be judged is counted on standard error.
///
/// Exit codes: 2 usage, 3 the store cannot be read; with --once, 0 nothing was found, 1 something was, and 3 nothing
/// was found, but not everything could be judged.
#[derive(Args)]
pub struct FollowArgs {
    /// Where it is kept
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// Look for what is at least as grave: low, medium, high or critical
    #[arg(long, value_name = "SEVERITY", default_value = "low")]
    severity: Severity,
    /// End when everything that is there was judged
    #[arg(long)]
    once: bool,
    /// Write findings as JSON objects, one a line
    #[arg(long)]
    json: bool,
}

const LOOK: Duration = Duration::from_millis(50);

/// Runs the command.
pub fn run(args: &FollowArgs) -> Result<ExitCode, Fault> {
    let asked: Vec<_> =
        DETECTIONS.iter().filter(|it| it.severity >= args.severity).copied().collect();
    let mut engine = Engine::new(&asked);
    let mut follower = Follower::new(&args.store).map_err(Fault::blind)?;
    let (mut findings, mut count) = (Vec::new(), 0_u64);
    let (mut unjudged, mut told) = (0_u64, 0_u64);
    loop {
        let came = follower
            .look(&mut |entry| {
                each(entry.text, &mut |found| match found {
                    Found::Event(event) => {
                        unjudged += u64::from(engine.judge(event, &mut findings).is_some());
                    }
                    Found::Fault(_) => unjudged += 1,
                    Found::Other => {}
                });
            })
            .map_err(Fault::blind)?;
        let blind = unjudged + follower.unread() + engine.starved() + engine.forgotten();
        if blind > told {
            anstream::eprintln!("not judged, in whole or in part: {blind}");
            told = blind;
        }
        for finding in findings.drain(..) {
            count += 1;
            print(&if args.json { line(&finding)? } else { format!("{finding}\n") });
        }
        if args.once {
            return Ok(ExitCode::from(match (count, blind) {
                (0, 0) => 0,
                (0, _) => 3,
                _ => 1,
            }));
        }
        if came == 0 {
            sleep(LOOK);
        }
    }
}
