//! What a witness makes of the checkpoints of another machine: whether they go on from those that it saw before, and
//! what is written down of them. Pure.

use std::collections::BTreeMap;

use ringfort_pki::{Ed25519Key, Ed25519Public};
use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, Countersignature, Signed, VERSION, hex, unhex};

/// A line of what a witness saw: it keeps one itself, and who was seen another.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Note {
    /// Of this form.
    pub version: u32,
    /// When it was written, in seconds of the Unix epoch.
    pub at: i64,
    /// The machine at the other side.
    pub machine: String,
    /// The key of the store, in hexadecimal.
    pub key: String,
    /// The checkpoint, with the witness's signature where it was seen.
    pub signed: Signed,
    /// Why it was not countersigned, where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl Note {
    /// Notes a checkpoint.
    pub fn new(at: i64, machine: &str, key: Ed25519Public, signed: Signed) -> Self {
        let (machine, key) = (machine.to_owned(), hex(&key.0));
        Self { version: VERSION, at, machine, key, signed, refused: None }
    }

    /// Reads a line.
    pub fn read(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok().filter(|note: &Self| note.version == VERSION)
    }
}

/// Why a witness does not countersign.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// Nothing was shown.
    #[error("no checkpoint is shown")]
    Nothing,
    /// The signature does not fit.
    #[error("a checkpoint is not signed by the key that is said to be the store's")]
    Forged,
    /// They are no row.
    #[error("the checkpoints do not go on from each other")]
    Broken,
    /// Two histories.
    #[error("segment {segment} was another one when it was seen before: the log was rewritten")]
    Fork {
        /// The segment.
        segment: u64,
    },
    /// A history that ends too early.
    #[error(
        "the newest segment is {newest}, and {seen} was seen before: the log was shortened, or put back to what it was"
    )]
    RolledBack {
        /// The newest that is shown.
        newest: u64,
        /// The newest that was seen.
        seen: u64,
    },
    /// Something between is not shown.
    #[error("segment {seen} was seen before, and the one behind it is not shown")]
    Gap {
        /// The newest that was seen.
        seen: u64,
    },
}

impl Refused {
    /// Whether what was shown is signed by the key that came with it.
    pub fn is_by_a_key(&self) -> bool {
        matches!(self, Self::Fork { .. } | Self::RolledBack { .. })
    }
}

/// What is remembered of one machine: every log that it ever showed, by its key. A machine that was set up anew has
/// another key and begins another log; what was seen of the one before stays noted, and verifying names it.
#[derive(Debug, Default)]
pub struct Memory {
    logs: BTreeMap<Ed25519Public, Log>,
    /// What was refused last.
    refused: Option<(String, String)>,
}

#[derive(Debug)]
struct Log {
    /// The newest that was seen, with its digest.
    last: (Checkpoint, String),
    /// The digest of each, and when it was seen first.
    seen: BTreeMap<u64, (String, i64)>,
}

/// What is to be noted before anybody is told of it, and the signatures that are then given.
pub struct Fresh {
    /// A signature for each checkpoint that was shown.
    pub signatures: Vec<Countersignature>,
    /// What was not seen before.
    pub checkpoints: Vec<(Checkpoint, Signed)>,
    /// Whether logs of other keys were seen, and none of this one.
    pub is_another: bool,
}

impl Memory {
    /// Remembers what was noted. Nothing comes of notes that are none.
    pub fn of(notes: &[Note], witness: &Ed25519Public) -> Option<Self> {
        let mut memory = Self::default();
        for note in notes {
            if let Some(why) = &note.refused {
                memory.refused = Some((note.signed.digest(), why.clone()));
                continue;
            }
            let key = Ed25519Public(unhex(&note.key)?);
            let at = note.signed.seen_by(witness)?;
            memory.add(key, note.signed.verified(&key)?, &note.signed, at);
        }
        Some(memory)
    }

