//! Asks an API server how much it logged, and looks whether that came. The question itself is a request that has to be
//! logged: a heartbeat. A server that answers and whose log does not have it is not logging, or nobody collects.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::follow::{Follower, Place};
use super::http;
use super::look::{LookError, search};
use super::tls::Tls;
use crate::format::entry::{Entry, Kind};
use crate::format::query::{Hit, Query};
use crate::format::reported::{Reported, WITNESSES};
use crate::format::tally::{Counter, Measured, Tally};

/// A server that says how much it logged.
pub trait Asked {
    /// Asks it, by a request that has a text in its path. Gives the status and what it says.
    ///
    /// # Errors
    /// It does not answer.
    fn ask(&self, heartbeat: &str) -> io::Result<(String, Measured)>;
}

/// An API server.
pub struct ApiServer {
    /// Where it listens.
    pub at: SocketAddr,
    /// How it is known.
    pub tls: Tls,
}

impl Asked for ApiServer {
    fn ask(&self, heartbeat: &str) -> io::Result<(String, Measured)> {
        let mut measured = Measured::default();
        let path = format!("/metrics?heartbeat={heartbeat}");
        let status = http::lines(&self.tls, self.at, &path, &mut |line| measured.read(line))?;
        Ok((status, measured))
    }
}

/// What counting knows, in a file: written by it alone, and read by who proves that it goes on.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Count {
    /// Of this form.
    version: u32,
    /// Up to where the store was followed,
    place: Option<Place>,
    /// and how many lines of the server's log came since counting began.
    came: u64,
    /// What the server says, beside that.
    pub tally: Tally,
    /// How many events were missed for the first time in the last round.
    pub missed: u64,
    /// How many heartbeats in a row were answered and did not come.
    pub unheard: u32,
    /// When one came last, in seconds of the Unix epoch.
    pub heard: Option<i64>,
    /// When the last round was, in seconds of the Unix epoch,
    pub at: i64,
    /// and the one before it.
    before: i64,
    /// Why nothing was compared in the last round, if nothing was.
    pub trouble: Option<String>,
}

const VERSION: u32 = 2;
/// The file of what counting knows, where a witness keeps what it saw.
pub const COUNT: &str = "count";

impl Count {
    /// Reads it; nothing comes of what is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let read: Self = serde_json::from_slice(bytes).ok()?;
        (read.version == VERSION).then_some(read)
    }
}

/// What a round shows.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missed {
    /// All that is sure to be missing is known already.
    Nothing,
    /// Events that the server counts did not come.
    Events {
        /// So many more.
        more: u64,
        /// So many of all its backends failed to write.
        failed: u64,
        /// When none of these was missing, in seconds of the Unix epoch. Earlier versions do not say.
        #[serde(default)]
        since: Option<i64>,
    },
    /// The server answers, and what was asked does not come.
    Everything {
        /// When something came last, in seconds of the Unix epoch, if it ever did.
        since: Option<i64>,
    },
}

