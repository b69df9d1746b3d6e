//! `ringfort audit queue`: what is kept goes to collectors elsewhere, through a stream of NATS JetStream.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde::Serialize;
use tokio::runtime::Runtime;

use ringfort_queue::{Carried, Kept, Link, Piece, Queue, QueueError, Sender, Taker};
use ringfort_store::format::entry::Entry;
use ringfort_store::os::{Directory, Follower, Intake, Papers, Place, machine};

use super::collect::told_to_end;
use super::{intake, line};
use crate::cli::files::Unread;
use crate::cli::peers::{PapersArgs, machine_name};
use crate::cli::{Fault, cursor, print};

/// Carry what collectors keep to others, through a stream of NATS JetStream
///
/// On each control plane `send` follows the store and gives the stream what is in it; elsewhere `take` receives what
/// all send, for `ringfort audit collect --received`. The stream is on three servers or more: what it acknowledges, a
/// majority of them has. Nothing is lost where a program is killed or servers are away: what was not acknowledged is sent
/// again, what was not durable is given again, and what comes twice is known by its words, as long as a collector remembers
/// them: the newest 250,000 at least.
///
/// All speak TLS 1.3 with certificates. Servers are to let each machine publish on its own subject alone, PREFIX.NAME:
/// whose an entry is, the subject says.
#[derive(Args)]
pub struct QueueArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Make(MakeArgs),
    Send(SendArgs),
    Take(TakeArgs),
}

/// Where the stream is.
#[derive(Args)]
struct Through {
    /// A server, as HOST:PORT; the others of its cluster are learned of it. May be given more than once
    #[arg(long = "server", value_name = "HOST:PORT", required = true, value_parser = server)]
    servers: Vec<String>,
    /// The stream
    #[arg(long, value_name = "NAME", default_value = "RINGFORT_AUDIT")]
    stream: String,
    /// What subjects begin with
    #[arg(long, value_name = "PREFIX", default_value = "ringfort.audit", value_parser = subject)]
    prefix: String,
    /// On how many servers the stream has to be: with fewer, what it acknowledged is lost with one disk
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: u8,
    #[command(flatten)]
    papers: PapersArgs,
    /// What this machine is called: servers let it hear `_INBOX.NAME.>`; its own name if nothing is said
    #[arg(long, value_name = "NAME", value_parser = machine_name)]
    name: Option<String>,
}

/// Make the stream, unless it is there
///
/// Exit codes: 0 it is there and as it has to be, 2 usage, 4 the servers refuse, or another has that name.
#[derive(Args)]
struct MakeArgs {
    #[command(flatten)]
    through: Through,
    /// Keep what was sent so many days ago at most, taken or not
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    keep_days: u32,
    /// Take nothing more while so many MiB are kept
    #[arg(long, value_name = "MIB", default_value_t = 8_192)]
    keep_mib: u32,
}

/// Send what a store keeps, as it comes
///
/// It begins at the oldest that the store has, and goes on where it was when it is started again. While servers are away
/// it waits and the store keeps. Lines of JSON say what happens.
///
/// Exit codes: 0 told to end, or everything was sent (with --once), 2 usage, 3 what the store removed or could not give was
/// not sent, or an entry was too long for the servers, 4 the servers refuse (with --once), or the cursor cannot be written.
#[derive(Args)]
struct SendArgs {
    #[command(flatten)]
    through: Through,
    /// The store, as `ringfort audit collect` keeps it
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// Up to where it was sent: a file
    #[arg(long, value_name = "FILE")]
    cursor: PathBuf,
    /// End when everything that is there was sent
    #[arg(long)]
    once: bool,
}

/// Take what all machines send, for `ringfort audit collect --received`
///
/// Each name gets everything once: collectors that keep a store each have a name each. What is taken is durable before the
/// stream hears so; while nobody collects, it waits there. Lines of JSON say what happens.
///
/// Exit codes: 0 told to end, or everything was taken (with --once), 2 usage, 3 the stream removed what was not taken yet,
/// 4 the servers refuse (with --once), the directory cannot be written, or nobody makes room there for a minute (with
/// --once).
#[derive(Args)]
struct TakeArgs {
    #[command(flatten)]
    through: Through,
    /// What this collector is called in the stream
    #[arg(long, value_name = "NAME", value_parser = machine_name)]
    collector: String,
    /// Where it goes, for `ringfort audit collect --received`: a directory
    #[arg(long, value_name = "DIR")]
    received: PathBuf,
    /// End when everything that is there was taken
    #[arg(long)]
    once: bool,
}

