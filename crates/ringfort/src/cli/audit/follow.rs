//! `ringfort audit follow`: what is suspicious, as it is kept.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;

use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use ringfort_model::severity::Severity;
use ringfort_store::os::{Follower, Place};

use super::line;
use crate::cli::files::Unread;
use crate::cli::{Fault, print};

/// Tell what is suspicious as it is kept
///
/// Judges what `ringfort audit collect` keeps in a store, from the segment on that is written to, and goes on until
/// it is ended. With --cursor it goes on where it was ended before, over segments that were sealed meanwhile, and
/// counts what was removed before it was judged; what was told last may then be told twice, and nothing is left out.
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
    /// A file that says up to where it was judged: read at the start, and written as it goes on
    #[arg(long, value_name = "FILE")]
    cursor: Option<PathBuf>,
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
    let from = args.cursor.as_deref().map(read).transpose()?.flatten();
    let mut follower = Follower::new(&args.store, from).map_err(Fault::blind)?;
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
        // Behind what was told of it.
        if let Some(cursor) = &args.cursor
            && (came > 0 || args.once)
        {
            write(cursor, follower.place())?;
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

/// Reads a cursor; nothing where it is not there yet.
fn read(path: &Path) -> Result<Option<Place>, Fault> {
    let unread = |why: String| Fault::usage(Unread::of(path, &why));
    match std::fs::read(path) {
        Ok(bytes) => {
            let place = serde_json::from_slice(&bytes);
            place.map(Some).map_err(|error| unread(format!("it is no cursor: {error}")))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unread(error.to_string())),
    }
}

/// Writes a cursor: it has its name when it is whole.
fn write(path: &Path, place: Place) -> Result<(), Fault> {
    let aside = path.with_extension("new");
    let text = line(&place)?;
    let written = std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, path));
    written.map_err(|error| Fault::unable(Unread::of(path, &error.to_string())))
}
