//! `ringfort audit follow`: what is suspicious, as it is kept.

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;

use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use ringfort_audit::finding::Finding;
use ringfort_store::format::entry::{Entry, Kind};
use ringfort_store::format::reported::Reported;
use ringfort_store::os::{Follower, FoundFollower};

use super::asked::Asking;
use super::line;
use super::receivers::Receivers;
use super::stored::StoreArg;
use super::tell::Teller;
use crate::cli::{Fault, cursor};

/// Tell what is suspicious as it is kept
///
/// Judges what `ringfort audit collect` keeps in a store, from the segment on that is written to, and goes on until
/// it is ended. With --cursor it goes on where it was ended before, over segments that were sealed meanwhile, and
/// counts what was removed before it was judged; what was told last may then be told twice, and nothing is left out.
///
/// A finding that comes again within ten minutes is counted, and told once more with the number. What cannot be
/// judged is counted on standard error. What receivers on the network do not take waits on disk and is sent again.
///
/// Exit codes: 2 usage, 3 the store cannot be read, 4 a finding or a number cannot be written, or with --once cannot
/// be sent; with --once, 0 nothing was found that nobody answers for, 1 something was, and 3 nothing was, but not
/// everything could be judged.
#[derive(Args)]
pub struct FollowArgs {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    asking: Asking,
    /// Tell what the collector found when it judged, and judge nothing again
    #[arg(long, conflicts_with_all = ["feeds", "own"])]
    found: bool,
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
    #[command(flatten)]
    receivers: Receivers,
}

const LOOK: Duration = Duration::from_millis(50);

/// Where findings come from.
trait Findings {
    /// Gives what was found since the last look, and how much was looked at.
    fn look(&mut self, findings: &mut Vec<Finding>) -> Result<u64, Fault>;
    /// How much could not be judged, in whole or in part.
    fn blind(&self) -> u64;
    /// How many of these are events without a time, which what takes many of them, or one after another, cannot judge.
    fn timeless(&self) -> u64;
    /// Up to where it was looked, to go on from.
    fn cursor(&self) -> Result<String, Fault>;
}

/// Runs the command.
pub fn run(args: &FollowArgs) -> Result<ExitCode, Fault> {
    let (asked, store) = (args.asking.read(&[])?, args.store.path()?);
    let mut source: Box<dyn Findings> = match args.found {
        true => {
            let from = args.cursor.as_deref().map(cursor::read).transpose()?.flatten();
            let follower = FoundFollower::new(&store, from).map_err(Fault::blind)?;
            Box::new(Kept { follower, asking: &args.asking })
        }
        false => {
            let engine = Engine::fed(&asked.detections, asked.feeds);
            let from = args.cursor.as_deref().map(cursor::read).transpose()?.flatten();
            let follower = Follower::new(&store, from).map_err(Fault::blind)?;
            Box::new(Judged { follower, engine, unjudged: 0 })
        }
    };
    let (sinks, metrics) = (args.receivers.open()?, args.metrics.as_deref());
    let mut teller = Teller::new(args.json, args.syslog, metrics, sinks, asked.waivers)?;
    follow(args, source.as_mut(), &mut teller)
}