    /// The newest segment that was seen of the log with this key.
    pub fn last(&self, key: &Ed25519Public) -> Option<u64> {
        self.logs.get(key).map(|log| log.last.0.segment)
    }

    /// Judges checkpoints in their order, the newest of their store last. What is seen first of a log is believed;
    /// everything after it has to go on from it.
    ///
    /// # Errors
    /// They do not.
    pub fn judge(&self, key: Ed25519Public, row: &[Signed]) -> Result<Vec<Checkpoint>, Refused> {
        let read = row.iter().map(|signed| signed.verified(&key).ok_or(Refused::Forged));
        let checkpoints: Vec<Checkpoint> = read.collect::<Result<_, _>>()?;
        let (Some(first), Some(newest)) = (checkpoints.first(), checkpoints.last()) else {
            return Err(Refused::Nothing);
        };
        let mut pairs = checkpoints.windows(2).zip(row);
        if !pairs.all(|(pair, before)| pair[1].follows(&pair[0], &before.digest())) {
            return Err(Refused::Broken);
        }
        let Some(log) = self.logs.get(&key) else { return Ok(checkpoints) };
        for (checkpoint, signed) in checkpoints.iter().zip(row) {
            let segment = checkpoint.segment;
            if log.seen.get(&segment).is_some_and(|(digest, _)| *digest != signed.digest()) {
                return Err(Refused::Fork { segment });
            }
        }
        let (last, digest) = &log.last;
        let seen = last.segment;
        if newest.segment < seen {
            return Err(Refused::RolledBack { newest: newest.segment, seen });
        }
        if first.segment > seen + 1 {
            return Err(Refused::Gap { seen });
        }
        let next = checkpoints.iter().find(|it| it.segment == seen + 1);
        match next.filter(|it| !it.follows(last, digest)) {
            Some(next) => Err(Refused::Fork { segment: next.segment }),
            None => Ok(checkpoints),
        }
    }

    /// Countersigns what was judged.
    pub fn countersigned(
        &self,
        key: &Ed25519Public,
        row: &[Signed],
        checkpoints: &[Checkpoint],
        (witness, now): (&Ed25519Key, i64),
    ) -> Fresh {
        let log = self.logs.get(key);
        let is_another = log.is_none() && !self.logs.is_empty();
        let mut fresh = Fresh { signatures: Vec::new(), checkpoints: Vec::new(), is_another };
        for (checkpoint, signed) in checkpoints.iter().zip(row) {
            let known = log.and_then(|log| log.seen.get(&checkpoint.segment));
            // What others said of it is nothing that this one saw.
            let mut signed = Signed { witnesses: Vec::new(), ..signed.clone() };
            signed.countersign(witness, known.map_or(now, |(_, at)| *at));
            fresh.signatures.extend(signed.witnesses.first().cloned());
            // Of those before the first that was seen only their row is known.
            if log.is_none_or(|log| checkpoint.segment > log.last.0.segment) {
                fresh.checkpoints.push((checkpoint.clone(), signed));
            }
        }
        fresh
    }

    /// Remembers a checkpoint that was noted.
    pub fn add(&mut self, key: Ed25519Public, checkpoint: Checkpoint, signed: &Signed, at: i64) {
        let (segment, digest) = (checkpoint.segment, signed.digest());
        let last = (checkpoint, digest.clone());
        match self.logs.get_mut(&key) {
            Some(log) => {
                log.seen.insert(segment, (digest, at));
                log.last = last;
            }
            None => {
                let seen = BTreeMap::from([(segment, (digest, at))]);
                self.logs.insert(key, Log { last, seen });
            }
        }
    }

    /// Whether a refusal is another than the last, which is remembered from here on.
    pub fn is_new_refusal(&mut self, signed: &Signed, why: &str) -> bool {
        let refused = Some((signed.digest(), why.to_owned()));
        let is_new = self.refused != refused;
        self.refused = refused;
        is_new
    }
}
