//! `ringfort audit witness`: sees another machine's checkpoints, and shows it one's own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use ringfort_audit::finding::Finding;
use ringfort_model::identity::witness_of;
use ringfort_store::format::checkpoint::hex;
use ringfort_store::os::{
    Answering, COUNT, Came, Claim, ClaimError, Directory, Door, Notes, Offering, Office, PATIENCE,
    Papers, Peer, Sharing, Tls, Witness, claim,
};

use super::collect::told_to_end;
use super::{bring, count, intake, line, now};
use crate::cli::files::Unread;
use crate::cli::peers::{PapersArgs, machine_name, peer};
use crate::cli::{Fault, print};

/// Witness the checkpoints of another machine's log, and show one's own to a witness
///
/// A checkpoint that goes on from the one that was seen before is noted, countersigned with a key that was made here,
/// and given back; a log that was rewritten, shortened or put back is refused, and that is noted too. A log of another
/// key is another log: what was seen of the one before stays noted, and is told. One's own
/// checkpoints are shown to the machine of --shows as they are sealed; while it is away they wait. Both sides show
/// certificates of the cluster's authority for `ringfort:witness:NAME`; nobody else is heard. Only TLS 1.3 is spoken.
/// `ringfort audit verify --witness KEY=FILE` compares a store with what was noted: the files are `seen.NAME` at the
/// witness and `witnessed` at the machine that was seen.
///
/// With --received, what integrity agents of machines deliver is taken at the same door, from certificates for
/// `ringfort:agent:NAME`; and with --events-from, what webhook backends of API servers send to `/events`: 200 is answered
/// when it is durable.
///
/// With --counts, an API server is asked every half minute how many events it logged (`/metrics`), and what of them is not
/// in the store is a finding, as is that nothing of what is asked comes there. It goes to the machine of --shows, and is
/// kept here where that one is away.
///
/// With --reads, the machines named there may read at the same door what is kept in the store (`/kept/`), and what they
/// keep is read of them each second, for `ringfort audit collect --together`. Whose it is, their certificates say.
///
/// Lines of JSON say what happens. It ends in good order when it is told to (SIGTERM, Ctrl-C).
///
/// Exit codes: 0 told to end, 2 usage, 4 it cannot listen, or its directory cannot be used.
#[derive(Args)]
pub struct WitnessArgs {
    /// The store whose checkpoints are shown, as `ringfort audit collect` keeps it
    #[arg(long, value_name = "DIR")]
    pub(super) store: PathBuf,
    /// Where the key is and what was seen: a directory that nobody else needs to read
    #[arg(long, value_name = "DIR")]
    pub(super) state: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    #[command(flatten)]
    papers: PapersArgs,
    /// A machine whose checkpoints are seen; may be given more than once
    #[arg(long, value_name = "NAME", value_parser = machine_name)]
    hears: Vec<String>,
    /// The machine that sees this one's
    #[arg(long, value_name = "NAME=ADDRESS:PORT", value_parser = peer)]
    pub(super) shows: Option<(String, SocketAddr)>,
    /// Where goes what integrity agents of machines deliver, for `ringfort audit collect --received`: a directory
    #[arg(long, value_name = "DIR")]
    received: Option<PathBuf>,
    /// Whom an API server's certificate speaks for (its common name) that sends events; may be given more than once
    #[arg(long, value_name = "NAME", requires = "received")]
    events_from: Vec<String>,
    /// A machine that what it keeps is read of, and that may read what is kept here; may be given more than once
    #[arg(long, value_name = "NAME=ADDRESS:PORT", value_parser = peer, requires = "together")]
    pub(super) reads: Vec<(String, SocketAddr)>,
    /// Where goes what is read of others, for `ringfort audit collect --together`: a directory, best in memory
    #[arg(long, value_name = "DIR", requires = "reads")]
    pub(super) together: Option<PathBuf>,
    /// The API server whose log the store keeps, under the name that its entries have there
    #[arg(long, value_name = "NAME=ADDRESS:PORT", value_parser = peer, requires = "received")]
    counts: Option<(String, SocketAddr)>,
}