/// Goes on until it is ended, or until all that is there was told.
fn follow(
    args: &FollowArgs,
    source: &mut dyn Findings,
    teller: &mut Teller,
) -> Result<ExitCode, Fault> {
    let (mut findings, mut told) = (Vec::new(), 0);
    loop {
        let came = source.look(&mut findings)?;
        let blind = source.blind();
        if blind > told {
            anstream::eprintln!("not judged, in whole or in part: {}", counted(source));
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
            cursor::write(cursor, &source.cursor()?)?;
        }
        if args.once {
            teller.drain()?;
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

/// How much could not be judged, in words.
fn counted(source: &dyn Findings) -> String {
    match (source.blind(), source.timeless()) {
        (blind, 0) => blind.to_string(),
        (blind, timeless) => format!("{blind}, of these events without a time: {timeless}"),
    }
}

/// Events of a store, judged here.
struct Judged {
    follower: Follower,
    engine: Engine,
    unjudged: u64,
}

impl Findings for Judged {
    fn look(&mut self, findings: &mut Vec<Finding>) -> Result<u64, Fault> {
        let Self { follower, engine, unjudged } = self;
        let mut judge = |entry: &Entry<'_>| {
            if entry.kind == Kind::Finding {
                match Reported::read(entry.text) {
                    Some(reported) => findings.push(reported.finding),
                    None => *unjudged += 1,
                }
                return;
            }
            each(entry.text, &mut |found| match found {
                Found::Event(event) => {
                    *unjudged += u64::from(engine.judge(event, findings).is_some());
                }
                Found::Fault(_) => *unjudged += 1,
                Found::Other => {}
            });
        };
        follower.look(&mut judge).map_err(Fault::blind)
    }

    fn blind(&self) -> u64 {
        let Self { follower, engine, unjudged } = self;
        unjudged + follower.unread() + engine.starved() + engine.forgotten() + engine.timeless()
    }

    fn timeless(&self) -> u64 {
        self.engine.timeless()
    }

    fn cursor(&self) -> Result<String, Fault> {
        line(&self.follower.place())
    }
}

/// What a collector found.
struct Kept<'a> {
    follower: FoundFollower,
    asking: &'a Asking,
}

impl Findings for Kept<'_> {
    fn look(&mut self, findings: &mut Vec<Finding>) -> Result<u64, Fault> {
        let least = self.asking.severity;
        let visit = &mut |finding: Finding| {
            if finding.severity >= least {
                findings.push(finding);
            }
        };
        self.follower.look(visit).map_err(Fault::blind)
    }

    fn blind(&self) -> u64 {
        self.follower.unread() + self.follower.unjudged()
    }

    fn timeless(&self) -> u64 {
        0
    }

    fn cursor(&self) -> Result<String, Fault> {
        line(self.follower.place())
    }
}

#[cfg(test)]
mod tests {
    use ringfort_audit::detections::DETECTIONS;
    use ringfort_store::os::{Collector, Limits, Settings, claim};

    use super::*;

    /// 2026-01-05T10:00:00Z.
    const NOW: i64 = 1_767_607_200;

    fn refused(number: u32, time: &str) -> String {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"{number}","stage":"ResponseComplete","verb":"list","user":{{"username":"eve"}},"objectRef":{{"resource":"secrets","apiVersion":"v1"}},"responseStatus":{{"code":403}},"requestReceivedTimestamp":"{time}"}}"#
        ) + "\n"
    }

    /// What counts within a while cannot count them, and must not look as if there had been none.
    #[test]
    fn events_without_a_time_are_counted_and_said() {
        let directory = tempfile::tempdir().unwrap();
        let (log, store) = (directory.path().join("audit.log"), directory.path().join("store"));
        let limits =
            Limits { seal_bytes: 1 << 20, seal_seconds: 60, keep_bytes: 1 << 20, keep_seconds: 60 };
        let claimed = claim(&store).unwrap();
        let settings = Settings { log: log.clone(), source: "cp1".to_owned(), limits };
        let engine = Engine::new(DETECTIONS);
        let mut collector =
            Collector::new(claimed.directory, claimed.key, &settings, engine, NOW).unwrap();
        let follower = Follower::new(&store, None).unwrap();
        let mut source = Judged { follower, engine: Engine::new(DETECTIONS), unjudged: 0 };
        for (lines, expected) in [
            (refused(1, "2026-01-05T10:00:00.000001Z"), "0"),
            (refused(2, "") + &refused(3, "soon"), "2, of these events without a time: 2"),
        ] {
            let before = std::fs::read_to_string(&log).unwrap_or_default();
            std::fs::write(&log, before + &lines).unwrap();
            while collector.read(NOW * 1_000_000, &mut |_| ()).unwrap() {}
            collector.keep(NOW, &mut |_| ()).unwrap();
            assert!(source.look(&mut Vec::new()).is_ok_and(|came| came > 0));
            assert_eq!(counted(&source), expected);
        }
    }
}
