//! `ringfort audit follow`: what is suspicious, as it is kept.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;

use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use ringfort_store::os::{Follower, Place};

use super::asked::Asking;
use super::line;
use super::tell::Teller;
use crate::cli::Fault;
use crate::cli::files::Unread;

/// Tell what is suspicious as it is kept
///
/// Judges what `ringfort audit collect` keeps in a store, from the segment on that is written to, and goes on until
/// it is ended. With --cursor it goes on where it was ended before, over segments that were sealed meanwhile, and
/// counts what was removed before it was judged; what was told last may then be told twice, and nothing is left out.
///
/// A finding that comes again within ten minutes is counted, and told once more with the number. What cannot be
/// judged is counted on standard error.
///
/// Exit codes: 2 usage, 3 the store cannot be read, 4 a finding or a number cannot be written; with --once, 0 nothing
/// was found that nobody answers for, 1 something was, and 3 nothing was, but not everything could be judged.
#[derive(Args)]
pub struct FollowArgs {
    /// Where it is kept
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    #[command(flatten)]
    asking: Asking,
    /// A file that says up to where it was judged: read at the start, and written as it goes on
    #[arg(long, value_name = "FILE")]
    cursor: Option<PathBuf>,
    /// End when everything that is there was judged
    #[arg(long)]
    once: bool,
    /// Write findings as JSON objects, one a line
    #[arg(long)]
    json: bool,
    /// Write findings to the machine's log as well, as messages of log audit
    #[arg(long)]
    syslog: bool,
    /// Write numbers for Prometheus to this file, which node exporter's textfile collector reads
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
}

const LOOK: Duration = Duration::from_millis(50);

/// Runs the command.
pub fn run(args: &FollowArgs) -> Result<ExitCode, Fault> {
    let asked = args.asking.read(&[])?;
    let mut engine = Engine::fed(&asked.detections, asked.feeds);
    let from = args.cursor.as_deref().map(read).transpose()?.flatten();
    let mut follower = Follower::new(&args.store, from).map_err(Fault::blind)?;
    let mut teller = Teller::new(args.json, args.syslog, args.metrics.as_deref(), asked.waivers)?;
    let mut findings = Vec::new();
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
            teller.tell(&finding)?;
        }
        teller.settle(args.once)?;
        teller.count(blind, args.once)?;
        // Behind what was told of it.
        if let Some(cursor) = &args.cursor
            && (came > 0 || args.once)
        {
            write(cursor, follower.place())?;
        }
        if args.once {
            return Ok(ExitCode::from(match (teller.count, blind) {
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