/// A line of what is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub(super) enum Line<'l> {
    /// The first.
    Begun { version: u32, key: &'l str, listens: SocketAddr },
    /// Checkpoints of another were seen.
    Seen { machine: &'l str, through: u64 },
    /// Another has begun a log with another key: it was set up anew, or somebody exchanged it.
    Replaced { machine: &'l str },
    /// An agent delivered findings, and there was no room for so many, ever.
    Received { machine: &'l str, findings: usize, lost: u64 },
    /// An API server sent events.
    Events { server: &'l str, events: usize },
    /// Another's were refused, or could not be noted.
    Unseen { machine: &'l str, said: String },
    /// Nothing is read of another.
    Unheard { of: &'l str, said: &'l str },
    /// It is again.
    Heard { of: &'l str },
    /// The own ones were seen.
    Witnessed { by: &'l str, through: u64 },
    /// The own ones wait.
    Waiting { by: &'l str, said: &'l str },
    /// What the own API server logged did not come.
    Finding(&'l Finding),
    /// Nothing is compared with what the API server counts.
    Uncounted { said: &'l str },
    /// It is again: so many events since the server began, or since counting did.
    Counted { events: u64, lost: u64 },
}

const VERSION: u32 = 1;
/// How often it is looked for a segment that was sealed.
const LOOK: Duration = Duration::from_secs(5);
/// So many bytes of events are taken at once: an API server's batch of 400, or of the 10 MiB that it can be told to cut
/// at.
const MOST_EVENTS: usize = 16 << 20;
/// How long is waited after a failure at most.
const MOST_PAUSE: Duration = Duration::from_secs(60);
/// How often it is looked whether all of it goes on, and how soon an end is heard.
const ALIVE: Duration = Duration::from_millis(250);

/// Runs the command.
pub fn run(args: &WitnessArgs) -> Result<ExitCode, Fault> {
    let papers = args.papers.read()?;
    let Claim { directory, key, lock } = claim(&args.state).map_err(|error| match error {
        ClaimError::Taken => Fault::usage(Unread::of(&args.state, &"another witnesses there")),
        error => Fault::unable(Unread::of(&args.state, &error)),
    })?;
    let public = hex(&key.public().0);
    let unable = |error: &dyn std::fmt::Display| Fault::unable(Unread::of(&args.state, error));
    let witness = Witness::open(Notes::new(directory), key).map_err(|error| unable(&error))?;
    let offering = args.shows.as_ref().map(|shows| offering(args, &papers, shows)).transpose()?;
    let counting = args.counts.as_ref().map(|counts| count::counting(args, &papers, counts));
    let counting = counting.transpose()?;
    if counting.is_none() {
        // What was known once says nothing of now.
        let _ = std::fs::remove_file(args.state.join(COUNT));
    }
    let intake = args.received.as_deref().map(intake).transpose()?;
    let mut door = Door::open(args.listen, &papers, PATIENCE).map_err(Fault::unable)?;
    if !args.events_from.is_empty() {
        door = door.taking(MOST_EVENTS);
    }
    let listens = door.at().map_err(Fault::unable)?;
    say(&Line::Begun { version: VERSION, key: &public, listens })?;
    let is_over = told_to_end()?;
    let office = Office::new(witness, args.hears.clone(), intake);
    let readers = args.reads.iter().map(|(machine, _)| machine.clone());
    let office = office.for_readers(Sharing::new(args.store.clone(), readers));
    let office = Arc::new(office.for_servers(args.events_from.clone()));
    let answering = answering(Arc::clone(&office));
    // It lives as long as the process.
    std::thread::spawn(move || door.serve(&answering));
    // A witness that is slow must not keep systemd waiting for a sign of life.
    let over = || {
        let is_over = Arc::clone(&is_over);
        move || is_over.load(Ordering::Relaxed)
    };
    let (shown, counted) = (over(), over());
    let bringing = bring::begin(args, &papers, &over)?;
    let showing = offering.map(|offering| std::thread::spawn(move || show(offering, &shown)));
    let counting = counting
        .map(|counting| std::thread::spawn(move || count::go_on(counting, &office, &counted)));
    let mut workers: Vec<_> = showing.into_iter().chain(counting).chain(bringing).collect();
    ringfort_node::ready();
    while !is_over.load(Ordering::Relaxed) {
        ringfort_node::alive();
        // Who is to show or to count and does not any more is started anew.
        if let Some(ended) = workers.iter().position(|worker| worker.is_finished()) {
            let _ = workers.swap_remove(ended).join();
            let said = "nothing is shown to the witness, counted, or read of others any more";
            return Err(Fault::unable(said));
        }
        sleep(ALIVE);
    }
    drop(lock);
    Ok(ExitCode::SUCCESS)
}

fn answering(office: Arc<Office<Directory>>) -> Arc<Answering> {
    Arc::new(move |caller, request| {
        office.answer(caller, request, now() / 1_000_000, &mut |machine, came| {
            // Who does not listen does not keep anything from being noted.
            let _ = match came {
                Came::Delivered(findings, lost) => say(&Line::Received { machine, findings, lost }),
                Came::Events(events) => say(&Line::Events { server: machine, events }),
                Came::Shown(Ok(sight)) => {
                    let replaced = sight.is_another.then(|| say(&Line::Replaced { machine }));
                    let seen = say(&Line::Seen { machine, through: sight.through });
                    replaced.unwrap_or(Ok(())).and(seen)
                }
                Came::Shown(Err(error)) => say(&Line::Unseen { machine, said: error.to_string() }),
            };
        })
    })
}

fn offering(
    args: &WitnessArgs,
    papers: &Papers,
    shows: &(String, SocketAddr),
) -> Result<Offering<Directory>, Fault> {
    let peer = shown(papers, shows)?;
    // The files of both are others, and each is written by one.
    let directory = Directory::new(&args.state)
        .map_err(|error| Fault::unable(Unread::of(&args.state, &error)))?;
    Offering::new(&args.store, Notes::new(directory), peer).map_err(Fault::unable)
}

/// The machine that sees this one's log, and how it is reached.
pub(super) fn shown(papers: &Papers, (name, at): &(String, SocketAddr)) -> Result<Peer, Fault> {
    let tls = Tls::between(at.ip(), &witness_of(name), papers, PATIENCE).map_err(Fault::usage)?;
    Ok(Peer { machine: name.clone(), at: *at, tls })
}

/// Shows checkpoints for as long as nobody says that it is over.
fn show(mut offering: Offering<Directory>, is_over: &dyn Fn() -> bool) {
    let by = offering.peer().machine.clone();
    let (mut pause, mut told) = (LOOK, None);
    while !is_over() {
        let trouble = match offering.offer(now() / 1_000_000) {
            Ok(through) => {
                if let Some(through) = through {
                    let _ = say(&Line::Witnessed { by: &by, through });
                }
                pause = LOOK;
                None
            }
            Err(error) => {
                pause = (pause * 2).min(MOST_PAUSE);
                Some(error.to_string())
            }
        };
        if let Some(said) = trouble.as_deref().filter(|_| told != trouble) {
            let _ = say(&Line::Waiting { by: &by, said });
        }
        told = trouble;
        rest(pause, is_over);
    }
}

/// Waits for a while, or until somebody says that it is over.
pub(super) fn rest(pause: Duration, is_over: &dyn Fn() -> bool) {
    let until = Instant::now() + pause;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|it| !it.is_zero())
        && !is_over()
    {
        sleep(left.min(ALIVE));
    }
}

pub(super) fn say(said: &Line<'_>) -> Result<(), Fault> {
    print(&line(said)?);
    Ok(())
}