/// A line of what is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "type")]
enum Line<'l> {
    /// The servers let it in.
    Begun { version: u32, stream: &'l str, made: Option<bool> },
    /// So many were sent, ever since it began.
    #[serde(rename_all = "camelCase")]
    Sent { entries: u64, too_long: u64, unread: u64 },
    /// So many were taken, ever since it began.
    Taken { entries: u64, missed: u64 },
    /// It goes on when this is over.
    Waiting { said: String },
}

const VERSION: u32 = 1;
/// So many are sent at once, and those that were kept with the last of them.
const AT_ONCE: u64 = 256;
/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(250);
/// How long is waited after a failure.
const WAIT: Duration = Duration::from_secs(1);
/// So long somebody has to make room who takes all that there is.
const FULL: Duration = Duration::from_secs(60);
/// How often it is told how much there was.
const TELL: Duration = Duration::from_secs(60);

/// Runs the command.
pub fn run(args: &QueueArgs) -> Result<ExitCode, Fault> {
    match &args.command {
        Command::Make(args) => make(args),
        Command::Send(args) => send(args),
        Command::Take(args) => take(args),
    }
}

fn server(text: &str) -> Result<String, String> {
    let is_host = |host: &str| {
        let plain = |it: char| it.is_ascii_alphanumeric() || "-.:[]".contains(it);
        !host.is_empty() && host.chars().all(plain)
    };
    match text.rsplit_once(':') {
        Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err("write HOST:PORT".to_owned()),
    }
}

fn subject(text: &str) -> Result<String, String> {
    let is_token = |token: &str| {
        let letters = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
        !token.is_empty() && token.chars().all(letters)
    };
    match text.split('.').all(is_token) {
        true => Ok(text.to_owned()),
        false => Err("write words of letters, digits, - and _ with dots between them".to_owned()),
    }
}

/// What is needed to speak to the servers, again and again.
struct Way {
    runtime: Runtime,
    queue: Queue,
    papers: Papers,
    name: String,
    is_over: Arc<AtomicBool>,
}

impl Way {
    fn new(through: &Through) -> Result<Self, Fault> {
        let queue = Queue {
            servers: through.servers.clone(),
            stream: through.stream.clone(),
            prefix: through.prefix.clone(),
            replicas: through.replicas.into(),
        };
        // The connection is kept while something else is done.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(Fault::unable)?;
        let (papers, is_over) = (through.papers.read()?, told_to_end()?);
        // What is wrong with them will be wrong in an hour.
        papers.client().map_err(Fault::usage)?;
        let name = through.name.clone().unwrap_or_else(machine);
        Ok(Self { runtime, queue, papers, name, is_over })
    }