/// Why a round came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// The store.
    #[error(transparent)]
    Look(#[from] LookError),
    /// The server.
    #[error("the API server does not answer: {0}")]
    Server(#[source] io::Error),
    /// The answer.
    #[error("the API server does not say how many events it logged: {0}")]
    Unsaid(String),
    /// What is known cannot be written down.
    #[error("the count cannot be written: {0}")]
    File(#[source] io::Error),
}

/// Counts what an API server logs, and what came of it.
pub struct Counting<A> {
    store: PathBuf,
    source: String,
    file: PathBuf,
    server: A,
    follower: Option<Follower>,
    count: Count,
    /// So long a heartbeat may take through log and collector.
    pub(super) patience: Duration,
}

/// After so many heartbeats in a row that did not come, nothing comes.
const SILENT: u32 = 2;
const PATIENCE: Duration = Duration::from_secs(15);
/// How often a heartbeat is looked for.
const LOOK: Duration = Duration::from_millis(250);

impl<A: Asked> Counting<A> {
    /// Goes on from what is in the file. Who cannot read it begins anew.
    pub fn new(store: PathBuf, source: String, file: PathBuf, server: A) -> Self {
        let known = fs::read(&file).ok().and_then(|bytes| Count::read(&bytes));
        let count = known.unwrap_or_else(|| Count { version: VERSION, ..Count::default() });
        Self { store, source, file, server, follower: None, count, patience: PATIENCE }
    }

    /// What is known.
    pub fn count(&self) -> &Count {
        &self.count
    }

    /// Asks the server once, and waits until that has come. Ends early when it is over.
    ///
    /// # Errors
    /// Nothing was compared. What is known says why, and goes on from where it was.
    pub fn round(
        &mut self,
        now: &dyn Fn() -> i64,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Missed, CountError> {
        let compared = self.compare(now, is_over);
        (self.count.before, self.count.at) = (self.count.at, now());
        self.count.trouble = compared.as_ref().err().map(ToString::to_string);
        self.write().map_err(CountError::File)?;
        compared
    }

    fn compare(
        &mut self,
        now: &dyn Fn() -> i64,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Missed, CountError> {
        self.count.missed = 0;
        self.look(None)?;
        let before = self.count.came;
        let heartbeat = format!("{}-{}", self.source, jiff::Timestamp::now().as_nanosecond());
        let (status, measured) = self.server.ask(&heartbeat).map_err(CountError::Server)?;
        let until = Instant::now() + self.patience;
        // Whatever the answer is, that it was asked is logged.
        while !self.look(Some(&heartbeat))? {
            if is_over() {
                return Ok(Missed::Nothing);
            }
            if Instant::now() >= until {
                self.count.unheard = self.count.unheard.saturating_add(1);
                let is_new = self.count.unheard == SILENT;
                let since = self.count.heard;
                return Ok(if is_new { Missed::Everything { since } } else { Missed::Nothing });
            }
            std::thread::sleep(LOOK);
        }
        (self.count.unheard, self.count.heard) = (0, Some(now()));
        let counter = measured.counter().filter(|_| status.starts_with("200"));
        let Some(counter) = counter else { return Err(CountError::Unsaid(status)) };
        Ok(self.add(&counter, before))
    }

    /// The question itself was counted after it was answered.
    fn add(&mut self, counter: &Counter, before: u64) -> Missed {
        let more = self.count.tally.add(counter, before, self.count.came - 1);
        self.count.missed = more;
        match more {
            0 => Missed::Nothing,
            // Two rounds show it, this one and the last.
            more => {
                let (failed, since) = (self.count.tally.failed, Some(self.count.before));
                Missed::Events { more, failed, since }
            }
        }
    }

    /// Counts what came, and says whether a text is in it.
    fn look(&mut self, holding: Option<&str>) -> Result<bool, LookError> {
        let follower = match &mut self.follower {
            Some(follower) => follower,
            none => {
                let from = self.count.place;
                let follower = Follower::new(&self.store, from).or_else(|error| {
                    // The place may be of a store that is gone.
                    let follower = Follower::new(&self.store, None);
                    follower.inspect(|_| self.count.begin_anew()).map_err(|_| error)
                })?;
                none.insert(follower)
            }
        };
        let (source, unread) = (self.source.as_str(), follower.unread());
        let (mut came, mut is_there) = (0, false);
        follower.look(&mut |entry| {
            if entry.source == source && entry.kind != Kind::Finding {
                came += 1;
                let holds =
                    |text| std::str::from_utf8(entry.text).is_ok_and(|it| it.contains(text));
                is_there |= holding.is_some_and(holds);
            }
        })?;
        if follower.unread() > unread {
            self.count.begin_anew();
        }
        self.count.came += came;
        self.count.place = Some(follower.place());
        Ok(is_there)
    }

    /// It has its name when it is whole. Where the power goes it may be nothing, and counting begins anew.
    fn write(&self) -> io::Result<()> {
        let aside = self.file.with_extension("new");
        let text = serde_json::to_vec(&self.count).map_err(io::Error::other)?;
        fs::write(&aside, text)?;
        fs::rename(&aside, &self.file)
    }
}

impl Count {
    /// Pieces of the store are gone that nobody counted.
    fn begin_anew(&mut self) {
        (self.tally, self.came) = (Tally::default(), 0);
    }
}

/// What of a machine's audit log was missed, as its witness counted it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// The machine whose log it is.
    pub machine: String,
    /// From when, where that is known, to when: in seconds of the Unix epoch.
    pub times: (Option<i64>, i64),
    /// How many events, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
    /// What was told of it.
    pub said: String,
}

impl Missing {
    /// Gives what a store holds of that, of whatever machines it keeps findings.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn of(store: &Path) -> Result<Vec<Self>, LookError> {
        let query = Query::read("resource=audit-log", jiff::Timestamp::UNIX_EPOCH);
        let query = query.expect("it is a query");
        let mut all = Vec::new();
        search(store, &query, &mut |entry, hit| {
            let machine = entry.source.strip_prefix(WITNESSES);
            if let (Hit::Finding(_), Some(machine)) = (hit, machine) {
                all.extend(Self::read(machine, entry));
            }
            true
        })?;
        Ok(all)
    }

    fn read(machine: &str, entry: &Entry<'_>) -> Option<Self> {
        let reported = Reported::read(entry.text)?;
        let (since, events) = match serde_json::from_str(reported.line.get()) {
            Ok(Missed::Nothing) => return None,
            Ok(Missed::Events { more, since, .. }) => (since, Some(more)),
            Ok(Missed::Everything { since }) => (since, None),
            // It was told as missing, whatever else it says.
            Err(_) => (None, None),
        };
        let told = reported.finding.time.parse::<jiff::Timestamp>();
        let told = told.map_or(entry.time / 1_000_000, jiff::Timestamp::as_second);
        let said = reported.finding.said;
        Some(Self { machine: machine.to_owned(), times: (since, told), events, said })
    }
}
