//! `ringfort audit collect`: what an API server logs, kept and judged as it is written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use ringfort_audit::across::Across;
use ringfort_audit::engine::Engine;
use ringfort_audit::finding::Finding;
use ringfort_audit::waiver::Waivers;
use ringfort_store::format::checkpoint::hex;
use ringfort_store::os::{
    ClaimError, CollectError, Collector, Counts, Directory, Limits, Neighbours, Outlet, Settings,
    Told, claim, machine,
};

use super::asked::{Asked, Asking};
use super::{line, now, waivers};
use crate::cli::files::Unread;
use crate::cli::peers::machine_name;
use crate::cli::{Fault, print};

/// Keep what an API server logs, and judge it as it is written
///
/// Follows the log over renames, compression and restarts, and keeps each line in a store that shows what was
/// done to it. Findings are written as JSON lines, as they happen, and kept beside it; so is what may have been lost.
/// Nothing counts as kept before it is durable: when the disk is full nothing more is read, and it goes on when there
/// is room. What a waiver covers is found and kept, and not written. Where feeds, own detections or waivers cannot be
/// read, that is written, and the catalogue alone judges. With --together, what takes many events, or one after another, is
/// judged a second time, three seconds later, with what other machines' servers logged; what ends with an event of this
/// machine's, and rests on another's as well, is told. It ends in good order when it is told to (SIGTERM, Ctrl-C), and goes
/// on from there at its next start.
///
/// Exit codes: 0 everything was kept and could be judged (with --once or told to end), 2 usage, 3 something may be lost or could not
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
    /// Where findings of agents and events of API servers are, as `ringfort audit witness --received` takes them: kept and
    /// told as well
    #[arg(long, value_name = "DIR")]
    received: Option<PathBuf>,
    /// Where what other machines keep is, as `ringfort audit witness --together` brings it: judged with what this one
    /// keeps, and not kept
    #[arg(long, value_name = "DIR", requires = "others")]
    together: Option<PathBuf>,
    /// A machine that what is brought comes from; may be given more than once. While nothing comes of it, that is a finding
    #[arg(long, value_name = "NAME", value_parser = machine_name, requires = "together")]
    others: Vec<String>,
    #[command(flatten)]
    asking: Asking,
    /// Remove segments that were sealed so many days ago
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    keep_days: u32,
    /// Remove the oldest segments while all are longer than so many MiB
    #[arg(long, value_name = "MIB", default_value_t = 20_480)]
    keep_mib: u32,
    /// Seal a segment after so many minutes, or with 128 MiB of events
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    seal_minutes: u32,
    /// End when everything that is there was kept; it is judged alone then, also with --together
    #[arg(long)]
    once: bool,
}

impl CollectArgs {
    /// Where what other machines keep is, if it is judged: a run that ends waits for nobody.
    fn joined(&self) -> Option<&Path> {
        self.together.as_deref().filter(|_| !self.once)
    }
}

const SEAL_BYTES: u64 = 128 << 20;
/// How often it is looked for more: a finding is to come within a moment of its event.
const LOOK: Duration = Duration::from_millis(20);
/// For so long what comes is gathered, to be kept at once. It is judged as it comes.
const GATHER: Duration = Duration::from_millis(250);
const WAIT: Duration = Duration::from_secs(1);
/// For so long at a time it is judged what others' servers logged: the own log does not wait for what they say.
const TOGETHER: Duration = Duration::from_millis(100);

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
        cut: u64,
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
    /// Not all that is asked for can be: only the catalogue is.
    Unasked {
        said: String,
    },
    /// Nothing is read while this holds.
    Waiting {
        said: String,
    },
    /// Nothing of what others keep is judged while this holds; the own log is.
    Apart {
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
    let (Asked { detections, feeds, mut waivers, .. }, is_asked) = asked(args)?;
    let claimed = claim(&args.store).map_err(|error| match error {
        ClaimError::Taken => Fault::usage(error),
        error => Fault::unable(error),
    })?;
    let key = hex(&claimed.key.public().0);
    let feeds = Arc::new(feeds);
    let across = args.joined().is_some().then(|| {
        let feeds = Arc::clone(&feeds);
        Across::new(&detections, feeds, now())
    });
    let engine = Engine::fed(&detections, feeds);
    let mut collector =
        Collector::new(claimed.directory, claimed.key, &settings, engine, now() / 1_000_000)
            .map_err(Fault::unable)?;
    collector.between(ringfort_node::alive);
    if let Some(received) = &args.received {
        let directory = Directory::new(received)
            .map_err(|error| Fault::unable(Unread::of(received, &error)))?;
        collector.receive(Outlet::new(directory));
    }
    if let Some(across) = across {
        join(args, across, &mut collector)?;
    }
    let counts = collector.counts();
    let last = collector.store().last().0;
    let Counts { torn, cut, damaged, .. } = counts;
    say(&Line::Begun { version: VERSION, key, source: &source, last, torn, cut, damaged })?;
    let is_over = told_to_end()?;
    ringfort_node::ready();
    let counts = follow(args, &mut collector, &mut waivers, &is_over)?;
    collector.end(now() / 1_000_000).map_err(Fault::unable)?;
    say(&Line::Counts(counts))?;
    let is_lost = counts.too_long > 0 || counts.gaps > 0 || counts.cut > 0 || counts.damaged;
    let is_blind = counts.unreadable > 0 || counts.lines == 0 && last == 0 || !is_asked;
    // Held to the end.
    drop(claimed.lock);
    Ok(ExitCode::from(if is_lost || is_blind { 3 } else { 0 }))
}

