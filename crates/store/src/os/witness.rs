//! Witnesses checkpoints of other machines: what is seen is durable before it is countersigned. At the same door agents
//! deliver what they found, and witnesses what their own machine's server counts and nobody has.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use ringfort_audit::envelope::events;
use ringfort_audit::finding::{OF_FILES, OF_LOGS};
use ringfort_model::identity::{AGENT, KEEPER, witness_of};
use ringfort_model::name::NodeName;
use ringfort_pki::{Ed25519Key, Ed25519Public};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::disk::Disk;
use super::http::{Answer, Request};
use super::notes::Notes;
use super::received::{Intake, Received};
use super::share::{KEPT, Sharing};
use crate::format::checkpoint::{Countersignature, Signed, VERSION, hex, unhex};
use crate::format::entry::Kind;
use crate::format::reported::{AGENTS, Reported, WITNESSES};
use crate::format::witness::{Memory, Note, Refused};

/// What is shown to a witness.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Shown {
    /// Of this form.
    pub version: u32,
    /// The key of the store, in hexadecimal.
    pub key: String,
    /// Checkpoints in their order, the newest of the store last.
    pub checkpoints: Vec<Signed>,
}

/// What a witness says that it saw last.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Last {
    /// Of this form.
    pub version: u32,
    /// The newest segment, if any.
    pub segment: Option<u64>,
}

/// What a witness says of what it was shown.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Saw {
    /// Of this form.
    pub version: u32,
    /// The witness's key, in hexadecimal.
    pub witness: String,
    /// A signature for each checkpoint.
    pub signatures: Vec<Countersignature>,
}

/// Where it is asked what was seen last of the log with a key, which stands behind it,
pub const SEEN: &str = "/seen/";
/// where checkpoints are shown,
pub const CHECKPOINTS: &str = "/checkpoints";
/// and whether anybody is there.
pub const HEALTH: &str = "/healthz";
/// Where agents deliver what they found.
pub const FINDINGS: &str = "/findings";
/// Where API servers send events, as their webhook backend does.
pub const EVENTS: &str = "/events";
/// What sources of API servers' events begin with, before whom the certificate speaks for.
const SERVER: &str = "webhook/";
/// So many are shown at once.
pub const MOST_SHOWN: usize = 64;
/// What the file begins with that a machine's checkpoints are noted in.
const FILE: &str = "seen.";

/// What was seen.
pub struct Sight {
    /// A signature for each checkpoint.
    pub signatures: Vec<Countersignature>,
    /// The newest segment.
    pub through: u64,
    /// Whether only logs of other keys were seen of the machine before.
    pub is_another: bool,
}

/// Why something was not countersigned.
#[derive(Debug, thiserror::Error)]
pub enum SeeError {
    /// It does not go on from what was seen.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It could not be noted.
    #[error("what is seen cannot be noted: {0}")]
    Notes(#[from] io::Error),
}

/// A witness, with what it remembers.
pub struct Witness<D> {
    notes: Notes<D>,
    key: Ed25519Key,
    memories: BTreeMap<String, Memory>,
}

impl<D: Disk> Witness<D> {
    /// Opens what was noted.
    ///
    /// # Errors
    /// A file cannot be read, or is none of this witness's.
    pub fn open(mut notes: Notes<D>, key: Ed25519Key) -> io::Result<Self> {
        let mut memories = BTreeMap::new();
        for file in notes.names(FILE)? {
            let machine = file.trim_start_matches(FILE).to_owned();
            let wrong = || io::Error::other(format!("{file} is not by the key of this witness"));
            let memory = Memory::of(&notes.read(&file)?, &key.public()).ok_or_else(wrong)?;
            memories.insert(machine, memory);
        }
        Ok(Self { notes, key, memories })
    }

    /// The key that it signs with.
    pub fn public(&self) -> Ed25519Public {
        self.key.public()
    }

    /// The newest segment that it saw of a machine's log with this key.
    pub fn last(&self, machine: &str, key: &Ed25519Public) -> Option<u64> {
        self.memories.get(machine)?.last(key)
    }