    async fn open(&self) -> Result<Link, QueueError> {
        Link::open(&self.queue, &self.papers, &self.name).await
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Waits after a failure, and tells it if it is another than the one before. With `once`, it is the end.
    fn wait(&self, told: &mut String, error: &QueueError, once: bool) -> Result<(), Fault> {
        let said = error.to_string();
        if once {
            return Err(Fault::unable(said));
        }
        if *told != said {
            say(&Line::Waiting { said: said.clone() })?;
            *told = said;
        }
        sleep(WAIT);
        Ok(())
    }

    fn begun(&self, made: Option<bool>) -> Result<(), Fault> {
        say(&Line::Begun { version: VERSION, stream: &self.queue.stream, made })
    }
}

fn make(args: &MakeArgs) -> Result<ExitCode, Fault> {
    let way = Way::new(&args.through)?;
    let kept = Kept { days: args.keep_days, mib: args.keep_mib };
    let made = way.runtime.block_on(async { way.open().await?.make(kept).await });
    way.begun(Some(made.map_err(Fault::unable)?))?;
    Ok(ExitCode::SUCCESS)
}

fn send(args: &SendArgs) -> Result<ExitCode, Fault> {
    let way = Way::new(&args.through)?;
    let from: Option<Place> = cursor::read(&args.cursor)?;
    let follower = match from {
        Some(_) => Follower::new(&args.store, from),
        None => Follower::from_oldest(&args.store),
    };
    let mut follower = follower.map_err(Fault::blind)?;
    let (mut sender, mut told, mut batch) = (None, String::new(), Vec::new());
    let (mut entries, mut too_long, mut told_at) = (0, 0, Instant::now());
    ringfort_node::ready();
    while !way.is_over() {
        ringfort_node::alive();
        // What was not acknowledged is sent before anything else.
        if batch.is_empty() {
            let mut visit = |entry: &Entry<'_>| batch.push(Carried::of(entry));
            follower.look_at(AT_ONCE, &mut visit).map_err(Fault::blind)?;
        }
        if batch.is_empty() && args.once {
            break;
        }
        match way.runtime.block_on(sent(&way, &mut sender, &batch)) {
            Ok(count) => too_long += count,
            Err(error) => {
                sender = None;
                way.wait(&mut told, &error, args.once)?;
                continue;
            }
        }
        told.clear();
        entries += batch.len() as u64;
        if batch.is_empty() {
            sleep(LOOK);
        } else {
            batch.clear();
            cursor::write(&args.cursor, &line(&follower.place())?)?;
        }
        if told_at.elapsed() >= TELL {
            say(&Line::Sent { entries, too_long, unread: follower.unread() })?;
            told_at = Instant::now();
        }
    }
    let unread = follower.unread();
    say(&Line::Sent { entries, too_long, unread })?;
    Ok(ExitCode::from(if too_long + unread > 0 { 3 } else { 0 }))
}

/// Sends entries, by a connection that is made if there is none.
async fn sent(
    way: &Way,
    sender: &mut Option<Sender>,
    batch: &[Carried],
) -> Result<u64, QueueError> {
    if sender.is_none() {
        *sender = Some(Sender::new(way.open().await?, &way.name).await?);
        // Who does not listen stops nothing.
        let _ = way.begun(None);
    }
    match sender {
        Some(sender) if !batch.is_empty() => sender.send(batch).await,
        _ => Ok(0),
    }
}

fn take(args: &TakeArgs) -> Result<ExitCode, Fault> {
    let way = Way::new(&args.through)?;
    let mut intake = intake(&args.received)?;
    let (mut taker, mut told) = (None, String::new());
    let (mut entries, mut missed, mut told_at) = (0, 0, Instant::now());
    ringfort_node::ready();
    while !way.is_over() {
        ringfort_node::alive();
        let piece = match way.runtime.block_on(given(&way, &args.collector, &mut taker)) {
            Ok(piece) => piece,
            Err(error) => {
                taker = None;
                way.wait(&mut told, &error, args.once)?;
                continue;
            }
        };
        told.clear();
        (entries, missed) = (entries + piece.lines.len() as u64, missed + piece.missed);
        let is_nothing = piece.lines.is_empty();
        if !keep(&way, &mut intake, &piece, args)? {
            break;
        }
        let Some(open) = &taker else { continue };
        let done = way.runtime.block_on(async {
            open.done(piece).await?;
            if is_nothing && args.once { open.left().await } else { Ok(1) }
        });
        match done {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                taker = None;
                way.wait(&mut told, &error, args.once)?;
            }
        }
        if told_at.elapsed() >= TELL {
            say(&Line::Taken { entries, missed })?;
            told_at = Instant::now();
        }
    }
    say(&Line::Taken { entries, missed })?;
    Ok(ExitCode::from(if missed > 0 { 3 } else { 0 }))
}

/// Takes what comes, by a connection that is made if there is none.
async fn given(way: &Way, collector: &str, taker: &mut Option<Taker>) -> Result<Piece, QueueError> {
    if taker.is_none() {
        *taker = Some(Taker::new(way.open().await?, collector).await?);
        // Who does not listen stops nothing.
        let _ = way.begun(None);
    }
    match taker {
        Some(taker) => taker.next(WAIT).await,
        None => Ok(Piece::default()),
    }
}

/// Makes durable what came, as soon as there is room for it. Says whether it is.
fn keep(
    way: &Way,
    intake: &mut Intake<Directory>,
    piece: &Piece,
    args: &TakeArgs,
) -> Result<bool, Fault> {
    let begun = Instant::now();
    let mut is_told = false;
    while !piece.lines.is_empty() {
        let Err(error) = intake.take(&piece.lines) else { break };
        let is_full = error.kind() == std::io::ErrorKind::StorageFull;
        if !is_full || args.once && begun.elapsed() >= FULL {
            return Err(Fault::unable(Unread::of(&args.received, &error)));
        }
        if way.is_over() {
            return Ok(false);
        }
        if !is_told {
            say(&Line::Waiting { said: error.to_string() })?;
            is_told = true;
        }
        ringfort_node::alive();
        sleep(LOOK);
    }
    Ok(true)
}

fn say(said: &Line<'_>) -> Result<(), Fault> {
    print(&line(said)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{server, subject};

    #[test]
    fn a_server_is_a_host_and_a_port_and_never_a_password() {
        for right in ["nats-1.example.org:4222", "10.0.0.1:4222", "[::1]:4222"] {
            assert_eq!(server(right), Ok(right.to_owned()));
        }
        for wrong in ["nats-1", "tls://a:4222", "ann:hidden@nats-1:4222", "a:b", ":4222"] {
            assert!(server(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_prefix_is_words_with_dots_between_them() {
        assert_eq!(subject("ringfort.audit"), Ok("ringfort.audit".to_owned()));
        for wrong in ["", "a..b", "a.*", "a.>", "a b", ".a"] {
            assert!(subject(wrong).is_err(), "{wrong:?}");
        }
    }
}