/// Lets the collector judge what it keeps together with what other machines keep.
fn join(
    args: &CollectArgs,
    across: Across,
    collector: &mut Collector<Directory>,
) -> Result<(), Fault> {
    let Some(together) = args.joined() else { return Ok(()) };
    let directory =
        Directory::new(together).map_err(|error| Fault::unable(Unread::of(together, &error)))?;
    let neighbours = Neighbours::new(across, directory, &args.others, now());
    collector.join(neighbours, now() / 1_000_000).map_err(Fault::unable)
}

/// Gives what is asked, and whether that is all that should be. What cannot be read does not keep events from being
/// kept and judged by the catalogue.
fn asked(args: &CollectArgs) -> Result<(Asked, bool), Fault> {
    match args.asking.read(&[]) {
        Ok(asked) => Ok((asked, true)),
        Err(fault) if args.once => Err(fault),
        Err(fault) => {
            say(&Line::Unasked { said: fault.to_string() })?;
            Ok((Asking::plain(), false))
        }
    }
}

/// Hears when it is told to end.
pub(super) fn told_to_end() -> Result<Arc<AtomicBool>, Fault> {
    let is_over = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&is_over);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Fault::unable)?;
    let (ordered, pressed) = {
        let _context = runtime.enter();
        let of = |kind| signal(kind).map_err(Fault::unable);
        (of(SignalKind::terminate())?, of(SignalKind::interrupt())?)
    };
    // It lives as long as the process.
    std::thread::spawn(move || {
        let (mut ordered, mut pressed) = (ordered, pressed);
        runtime.block_on(async {
            tokio::select! {
                _ = ordered.recv() => {}
                _ = pressed.recv() => {}
            }
        });
        heard.store(true, Ordering::Relaxed);
    });
    Ok(is_over)
}

/// Goes on until it is told to end, or until everything is kept.
fn follow(
    args: &CollectArgs,
    collector: &mut Collector<Directory>,
    waivers: &mut Waivers,
    is_over: &AtomicBool,
) -> Result<Counts, Fault> {
    let (mut is_waiting, mut kept_at) = (false, Instant::now());
    let mut brought = Bringing::default();
    loop {
        ringfort_node::alive();
        let is_ending = is_over.load(Ordering::Relaxed);
        let counts = collector.counts();
        let mut tell = |told: Told| tell(&told, counts, waivers);
        let read = match is_ending {
            true => Ok(false),
            // What was delivered does not wait for a log that cannot be read.
            false => {
                let read = collector.read(now(), &mut tell);
                let taken = collector.take(now(), &mut tell);
                let all = [read, taken].into_iter();
                let brought = brought.judge(collector, &mut tell);
                let read = all.collect::<Result<Vec<bool>, _>>();
                read.map(|all| brought || all.contains(&true))
            }
        };
        let is_more = *read.as_ref().unwrap_or(&false);
        // Each time costs a sync of the disk, which etcd may be waiting for.
        let is_time = args.once || is_ending || collector.is_full() || kept_at.elapsed() >= GATHER;
        let kept = if is_time { collector.keep(now() / 1_000_000, &mut tell) } else { Ok(()) };
        if is_time {
            kept_at = Instant::now();
        }
        if is_ending {
            return kept.map(|()| collector.counts()).map_err(Fault::unable);
        }
        let trouble = match (&read, &kept) {
            (Err(error), _) => Some(error.to_string()),
            (_, Err(error)) => Some(error.to_string()),
            _ => None,
        };
        match (trouble, args.once) {
            (None, true) if !is_more => return Ok(collector.counts()),
            (None, _) => {
                is_waiting &= !is_time;
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

/// What others' servers logged, as it is brought.
#[derive(Default)]
struct Bringing {
    /// Why it is not, where that was said.
    said: Option<String>,
}

impl Bringing {
    /// Judges it, and says whether there is more. What is wrong with it is said once, and holds up nothing else.
    fn judge(&mut self, collector: &mut Collector<Directory>, tell: &mut dyn FnMut(Told)) -> bool {
        let begun = Instant::now();
        let mut is_over = || begun.elapsed() >= TOGETHER;
        let (is_more, trouble) = match collector.judge_together(now(), &mut is_over, tell) {
            Ok(is_more) => (is_more, None),
            Err(error) => (false, Some(error.to_string())),
        };
        if let Some(said) = trouble.clone().filter(|_| self.said != trouble) {
            let _ = say(&Line::Apart { said });
        }
        self.said = trouble;
        is_more
    }
}

fn tell(told: &Told, counts: Counts, waivers: &mut Waivers) {
    if let Told::Finding(finding) = told {
        waivers::end(waivers);
        if waivers.cover(finding).is_some() {
            return;
        }
    }
    // Who does not listen does not stop anything from being kept.
    let _ = match told {
        Told::Finding(finding) => say(&Line::Finding(finding)),
        Told::Sealed(sealed) => say(&Line::Sealed { checkpoint: &sealed.statement, counts }),
        Told::Gap => say(&Line::Gap),
    };
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