    /// Sees checkpoints of a machine, and countersigns them once that is noted. What is refused is noted too, once.
    ///
    /// # Errors
    /// They are refused, or nothing can be noted.
    pub fn see(
        &mut self,
        machine: &str,
        key: Ed25519Public,
        row: &[Signed],
        now: i64,
    ) -> Result<Sight, SeeError> {
        let file = format!("{FILE}{machine}");
        let memory = self.memories.entry(machine.to_owned()).or_default();
        let checkpoints = match memory.judge(key, row) {
            Ok(checkpoints) => checkpoints,
            Err(refused) => {
                let why = refused.to_string();
                // Whoever is not even signed could fill the file with anything.
                if let Some(newest) = row.last().filter(|_| refused.is_by_a_key())
                    && memory.is_new_refusal(newest, &why)
                {
                    let note = Note::new(now, machine, key, newest.clone());
                    self.notes.add(&file, &[Note { refused: Some(why), ..note }])?;
                }
                return Err(refused.into());
            }
        };
        let fresh = memory.countersigned(&key, row, &checkpoints, (&self.key, now));
        let notes = fresh.checkpoints.iter();
        let notes: Vec<Note> =
            notes.map(|(_, signed)| Note::new(now, machine, key, signed.clone())).collect();
        self.notes.add(&file, &notes)?;
        for (checkpoint, signed) in fresh.checkpoints {
            memory.add(key, checkpoint, &signed, now);
        }
        let through = memory.last(&key).unwrap_or(0);
        Ok(Sight { signatures: fresh.signatures, through, is_another: fresh.is_another })
    }
}

/// What a witness is told and asked by others: who may speak, and what becomes of it.
pub struct Office<D> {
    witness: Mutex<Witness<D>>,
    /// The machines whose checkpoints are seen.
    hears: Vec<String>,
    /// Whom certificates of API servers speak for that send events.
    servers: Vec<String>,
    /// Where goes what is delivered.
    intake: Option<Mutex<Intake<D>>>,
    /// What others read of what is kept here.
    sharing: Option<Mutex<Sharing>>,
}

/// What came of what a machine showed or delivered.
pub enum Came<'c> {
    /// Its checkpoints were seen, or not.
    Shown(Result<&'c Sight, &'c SeeError>),
    /// So many findings of its agent came, and so many it had no room for, ever.
    Delivered(usize, u64),
    /// So many events came of an API server.
    Events(usize),
}

/// Hears of what came, by the machine.
pub type Heard<'h> = dyn FnMut(&str, Came<'_>) + 'h;

/// What an agent delivers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Delivered<'d> {
    version: u32,
    lost: u64,
    #[serde(borrow)]
    findings: Vec<&'d RawValue>,
}

impl<D: Disk> Office<D> {
    /// Opens it for these machines, and for agents where what they deliver can be taken.
    pub fn new(witness: Witness<D>, hears: Vec<String>, intake: Option<Intake<D>>) -> Self {
        let intake = intake.map(Mutex::new);
        let (witness, servers) = (Mutex::new(witness), Vec::new());
        Self { witness, hears, servers, intake, sharing: None }
    }

    /// Opens it for API servers as well: for certificates of these names.
    #[must_use]
    pub fn for_servers(self, servers: Vec<String>) -> Self {
        Self { servers, ..self }
    }

    /// Opens it for other control planes as well, that read what is kept here.
    #[must_use]
    pub fn for_readers(self, sharing: Sharing) -> Self {
        Self { sharing: Some(Mutex::new(sharing)), ..self }
    }

    /// Answers whom a certificate speaks for. Which machine that is, the certificate alone says.
    pub fn answer(
        &self,
        caller: &str,
        request: &Request,
        now: i64,
        heard: &mut Heard<'_>,
    ) -> Answer {
        let machine = self.hears.iter().find(|machine| witness_of(machine) == caller);
        // An API server adds how long it waits.
        let path = request.path.split('?').next().unwrap_or_default();
        if let Some(sharing) = self.sharing.as_ref().filter(|_| path.starts_with(KEPT))
            && request.method == "GET"
        {
            let mut sharing = sharing.lock().unwrap_or_else(PoisonError::into_inner);
            return sharing.answer(caller, path);
        }
        match (request.method.as_str(), path, machine) {
            // ringfort itself looks whether the door is as it should be.
            ("GET", HEALTH, None) if caller == KEEPER => Answer::said(200, &"ok"),
            ("GET", HEALTH, Some(_)) => Answer::said(200, &"ok"),
            ("GET", path, Some(machine)) if path.starts_with(SEEN) => {
                let Some(key) = path.strip_prefix(SEEN).and_then(unhex).map(Ed25519Public) else {
                    return Answer::said(400, &"this is no key");
                };
                let segment = self.lock().last(machine, &key);
                Answer::json(200, &Last { version: VERSION, segment })
            }
            ("POST", CHECKPOINTS, Some(machine)) => self.shown(machine, &request.body, now, heard),
            ("POST", FINDINGS, Some(machine)) => {
                self.delivered((WITNESSES, machine), &request.body, heard)
            }
            ("POST", FINDINGS, None) if agent(caller).is_some() => {
                let machine = agent(caller).unwrap_or_default();
                self.delivered((AGENTS, machine), &request.body, heard)
            }
            ("POST", EVENTS, None) if self.servers.iter().any(|server| server == caller) => {
                self.sent(caller, &request.body, heard)
            }
            (.., None) => Answer::said(403, &"this certificate opens nothing here"),
            _ => Answer::said(404, &"there is nothing of that name"),
        }
    }

