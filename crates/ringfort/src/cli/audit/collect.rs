//! `ringfort audit collect`: what an API server logs, kept and judged as it is written.

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::finding::Finding;
use ringfort_store::format::checkpoint::hex;
use ringfort_store::os::{
    ClaimError, CollectError, Collector, Counts, Directory, Limits, Settings, Told, claim, machine,
};

use super::{line, now};
use crate::cli::{Fault, print};

/// Keep what an API server logs, and judge it as it is written
///
/// Follows the log over renames, compression and restarts, and keeps each line in a store that shows what was
/// done to it. Findings are written as JSON lines, as they happen; so is what may have been lost. Nothing counts as
/// kept before it is durable: when the disk is full nothing more is read, and it goes on when there is room.
///
/// Exit codes: 0 everything was kept and could be judged (with --once), 2 usage, 3 something may be lost or could not
/// be judged, or the log cannot be read, 4 the store cannot be written.
#[derive(Args)]
pub struct CollectArgs {
    /// The log, as the API server's --audit-log-path says
    #[arg(long, value_name = "FILE", default_value = "/var/log/kubernetes/audit.log")]
    log: PathBuf,
    /// Where it is kept: a directory that nobody else needs to read
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// What this machine's entries are called after; its name if nothing is said
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Remove segments that were sealed so many days ago
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    keep_days: u32,
    /// Remove the oldest segments while all are longer than so many MiB
    #[arg(long, value_name = "MIB", default_value_t = 20_480)]
    keep_mib: u32,
    /// Seal a segment after so many minutes, or with 128 MiB of events
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    seal_minutes: u32,
    /// End when everything that is there was kept
    #[arg(long)]
    once: bool,
}

const SEAL_BYTES: u64 = 128 << 20;
/// How often it is looked for more: a finding is to come within a moment of its event.
const LOOK: Duration = Duration::from_millis(20);
const WAIT: Duration = Duration::from_secs(1);

/// A line of what is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "type")]
enum Line<'l> {
    /// The first.
    #[serde(rename_all = "camelCase")]
    Begun {
        version: u32,
        key: String,
        source: &'l str,
        last: u64,
        torn: u64,
        damaged: bool,
    },
    Finding(&'l Finding),
    #[serde(rename_all = "camelCase")]
    Sealed {
        checkpoint: &'l str,
        counts: Counts,
    },
    /// A file was gone or cut before it was read to its end.
    Gap,
    /// Nothing is read while this holds.
    Waiting {
        said: String,
    },
    Counts(Counts),
}

const VERSION: u32 = 1;

/// Runs the command.
pub fn run(args: &CollectArgs) -> Result<ExitCode, Fault> {
    let source = args.source.clone().unwrap_or_else(machine);
    let settings = Settings {
        log: args.log.clone(),
        source: source.clone(),
        limits: Limits {
            seal_bytes: SEAL_BYTES,
            seal_seconds: 60 * i64::from(args.seal_minutes),
            keep_bytes: u64::from(args.keep_mib) << 20,
            keep_seconds: 86_400 * i64::from(args.keep_days),
        },
    };
    let claimed = claim(&args.store).map_err(|error| match error {
        ClaimError::Taken => Fault::usage(error),
        error => Fault::unable(error),
    })?;
    let key = hex(&claimed.key.public().0);
    let mut collector =
        Collector::new(claimed.directory, claimed.key, &settings, DETECTIONS, now() / 1_000_000)
            .map_err(Fault::unable)?;
    let counts = collector.counts();
    let (torn, damaged, last) = (counts.torn, counts.damaged, collector.store().last().0);
    say(&Line::Begun { version: VERSION, key, source: &source, last, torn, damaged })?;
    let counts = follow(args, &mut collector)?;
    say(&Line::Counts(counts))?;
    let is_lost = counts.too_long > 0 || counts.gaps > 0 || counts.damaged;
    let is_blind = counts.unreadable > 0 || counts.lines == 0 && last == 0;
    // Held to the end.
    drop(claimed.lock);
    Ok(ExitCode::from(if is_lost || is_blind { 3 } else { 0 }))
}

/// Goes on for ever, or until everything is kept.
fn follow(args: &CollectArgs, collector: &mut Collector<Directory>) -> Result<Counts, Fault> {
    let mut is_waiting = false;
    loop {
        let counts = collector.counts();
        let mut tell = |told: Told| {
            // Who does not listen does not stop anything from being kept.
            let _ = match &told {
                Told::Finding(finding) => say(&Line::Finding(finding)),
                Told::Sealed(sealed) => {
                    say(&Line::Sealed { checkpoint: &sealed.statement, counts })
                }
                Told::Gap => say(&Line::Gap),
            };
        };
        let read = collector.read(now(), &mut tell);
        let is_more = match &read {
            Ok(is_more) => *is_more,
            Err(_) => false,
        };
        let kept = collector.keep(now() / 1_000_000, &mut tell);
        let trouble = match (&read, &kept) {
            (Err(error), _) => Some(error.to_string()),
            (_, Err(error)) => Some(error.to_string()),
            _ => None,
        };
        match (trouble, args.once) {
            (None, true) if !is_more => return Ok(collector.counts()),
            (None, _) => {
                is_waiting = false;
                if !is_more {
                    sleep(LOOK);
                }
            }
            (Some(_), true) => return Err(ended(read.err(), kept.err())),
            (Some(said), false) => {
                if !is_waiting {
                    say(&Line::Waiting { said })?;
                }
                is_waiting = true;
                sleep(WAIT);
            }
        }
    }
}

fn ended(read: Option<CollectError>, kept: Option<ringfort_store::os::AppendError>) -> Fault {
    match (read, kept) {
        (Some(error), _) => Fault::blind(error),
        (None, Some(error)) => Fault::unable(error),
        (None, None) => Fault::unable("nothing more is kept"),
    }
}

fn say(said: &Line<'_>) -> Result<(), Fault> {
    print(&line(said)?);
    Ok(())
}