    fn shown(&self, machine: &str, body: &[u8], now: i64, heard: &mut Heard<'_>) -> Answer {
        let shown = serde_json::from_slice::<Shown>(body).ok();
        let shown = shown.filter(|it| it.version == VERSION && it.checkpoints.len() <= MOST_SHOWN);
        let key = shown.as_ref().and_then(|it| unhex(&it.key)).map(Ed25519Public);
        let (Some(shown), Some(key)) = (shown, key) else {
            return Answer::said(400, &"these are no checkpoints");
        };
        let mut witness = self.lock();
        let seen = witness.see(machine, key, &shown.checkpoints, now);
        let public = hex(&witness.public().0);
        drop(witness);
        heard(machine, Came::Shown(seen.as_ref()));
        match seen {
            Ok(Sight { signatures, .. }) => {
                Answer::json(200, &Saw { version: VERSION, witness: public, signatures })
            }
            Err(SeeError::Refused(refused)) => Answer::said(409, &refused),
            Err(error @ SeeError::Notes(_)) => Answer::said(503, &error),
        }
    }

    /// Takes findings. Whose they are, the certificate says, whatever stands in them.
    fn delivered(&self, (of, machine): (&str, &str), body: &[u8], heard: &mut Heard<'_>) -> Answer {
        let read = serde_json::from_slice::<Delivered<'_>>(body).ok();
        let Some(Delivered { lost, findings, .. }) = read.filter(|it| it.version == VERSION) else {
            return Answer::said(400, &"these are no findings");
        };
        let lines: Vec<Received> =
            findings.iter().map(|line| received(of, machine, line.get())).collect();
        self.take(&lines, &mut || heard(machine, Came::Delivered(lines.len(), lost)))
    }

    /// Takes events of an API server. What cannot be read is kept as it came: it may be what somebody wanted to be
    /// unreadable.
    fn sent(&self, server: &str, body: &[u8], heard: &mut Heard<'_>) -> Answer {
        let source = format!("{SERVER}{server}");
        let line = |text| Received { source: source.clone(), kind: Kind::Event, text };
        let texts =
            events(body).unwrap_or_else(|| vec![String::from_utf8_lossy(body).into_owned()]);
        let lines: Vec<Received> = texts.into_iter().map(line).collect();
        self.take(&lines, &mut || heard(server, Came::Events(lines.len())))
    }

    /// Takes what this machine's own witness found.
    ///
    /// # Errors
    /// It is not durable: there is no room, or nothing is taken here.
    pub fn find(&self, machine: &str, line: &str) -> io::Result<()> {
        let Some(intake) = &self.intake else {
            return Err(io::Error::other("nothing is taken here"));
        };
        let mut intake = intake.lock().unwrap_or_else(PoisonError::into_inner);
        intake.take(&[received(WITNESSES, machine, line)])
    }

    /// Answers well when lines are durable, and not before.
    fn take(&self, lines: &[Received], taken: &mut dyn FnMut()) -> Answer {
        let Some(intake) = &self.intake else {
            return Answer::said(404, &"nothing is taken here");
        };
        let mut intake = intake.lock().unwrap_or_else(PoisonError::into_inner);
        let is_taken = if lines.is_empty() { Ok(()) } else { intake.take(lines) };
        drop(intake);
        match is_taken {
            Ok(()) => {
                taken();
                Answer::said(200, &"received")
            }
            Err(error) => Answer::said(503, &error),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Witness<D>> {
        self.witness.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the machine whose agent a certificate speaks for.
fn agent(caller: &str) -> Option<&str> {
    let machine = caller.strip_prefix(AGENT)?;
    NodeName::new(machine).is_ok().then_some(machine)
}

/// Makes of a line what is kept: by this machine, and without what a terminal would obey. What cannot be read is kept as
/// it came, and so is what is not for whoever delivers it to find.
fn received(of: &str, machine: &str, line: &str) -> Received {
    let source = format!("{of}{machine}");
    let found = if of == AGENTS { OF_FILES } else { OF_LOGS };
    let read = Reported::read(line.as_bytes());
    let is_its_own = |it: &Reported<'_>| it.finding.detection.starts_with(found);
    let text = read.filter(is_its_own).and_then(|mut reported| {
        reported.finding = reported.finding.by(machine);
        serde_json::to_string(&reported).ok()
    });
    match text {
        Some(text) => Received { source, kind: Kind::Finding, text },
        None => Received { source, kind: Kind::Unreadable, text: line.to_owned() },
    }
}
